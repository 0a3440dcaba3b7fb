"""G8: mutated and crafted files of checkpoints."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofs.corpus import CLASSES, CPU, NEWER, put, resealed, write_run
from proofs.fuzzing import NUMBERS, SPITEFUL, TEXTS, craft, endures, mutate_bytes, mutate_head, mutate_value
from proofs.memory import MIB, MemoryWatch
from proofs.outcome import Outcome
from sagan.checkpoint.folder import read_folder, step_folder
from sagan.checkpoint.manifest import MANIFEST, digest
from sagan.checkpoint.retention import BEST, read_best
from sagan.checkpoint.tensors import RECORD_KEY, pack, unpack_bytes
from sagan.errors import CheckpointCorrupt
from sagan.runtime import tune_allocator
from sagan.training.state import GENERATOR, MODEL, STATE, read_state
from sagan.workflows.openers import open_generator

CLAIM = (
    "Mutated and crafted tensor files, manifests, states and generator files give a checkpoint or one of our errors,"
    " each within two seconds and 512 MiB"
)
QUICK = 2_000
FULL = 200_000

MOST_MEMORY = 512 * MIB
BEST_TEXT = b'{\n  "protocol": "structure",\n  "step": 2,\n  "value": 0.5\n}\n'

Case = tuple[str, bytes]


@dataclass
class Readers:
    """Each kind of file, and what the library does with its bytes when it meets them."""

    run: Path
    alone: Path

    def read(self, kind: str, payload: bytes) -> None:
        folder = step_folder(self.run, NEWER)
        if kind == "tensors":
            unpack_bytes(payload, MODEL)
        elif kind == "state":
            read_state(payload, STATE)
        elif kind == "manifest":
            put(folder, {MANIFEST: payload})
            read_folder(folder)
        elif kind == "best":
            put(self.run, {BEST: payload})
            read_best(self.run)
        else:
            self.alone.write_bytes(payload)
            open_generator(self.alone, runtime=CPU)


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Every crafted file once, then mutated ones up to the count."""
    tune_allocator()  # as every command does: memory that is asked for and not used is then really taken
    chance, run = random.Random(seed), write_run(workspace / "run")
    readers = Readers(run, workspace / "alone.safetensors")
    files = {path.name: path.read_bytes() for path in step_folder(run, NEWER).iterdir()}
    outcome, cases = Outcome(), _all_cases(files, chance)
    with MemoryWatch() as memory:
        while outcome.tried < count:
            kind, payload = next(cases)
            accepted, broken = endures(lambda kind=kind, payload=payload: readers.read(kind, payload))  # type: ignore[misc]
            if (grown := memory.most()) > MOST_MEMORY:
                broken = f"took {grown / MIB:.0f} MiB of memory"
                memory.forget()
            outcome.note(None if broken is None else f"{kind} {outcome.tried}: {broken}; {payload[:60]!r}")
            outcome.count(kind)
            outcome.count("accepted", accepted)
    return outcome


def _all_cases(files: dict[str, bytes], chance: random.Random) -> Iterator[Case]:
    yield from crafted(files)
    mutators = (_tensors, _headers, _manifests, _states, _generators, _records, _best)
    while True:
        yield chance.choice(mutators)(files, chance)


def _tensors(files: dict[str, bytes], chance: random.Random) -> Case:
    return "tensors", mutate_bytes(files[MODEL], list(files.values()), chance)


def _headers(files: dict[str, bytes], chance: random.Random) -> Case:
    """The header's JSON, as text and as a tree; the seal is dropped, or it would speak first."""
    payload, length = files[MODEL], int.from_bytes(files[MODEL][:8], "little")
    if chance.random() < 0.5:
        return "tensors", mutate_head(payload, list(files.values()), chance)
    header = json.loads(payload[8 : 8 + length])
    del header["__metadata__"]
    few = dict(chance.sample(sorted(header.items()), 3)) if chance.random() < 0.5 else header
    return "tensors", craft(mutate_value(few, chance), payload[8 + length :])


def _manifests(files: dict[str, bytes], chance: random.Random) -> Case:
    if chance.random() < 0.3:
        return "manifest", mutate_bytes(files[MANIFEST], list(files.values()), chance)
    facts = mutate_value(json.loads(files[MANIFEST]), chance)
    try:
        return "manifest", resealed(facts)
    except (ValueError, AttributeError, TypeError, CheckpointCorrupt):  # no longer an object, or no longer JSON of ours
        return "manifest", json.dumps(facts).encode()


def _states(files: dict[str, bytes], chance: random.Random) -> Case:
    if chance.random() < 0.5:
        return "state", mutate_bytes(files[STATE], list(files.values()), chance)
    return "state", json.dumps(mutate_value(json.loads(files[STATE]), chance)).encode()


def _generators(files: dict[str, bytes], chance: random.Random) -> Case:
    mutate = chance.choice((mutate_bytes, mutate_head))
    return "generator", mutate(files[GENERATOR], list(files.values()), chance)


def _records(files: dict[str, bytes], chance: random.Random) -> Case:
    """A record that is a lie, sealed as if it were true."""
    tensors, record = unpack_bytes(files[GENERATOR], GENERATOR)
    lie = mutate_value(record, chance)
    try:
        return "generator", pack(tensors, lie)
    except (ValueError, CheckpointCorrupt):  # a value that our JSON does not write
        return "generator", craft({"__metadata__": {RECORD_KEY: json.dumps({"record": lie, "sha256": "0" * 64})}})


