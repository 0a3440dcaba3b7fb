"""The ancestors through the whole verb: train, draw, resume bit for bit, whatever the loss, optimiser and networks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.folder import step_folder
from sagan.presets import preset
from sagan.training.reporting import read_log
from sagan.workflows.openers import open_generator
from sagan.workflows.sample import sample
from sagan.workflows.train import train

NARROW = {"g_ch": 8, "d_ch": 8, "batch_size": 8, "threads": 1, "device": "cpu", "save_every": 0, "sample_every": 1000}
ANCESTORS = ("gan-32", "wgan-32", "wgan-gp-32", "sngan-32", "heykeetae-64")
EXTRA = {
    "relativistic with lazy R1 and R2": (
        "sagan-32",
        {"loss": "relativistic", "r1": 1.0, "r2": 0.5, "penalty_every": 3},
    ),
    "penalty through attention, layer norm, bf16": (
        "wgan-gp-32",
        {"g_attn": 16, "d_attn": 8, "d_norm": "layer", "precision": "bf16"},
    ),
    "48 pixels, one channel, the paper's block": ("sagan-32", {"resolution": 48, "channels": 1, "attention": "paper"}),
    "fakes as often as in the data": ("sagan-32", {"fake_labels": "data"}),
}
FILES = ("generator.safetensors", "model.safetensors", "optimiser.safetensors")


def record(name, photos, out, **options):
    training = preset(name).training
    fakes = 2 * 8 if training.g_batch else 0
    decay = 6 if training.decay_steps else 0  # so that a rate forgotten on resume would show
    return preset(
        name, **{**NARROW, "g_batch": fakes, "decay_steps": decay, "data": str(photos), "out": str(out), **options}
    )


def tensors(run, step):
    return [(step_folder(run, step) / name).read_bytes() for name in FILES]


SLOW = ("heykeetae-64", "wgan-gp-32")  # ten seconds and more; EXTRA has a penalty through every part too


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.nightly] * (case in SLOW)) for case in (*ANCESTORS, *EXTRA)]
)
def test_trained_drawn_and_resumed_bit_for_bit(tmp_path, photos, case):
    name, options = EXTRA.get(case, (case, {}))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(record(name, photos, whole, steps=4, log_every=1, **options))
    train(record(name, photos, broken, steps=3, **options))
    train(record(name, photos, broken, steps=4, **options))
    assert tensors(whole, 4) == tensors(broken, 4)

    rows = [row for row in read_log(whole / "log.jsonl") if "loss/generator" in row]
    assert len(rows) == 4 and all(math.isfinite(row["loss/discriminator"]) for row in rows)
    config = record(name, photos, whole, **options)
    assert any("loss/penalty" in row for row in rows) is config.training.penalised

    opened = open_generator(whole)
    assert (len(opened.record.classes) == 0) is (config.data.cond == "off")
    drawn = tmp_path / "grid.png"
    sample(whole, n=4, out=drawn)
    picture = np.asarray(Image.open(drawn).convert("RGB"))
    assert min(picture.shape[:2]) >= config.model.resolution and picture.std() > 1


def test_emblems_are_scored_without_classes_too(tmp_path):
    out = tmp_path / "run"
    train(record("gan-32", "emblems", out, steps=1))
    scored = [row for row in read_log(out / "log.jsonl") if "score/structure" in row]
    assert len(scored) == 1 and 0 <= scored[0]["score/silhouette"] <= 1
    assert json.loads((out / "best.json").read_text())["step"] == 1
