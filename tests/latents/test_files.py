from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.checkpoint.tensors import pack
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing
from sagan.latents.directions import Directions
from sagan.latents.files import (
    DirectionsRecord,
    LatentsRecord,
    load_directions,
    load_latents,
    save_directions,
    save_latents,
)

FOUND = Directions(np.eye(2, 5, dtype=np.float32), np.array([0.5, 0.25]), np.array([1.0, 0.5]))
RECORD = DirectionsRecord(z_dim=5, generator="ab", method="principal", layer=1, made="step 7")


def test_directions_come_back(tmp_path):
    save_directions(tmp_path / "d.safetensors", FOUND, RECORD)
    found, record = load_directions(tmp_path / "d.safetensors")
    assert record == RECORD
    for name in ("vectors", "shares", "straight"):
        assert np.array_equal(getattr(found, name), getattr(FOUND, name))


def test_latents_come_back_with_and_without_classes(tmp_path):
    latents, labels = np.arange(10, dtype=np.float32).reshape(2, 5), np.array([1, 0])
    record = LatentsRecord(z_dim=5, generator="ab", classes=("cat", "dog"))
    save_latents(tmp_path / "a.safetensors", latents, labels, record)
    found = load_latents(tmp_path / "a.safetensors")
    assert np.array_equal(found.latents, latents) and found.labels.tolist() == [1, 0] and found.record == record
    save_latents(tmp_path / "b.safetensors", latents, None, LatentsRecord(z_dim=5, generator="ab"))
    assert load_latents(tmp_path / "b.safetensors").labels is None


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "d.safetensors"
    with pytest.raises(CheckpointMissing):
        load_directions(path)
    save_directions(path, FOUND, RECORD)
    with pytest.raises(CheckpointIncompatible, match="not one of latents of sagan"):
        load_latents(path)
    payload = bytearray(path.read_bytes())
    payload[-1] ^= 1
    path.write_bytes(payload)
    with pytest.raises(CheckpointCorrupt):
        load_directions(path)


@pytest.mark.parametrize(
    ("tensors", "facts", "error"),
    [
        ({"latents": torch.zeros(2, 4)}, {}, CheckpointCorrupt),
        ({"latents": torch.zeros(0, 5)}, {}, CheckpointCorrupt),
        ({"latents": torch.zeros(2, 5).double()}, {}, CheckpointCorrupt),
        ({}, {}, CheckpointCorrupt),
        ({"latents": torch.zeros(2, 5)}, {"classes": ["cat"]}, CheckpointCorrupt),
        ({"latents": torch.zeros(2, 5), "labels": torch.ones(2).long()}, {"classes": ["cat"]}, CheckpointCorrupt),
        ({"latents": torch.zeros(2, 5)}, {"schema_version": 2}, CheckpointIncompatible),
        ({"latents": torch.zeros(2, 5)}, {"surprise": 1}, CheckpointCorrupt),
    ],
)
def test_a_file_that_is_not_what_it_says(tmp_path, tensors, facts, error):
    record = LatentsRecord(z_dim=5, generator="ab").model_dump(mode="json") | facts
    path = tmp_path / "x.safetensors"
    path.write_bytes(pack(tensors, record))
    with pytest.raises(error, match="x.safetensors"):
        load_latents(path)
