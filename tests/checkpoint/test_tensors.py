"""Tensors come back equal and contiguous; every fault of a file is CheckpointCorrupt; nothing is ever unpickled."""

from __future__ import annotations

import json
import os
import pickle
import random

import pytest
import safetensors
import safetensors.torch
import torch

from sagan.checkpoint import header
from sagan.checkpoint.tensors import pack, unpack, unpack_bytes
from sagan.errors import CheckpointCorrupt, CheckpointMissing, NumericError, ResourceError


def variety():
    torch.manual_seed(0)
    tied = torch.randn(4, 6)
    return {
        "conv": torch.randn(8, 4, 3, 5).to(memory_format=torch.channels_last),
        "transposed": tied.T,
        "tied.a": tied,
        "tied.b": tied,
        "view": tied[1:3, ::2],
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "half": torch.randn(5).bfloat16(),
        "flags": torch.tensor([True, False]),
        "state": torch.arange(5056, dtype=torch.uint8),
        "double": torch.randn(2, dtype=torch.float64),
    }


def craft(entries, body=b"", metadata=None):
    """A safetensors file by hand."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries | (metadata or {})).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_there_and_back(tmp_path):
    given, record = variety(), {"step": 3, "names": ["a", "\u00e9"], "share": 0.1}
    (tmp_path / "f").write_bytes(pack(given, record))
    found, found_record = unpack(tmp_path / "f")
    assert found_record == record
    assert found.keys() == given.keys()
    for name, tensor in given.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
        assert found[name].is_contiguous() and not found[name].requires_grad
    found["tied.a"].zero_()
    assert found["tied.b"].abs().sum() > 0


def test_others_can_read_it_and_no_record_is_none(tmp_path):
    (tmp_path / "f").write_bytes(pack(variety()))
    with safetensors.safe_open(tmp_path / "f", "pt") as file:
        assert torch.equal(file.get_tensor("conv"), variety()["conv"])
    assert unpack(tmp_path / "f")[1] is None
    assert unpack_bytes(safetensors.torch.save({"w": torch.ones(2)}), "foreign")[1] is None


def test_the_same_content_gives_the_same_bytes():
    assert pack(variety(), {"b": 1, "a": 2}) == pack(variety(), {"a": 2, "b": 1})


def test_bit_flips_change_nothing_unseen():
    chance = random.Random(7)
    good = pack({"w": torch.randn(64, 4), "n": torch.tensor(3)}, {"kind": "x"})
    for _ in range(300):
        bit = chance.randrange(8 * len(good))
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            _, record = unpack_bytes(bytes(damaged), "f")
        except CheckpointCorrupt:
            continue
        assert record is None, f"bit {bit}"  # the word `sagan` itself was hit: the file passes for a foreign one


def test_headers_of_every_length_load():
    # One length in 32 begins with the byte that a pickle begins with.
    firsts = {pack({"w": torch.ones(1)}, {"filler": "x" * length})[0] for length in range(256)}
    assert 0x80 in firsts
    for length in range(256):
        assert unpack_bytes(pack({"w": torch.ones(1)}, {"filler": "x" * length}), "f")[1] == {"filler": "x" * length}


def test_truncations_are_seen():
    good = pack({"w": torch.randn(16)}, {})
    for length in range(0, len(good), 7):
        with pytest.raises(CheckpointCorrupt, match="f:"):
            unpack_bytes(good[:length], "f")
    with pytest.raises(CheckpointCorrupt):
        unpack_bytes(good + b"\0", "f")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_non_finite_numbers_are_neither_saved_nor_loaded(value, dtype):
    poisoned = {"fine": torch.ones(2), "layer.weight": torch.tensor([1.0, value], dtype=dtype)}
    with pytest.raises(NumericError, match=r"layer.weight"):
        pack(poisoned)
    payload = pack(poisoned, allow_nonfinite=True)
    with pytest.raises(CheckpointCorrupt, match=r"tensor layer.weight holds values that are not finite"):
        unpack_bytes(payload, "f")
    assert unpack_bytes(payload, "f", allow_nonfinite=True)[0].keys() == poisoned.keys()


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)} | more


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "only 0 bytes"),
        ((2**63).to_bytes(8, "little") + b"{}", "a header of"),
        ((header.MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b" " * 64, "a header of"),
        (craft(b"[]"), "not an object"),
        (craft(b'{"a": {"dtype": "U8", "dtype": "U8", "shape": [], "data_offsets": [0, 1]}}', b"x"), "stands twice"),
        (craft(b'{"a": 1, "a": 1}'), "stands twice"),
        (craft({"a": entry()}, bytes(7)), "7 bytes of numbers, where the header promises 8"),
        (craft({"a": entry()}, bytes(9)), "9 bytes of numbers"),
        (craft({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "gap or overlap"),
        (craft({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)), "gap or overlap"),
        (craft({"a": entry(shape=(3,))}, bytes(8)), "does not fill its 12 bytes"),
        (craft({"a": entry(shape=(-2,))}, bytes(8)), "impossible shape"),
        (craft({"a": entry(shape=(2.0,))}, bytes(8)), "impossible shape"),
        (craft({"a": entry(shape=[1] * 9, offsets=(0, 4))}, bytes(4)), "impossible shape"),
        (craft({"a": entry(shape=(2**40, 2**40))}, bytes(8)), "does not fill"),
        (craft({"a": entry(dtype="C64", shape=(1,))}, bytes(8)), "has the type 'C64'"),
        (craft({"a": entry(dtype=["F32"])}, bytes(8)), "has the type"),
        (craft({"a": entry(extra=1)}, bytes(8)), "is not described by"),
        (craft({"": entry()}, bytes(8)), "a tensor named ''"),
        (craft({"a\x1b[2J": entry()}, bytes(8)), "a tensor named"),
        (craft({"n" * 513: entry()}, bytes(8)), "a tensor named"),
        (craft({"__metadata__": {"sagan": 3}}), "not a table of texts"),
        (craft({"__metadata__": []}), "not a table of texts"),
        (craft({"__metadata__": {"sagan": "{}"}}), "not a record and a hash"),
        (craft({"__metadata__": {"sagan": '{"record": [], "sha256": ""}'}}), "record is not an object"),
        (craft({"__metadata__": {"sagan": '{"record": {}, "sha256": "00"}'}}), "expected SHA-256 00 of"),
        (craft(b'{"__metadata__": ' + b"[" * 50_000), "nested deeper"),
    ],
)
def test_faulty_files(payload, words):
    with pytest.raises(CheckpointCorrupt, match=words) as caught:
        unpack_bytes(payload, "f.safetensors")
    assert str(caught.value).startswith("f.safetensors: ") and "\n" not in str(caught.value)


def test_too_many_tensors(monkeypatch):
    monkeypatch.setattr(header, "MAX_TENSORS", 2)
    with pytest.raises(CheckpointCorrupt, match="3 tensors, above the limit of 2"):
        unpack_bytes(pack({name: torch.zeros(1) for name in "abc"}), "f")


def test_a_record_is_strict_json():
    for text in ('{"record": {"a": 1, "a": 2}, "sha256": ""}', '{"record": {"a": NaN}, "sha256": ""}'):
        with pytest.raises(CheckpointCorrupt, match="f: not strict JSON"):
            unpack_bytes(craft({"__metadata__": {"sagan": text}}), "f")


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickles_are_refused_and_never_run(tmp_path, protocol):
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Canary(tmp_path / "canary"), protocol))
    with pytest.raises(CheckpointCorrupt):
        unpack(tmp_path / "evil.safetensors")
    torch.save({"a": Canary(tmp_path / "canary")}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointCorrupt, match=r"a pickle or a zip of one.*never opened here"):
        unpack(tmp_path / "evil.pt")
    assert not (tmp_path / "canary").exists()


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(CheckpointMissing, match="no such file"):
        unpack(tmp_path / "none")
    with pytest.raises(CheckpointCorrupt, match="is a folder|not a regular file"):
        unpack(tmp_path)
    (tmp_path / "big").write_bytes(pack({"w": torch.zeros(100)}))
    with pytest.raises(CheckpointCorrupt, match="above the limit of 99"):
        unpack(tmp_path / "big", max_bytes=99)
    if hasattr(os, "getuid") and os.getuid() != 0:
        (tmp_path / "big").chmod(0)
        with pytest.raises(ResourceError, match="permission denied"):
            unpack(tmp_path / "big")


def test_unstorable_tensors_are_our_own_mistake():
    for tensor in (torch.eye(2).to_sparse(), torch.zeros(2, dtype=torch.complex64)):
        with pytest.raises(ValueError, match="w: a .* cannot be stored"):
            pack({"w": tensor})