def _best(files: dict[str, bytes], chance: random.Random) -> Case:
    return "best", mutate_bytes(BEST_TEXT, [BEST_TEXT], chance)


def crafted(files: dict[str, bytes]) -> Iterator[Case]:
    """Every file that somebody thought of, once."""
    for text in (*SPITEFUL, *_bad_json()):
        yield from ((kind, text) for kind in ("tensors", "manifest", "state", "best", "generator"))
        yield "tensors", craft(text)
        inside = json.dumps(text.decode("utf-8", "surrogateescape"))
        yield "generator", craft(f'{{"__metadata__": {{"{RECORD_KEY}": {inside}}}}}'.encode())
    yield from (("tensors", payload) for payload in _bad_tensors())
    yield from (("manifest", payload) for payload in _bad_manifests(json.loads(files[MANIFEST])))
    yield from (("generator", payload) for payload in _bad_records(files[GENERATOR]))


def _bad_json() -> Iterator[bytes]:
    """Texts that exhaust or mislead a reader of JSON."""
    many = ", ".join(f'"{key}": 0' for key in range(100_000)).encode()
    yield from (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 900 + b"]" * 900,
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
    )
    yield from (b"[" + b"0," * 4_000_000 + b"0]", b"[" + b"[]," * 300_000 + b"0]", b'"' + b"x" * (9 << 20) + b'"')
    yield from (b"{" + many + b"}", b"{" + many + b', "99999": 1}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\x80\x04N.")
    yield from (b"PK\x03\x04" + bytes(60), b"\x80\x04\x95" + b"\xff" * 8, b"", b"{", b"\xff\xfe{\x00}\x00")


def _entry(dtype: object, shape: object, offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _bad_tensors() -> Iterator[bytes]:
    good = _entry("F32", [2], [0, 8])
    yield from (craft({"a": good}, bytes(8), length) for length in (0, 1, 2**31, 2**62, 2**63, 2**64 - 1))
    yield craft({"a": good, "b": _entry("F32", [2], [4, 12])}, bytes(12))
    yield craft({"a": good, "b": good}, bytes(8))
    yield craft({"a": _entry("F32", [2], [8, 0])}, bytes(8))
    yield craft({"a": _entry("F32", [2], [2**64 - 8, 2**64])}, bytes(8))
    yield craft(b'{"a": %s, "a": %s}' % ((json.dumps(good).encode(),) * 2), bytes(8))
    yield from (
        craft({"a": _entry(kind, [2], [0, 8])}, bytes(8)) for kind in ("F128", "C64", "F8_E5M2", "f32", "", 3, None, [])
    )
    for number in NUMBERS:
        yield craft({"a": _entry("F32", [number], [0, 8])}, bytes(8))
        yield craft({"a": _entry("F32", [number, 0], [0, 0])})
        yield craft({"a": _entry("F32", [number, number, 0, number], [0, 0])})
        yield craft({"a": _entry("F32", [2], [0, number])}, bytes(8))
    yield from (craft({name: good}, bytes(8)) for name in TEXTS)
    empty = json.dumps(_entry("U8", [0], [0, 0])).encode()
    for tensors in (65_537, 1_000_000):
        yield craft(b"{" + b",".join(b'"%d":%s' % (number, empty) for number in range(tensors)) + b"}")
    yield craft({"a": _entry("F32", [1] * 100_000, [0, 4])}, bytes(4))


def _bad_manifests(good: dict[str, Any]) -> Iterator[bytes]:
    entry = good["files"][STATE]
    names = (
        "../x.json", "/etc/x.json", "a/b.json", "a\\b.json", "x\x00.json", "C:\\x.json", "manifest.json", ".json", "A.JSON",
        "x.pkl", "state.json ", "state.json\n", "\u202ex.json", "x" * 70 + ".json", "..", "~.json", "s\u0131.json",
    )  # fmt: skip
    yield from (resealed(good | {"files": good["files"] | {name: entry}}) for name in names)
    for value in (*NUMBERS, None, True, [], {}, "x"):
        yield resealed(good | {"step": value})
        yield resealed(good | {"schema": value})
        yield resealed(good | {"files": good["files"] | {STATE: entry | {"bytes": value}}})
        yield resealed(good | {"files": {STATE: value}})
        yield resealed(good | {"library": value})
    yield resealed(good | {"files": {f"f{number}.json": entry for number in range(65)}})
    yield from (
        resealed(good | {"files": good["files"] | {STATE: entry | {"sha256": text}}})
        for text in ("", "0" * 64, "F" * 64)
    )
    yield resealed(good | {"files": good["files"] | {STATE: {"bytes": 0, "sha256": digest(b"")}}})


def _bad_records(generator: bytes) -> Iterator[bytes]:
    tensors, record = unpack_bytes(generator, GENERATOR)
    assert record is not None
    largest = record["model"] | {"resolution": 512, "g_ch": 1024, "d_ch": 1024, "g_attn": [], "d_attn": []}
    yield pack(tensors, record | {"model": largest})
    yield pack(tensors, record | {"model": largest | {"g_ch": 2**40}})
    yield pack(tensors, record | {"classes": ["x"] * 100_000})
    yield pack(tensors, record | {"model": largest, "classes": ["x"] * 100_000})
    yield pack(tensors, record | {"classes": [*CLASSES, "one more"]})
    for name, value in itertools.product(record["model"], (-1, 2**40, "x" * 513, None)):
        yield pack(tensors, record | {"model": record["model"] | {name: value}})
