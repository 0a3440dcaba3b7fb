"""The fuzzing proofs notice a reader that lets something else through, is slow, or answers with another record."""

from __future__ import annotations

import json
import random
import time

from proofs import fuzz_checkpoints, fuzz_records, fuzzing

from sagan.config import toml
from sagan.errors import ConfigError, SaganError


def raising(error):
    def call():
        raise error

    return call


def test_only_our_own_errors_pass():
    assert fuzzing.endures(lambda: 1) == (True, None)
    assert fuzzing.endures(raising(ConfigError("no"))) == (False, None)
    for error in (ValueError("x"), RecursionError(), MemoryError(), SystemExit(2), AssertionError(), UserWarning("w")):
        accepted, broken = fuzzing.endures(raising(error))
        assert not accepted and broken.startswith(f"raised {type(error).__name__}")
    assert fuzzing.endures(raising(SaganError("our own fault")))[1] is not None


def test_slowness_is_noticed(monkeypatch):
    monkeypatch.setattr(fuzzing, "MAX_SECONDS", 0.01)

    def busy():
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass

    assert "of processor time" in fuzzing.endures(busy)[1]


def test_equal_seeds_give_equal_changes():
    payload = bytes(range(256))
    for mutate in (fuzzing.mutate_bytes, fuzzing.mutate_head):
        made = [[mutate(payload, [payload], random.Random(seed)) for seed in range(40)] for _ in range(2)]
        assert made[0] == made[1] and len(set(made[0])) > 30
    tree = {"a": [1, {"b": "c"}], "d": None}
    trees = [repr(fuzzing.mutate_value(tree, random.Random(seed))) for seed in range(40)]
    assert len(set(trees)) > 20 and tree == {"a": [1, {"b": "c"}], "d": None}


def test_a_lax_reader_of_json_is_noticed(tmp_path, monkeypatch):
    """Python's own raises what is not ours, and takes NaN."""
    monkeypatch.setattr(fuzz_checkpoints, "read_state", lambda payload, where: json.loads(payload))
    lines = fuzz_checkpoints.prove(450, 0, tmp_path).failures
    assert lines and all(line.startswith("state ") for line in lines)
    assert any("raised RecursionError" in line for line in lines)


def test_a_toml_reader_without_caps_is_noticed(tmp_path, monkeypatch):
    """20,000 dotted parts take the parser seconds."""
    monkeypatch.setattr(toml, "_check_caps", lambda *given: None)
    place = list(fuzz_records.crafted()).index(b"a" + b".a" * 20_000 + b" = 1")
    monkeypatch.setattr(fuzz_records, "crafted", lambda crafted=fuzz_records.crafted: iter([list(crafted())[place]]))
    (line,) = fuzz_records.prove(1, 0, tmp_path).failures
    assert "of processor time" in line


def test_a_record_that_changes_when_it_is_written_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz_records, "to_toml", lambda config: "[training]\nseed = 987654321")
    lines = fuzz_records.prove(600, 0, tmp_path).failures
    assert any("another record after writing and reading" in line for line in lines)
