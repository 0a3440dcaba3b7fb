"""One file, complete by itself, whose record is checked before it is believed."""

from __future__ import annotations

import pytest
import torch

from sagan.checkpoint.generator_file import (
    SCHEMA,
    GeneratorRecord,
    pack_generator,
    parse_generator,
    read_generator,
    save_generator,
)
from sagan.checkpoint.tensors import pack
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing
from sagan.models.config import ModelConfig

RECORD = GeneratorRecord(
    model=ModelConfig(resolution=64, g_attn=(16, 32), d_attn=()),
    classes=("crab", "f\u00eate", "../x"),
    step=1234,
    seed=2**63 - 1,
    data_name="photos",
    data_fingerprint="ab" * 32,
)
TENSORS = {"linear.weight": torch.arange(12.0).reshape(3, 4)}


def test_there_and_back(tmp_path):
    save_generator(tmp_path / "sub" / "generator.safetensors", TENSORS, RECORD)
    record, tensors = read_generator(tmp_path / "sub" / "generator.safetensors")
    assert record == RECORD
    assert torch.equal(tensors["linear.weight"], TENSORS["linear.weight"])
    assert parse_generator(pack_generator(TENSORS, RECORD), "memory")[0] == RECORD


def changed(**changes):
    facts = RECORD.model_dump(mode="json") | changes
    return pack(TENSORS, {key: value for key, value in facts.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"step": -1}, "step"),
        ({"step": "12"}, "step"),
        ({"step": None}, "step"),
        ({"channels": 3}, "channels"),
        ({"extra": 1}, "extra"),
        ({"classes": "crab"}, "classes"),
        ({"classes": ["x" * 513]}, "classes.0"),
        ({"classes": ["x"] * 100_001}, "classes"),
        ({"model": {"resolution": 10**6}}, "model.resolution"),
        ({"model": {"g_ch": 10**9}}, "model.g_ch"),
        ({"model": {"import": "os"}}, "model.import"),
        ({"seed": 2**63}, "seed"),
    ],
)
def test_records_out_of_bounds(changes, place):
    with pytest.raises(CheckpointCorrupt, match=rf"f: its record is not valid at {place}: "):
        parse_generator(changed(**changes), "f")


@pytest.mark.parametrize("schema", [0, -1, True, "1", 1.0])
def test_a_schema_that_is_no_number(schema):
    with pytest.raises(CheckpointCorrupt, match="schema is"):
        parse_generator(changed(schema_version=schema), "f")


def test_a_future_schema_is_told_from_a_damaged_file():
    with pytest.raises(CheckpointIncompatible, match=r"schema 5 by sagan 7\.0.*Install sagan 7\.0 or newer") as caught:
        parse_generator(changed(schema_version=SCHEMA + 1, library="7.0", news=1), "f")
    assert caught.value.exit_code == 4


def test_schema_1_said_the_channels_twice():
    """It had 3 beside the model's own number, and no other value."""
    record, _ = parse_generator(changed(schema_version=1, channels=3), "f")
    assert record == RECORD
    with pytest.raises(CheckpointCorrupt, match="not valid at channels"):
        parse_generator(changed(schema_version=1, channels=4), "f")


def test_other_files_are_not_generators(tmp_path):
    for payload in (pack(TENSORS), pack(TENSORS, {"kind": "optimiser"})):
        with pytest.raises(CheckpointIncompatible, match="not a generator of sagan"):
            parse_generator(payload, "f")
    with pytest.raises(CheckpointMissing):
        read_generator(tmp_path / "none")


def test_an_open_link_to_a_generator_is_followed(tmp_path):
    save_generator(tmp_path / "g", TENSORS, RECORD)
    (tmp_path / "link").symlink_to("g")
    assert read_generator(tmp_path / "link")[0] == RECORD
