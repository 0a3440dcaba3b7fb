"""ONNX Runtime and OpenVINO draw what torch draws. Skipped where the extras `onnx` and `openvino` are not installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sagan.engines import export
from sagan.engines.choose import open_engine
from sagan.engines.fold import fold
from sagan.errors import ConfigError
from sagan.layers.attention import ATTENTION, SelfAttention2d
from sagan.models.config import ModelConfig
from sagan.runtime import Runtime
from sagan.sampling import INNER_BATCH, draw

NEEDED = {"onnxruntime": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino", "onnx", "onnxscript")}
ENGINES = [
    pytest.param(
        name, marks=pytest.mark.skipif(not all(map(find_spec, packages)), reason=f"needs {' and '.join(packages)}")
    )
    for name, packages in NEEDED.items()
]
CPU = Runtime(torch.device("cpu"), 1)
SMALL = ModelConfig(resolution=16, g_ch=16, z_dim=12)
MOST_APART = 3e-5  # of [-1, 1], as in test_fold.py


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("options", "classes"),
    [
        ({}, 0),
        ({}, 3),
        ({"attention": "heykeetae", "channels": 4}, 3),
        ({"attention": "paper", "g_attn": (16,), "channels": 1}, 0),
        ({"resolution": 64, "g_attn": (64,)}, 0),
        ({"architecture": "sngan-cnn"}, 3),
        ({"architecture": "dcgan"}, 0),
    ],
    ids=str,
)
def test_the_same_pictures_in_any_batch(name, options, classes, like_trained, inputs):
    made = ModelConfig.model_validate({**SMALL.model_dump(exclude={"g_attn", "d_attn"}), **options})
    generator = like_trained(made, classes)
    engine = open_engine(name, generator, CPU, "fp32")
    for count in (1, 5, 16):
        latents, labels = inputs(generator, count)
        with torch.no_grad():
            live = generator(latents, labels)
        drawn = engine(latents, labels)
        assert drawn.dtype == torch.float32 and drawn.shape == live.shape
        assert (drawn - live).abs().max() <= MOST_APART, count


@pytest.mark.parametrize("name", ENGINES)
def test_one_seed_is_one_picture_in_any_batch_and_order(name, like_trained):
    generator = like_trained(SMALL, 3)
    engine = open_engine(name, generator, CPU)
    seeds = [5, 0, 2**63 - 1, *range(100, 100 + INNER_BATCH), 7]
    together = draw(generator, seeds, engine=engine)
    for place in (0, 2, 9, 19):
        assert np.array_equal(draw(generator, seeds[place : place + 1], engine=engine)[0], together[place])
    again = open_engine(name, generator, CPU)
    assert np.array_equal(draw(generator, seeds[::-1], engine=again), together[::-1])
    live = draw(generator, seeds).astype(int)
    assert np.abs(live - together).max() <= 1 and (live != together).mean() < 1e-3


class Mine(SelfAttention2d):
    def branch(self, x):
        return super().branch(x).flip(2)


@pytest.mark.parametrize("name", ENGINES)
def test_attention_of_somebodys_own(name, like_trained, inputs, monkeypatch):
    monkeypatch.setitem(ATTENTION, "mine", lambda channels, parts: Mine(channels, parts=parts))
    generator = like_trained(SMALL.model_copy(update={"attention": "mine"}))
    latents, _ = inputs(generator)
    with torch.no_grad():
        live = generator(latents)
    assert (open_engine(name, generator, CPU)(latents) - live).abs().max() <= MOST_APART


@pytest.mark.parametrize("name", ENGINES)
def test_labels_are_asked_for(name, like_trained):
    engine = open_engine(name, like_trained(SMALL, 3), CPU)
    with pytest.raises(ConfigError, match="called without labels"):
        engine(torch.zeros(1, 12))


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_is_said_and_nothing_written(name, like_trained, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_engine(name, like_trained(SMALL), CPU)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_too_large_for_the_format(like_trained, monkeypatch):
    monkeypatch.setattr(export, "LARGEST", 1000)
    with pytest.raises(ConfigError, match="GiB of weights, too many for an ONNX model .* Use --engine torch.$"):
        export.to_onnx(fold(like_trained(SMALL)), 12)
