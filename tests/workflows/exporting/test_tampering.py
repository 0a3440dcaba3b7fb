"""An export that somebody changed is caught by its own check, whatever was changed."""

from __future__ import annotations

import base64
import json
import random

import pytest
import safetensors.torch
import torch

from sagan.errors import CheckpointCorrupt, CheckpointError, CheckpointIncompatible
from sagan.workflows.export import check_export, export
from sagan.workflows.exporting.forms import WAYS
from sagan.workflows.exporting.page_file import GENERATOR

SMALL_CHANGE = 1e-6  # of one number: far too little to be seen in any picture


@pytest.fixture
def exported(generator_file, tmp_path, need):
    """exported(form): (the export, its generator)."""

    def make(form, **options):
        need(form)
        source = generator_file({}, 3)
        out = tmp_path / f"out{WAYS[form].suffix}"
        export(source, form, out, **options)
        check_export(out, source)
        return out, source

    return make


def assert_refused(out, source, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        check_export(out, source)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("form", WAYS)
def test_any_changed_byte_of_any_file(form, exported):
    """Every byte counts; here forty places of each file, one at a time."""
    out, source = exported(form)
    places = random.Random(3)
    for suffix in WAYS[form].suffixes:
        path = out.with_suffix(suffix)
        whole = path.read_bytes()
        for _ in range(10 if form in ("onnx", "openvino") else 40):
            at = places.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << places.randrange(8))]) + whole[at + 1 :])
            assert_refused(out, source, f"out{suffix}|out{WAYS[form].suffix}")
        path.write_bytes(whole[: len(whole) // 2])
        assert_refused(out, source, "out")
        path.write_bytes(whole)
    check_export(out, source)


def test_a_number_of_an_onnx_model(exported):
    out, source = exported("onnx")
    import onnx
    from onnx import numpy_helper

    model = onnx.load(out)
    tensor = next(entry for entry in model.graph.initializer if len(entry.dims) == 4)
    array = numpy_helper.to_array(tensor).copy()
    array.flat[0] += SMALL_CHANGE
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, out)
    assert_refused(
        out,
        source,
        "expected SHA-256 .* of its record and network, got .* It was changed after it was written; export again.$",
    )


def test_an_onnx_model_whose_hash_was_made_anew_draws_something_else(exported):
    """Whoever knows how the record is made can make its hash fit; the pictures still tell."""
    out, source = exported("onnx", attention=True)
    import onnx
    from onnx import numpy_helper

    from sagan.workflows.exporting import onnx_file
    from sagan.workflows.exporting.record import parse_record

    content, metadata = onnx_file._parted(out.read_bytes())
    model = onnx.load_model_from_string(content)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.01, tensor.name))
    changed, _ = onnx_file._parted(model.SerializeToString())
    out.write_bytes(onnx_file._whole(changed, parse_record(json.loads(metadata["sagan"]), "onnx", out)))
    assert_refused(out, source, "it draws something else: a batch of 1 is .* Export again.$")


def test_an_onnx_model_that_wants_other_files(exported):
    out, source = exported("onnx")
    import onnx

    from sagan.workflows.exporting import onnx_file
    from sagan.workflows.exporting.record import parse_record

    onnx.save(onnx.load(out), out, save_as_external_data=True, location="numbers.bin", size_threshold=0)
    content, metadata = onnx_file._parted(out.read_bytes())
    out.write_bytes(onnx_file._whole(content, parse_record(json.loads(metadata["sagan"]), "onnx", out)))
    assert_refused(out, source, "it wants to read its numbers from other files")


def test_the_record_of_numbers(exported):
    """The seal covers the record too, so that nobody relabels classes or operations."""
    out, source = exported("safetensors")
    tensors = safetensors.torch.load_file(out)
    with safetensors.safe_open(out, "pt") as file:
        seal = json.loads(file.metadata()["sagan"])
    seal["record"]["classes"][0] = "dog"
    safetensors.torch.save_file(tensors, out, metadata={"sagan": json.dumps(seal)})
    assert_refused(out, source, "expected SHA-256 .* of its content")


def test_a_record_beside_that_says_something_else(exported):
    out, source = exported("safetensors")
    beside = out.with_suffix(".json")
    record = json.loads(beside.read_text())
    record["step"] += 1
    beside.write_text(json.dumps(record))
    assert_refused(out, source, "out.json: it differs from the record inside out.safetensors")


@pytest.mark.parametrize(
    "operation", [{"kind": "relu", "of": [999], "shape": []}, {"kind": "nonsense", "of": [0]}, {"of": [0]}, {"kind": 1}]
)
def test_operations_that_cannot_be_computed(operation, exported):
    from sagan.checkpoint.strict_json import dump_strict_json
    from sagan.checkpoint.tensors import pack, unpack

    out, source = exported("safetensors")
    tensors, facts = unpack(out)
    facts["operations"].append(operation)
    out.write_bytes(pack(tensors, facts))
    out.with_suffix(".json").write_bytes(dump_strict_json(facts, out))
    assert_refused(out, source, "out.safetensors: its operations cannot be computed")


def test_a_newer_record(exported):
    from sagan.checkpoint.tensors import pack, unpack

    out, source = exported("safetensors")
    tensors, facts = unpack(out)
    for change, message in [
        ({"schema_version": 2}, "of a newer sagan"),
        ({"latent": {}}, "not valid at latent.length"),
    ]:
        out.write_bytes(pack(tensors, facts | change))
        assert_refused(out, source, message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("default-src 'none'", "default-src *"),
        ("const PAGE = 16", "fetch('//x')  "),
        ('"classes"', '"klasses"'),
        ("</html>", "</html><script src=x></script>"),
    ],
)
def test_a_page_around_the_same_numbers(old, new, exported):
    out, source = exported("web")
    text = out.read_text()
    assert old in text
    out.write_text(text.replace(old, new, 1))
    assert_refused(out, source, "the page around its numbers was changed. Export it again.$")


def test_a_page_with_other_numbers(exported, tmp_path):
    out, source = exported("web")
    text = out.read_text()
    payload = bytearray(base64.b64decode(GENERATOR.findall(text)[0]))
    payload[-5] ^= 1
    out.write_text(GENERATOR.sub(lambda match: match[0].replace(match[1], base64.b64encode(payload).decode()), text))
    assert_refused(out, source, "expected SHA-256 .* of its content")
    out.write_text("<p>hello</p>")
    with pytest.raises(CheckpointIncompatible, match="not a page of sagan export"):
        check_export(out, source)


def test_the_page_of_another_version_says_so(exported, monkeypatch):
    from sagan.checkpoint import manifest
    from sagan.workflows.exporting import page_file

    out, source = exported("web")
    monkeypatch.setattr(page_file, "library_version", lambda: "99.0")
    out.write_text(out.read_text().replace("const PAGE = 16", "const PAGE = 61", 1))
    with pytest.raises(CheckpointCorrupt, match=f"its page was written by sagan {manifest.library_version()}"):
        check_export(out, source)


def test_a_torch_file_is_never_opened(exported, tmp_path):
    out, source = exported("safetensors")
    torch.save({"x": torch.zeros(1)}, out)
    assert_refused(out, source, "a pickle or a zip of one")
