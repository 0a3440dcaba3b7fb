"""A folded generator as data draws the generator's pictures, read by functions that know nothing of the fold."""

from __future__ import annotations

import json

import pytest
import torch

from sagan.engines.export import Watched, attention_names
from sagan.engines.fold import fold
from sagan.engines.interpret import interpret
from sagan.engines.recipe import recipe
from sagan.errors import ConfigError
from sagan.layers.attention import ATTENTION, SelfAttention2d, attention_layers, record_inputs
from sagan.models.config import ModelConfig
from sagan.presets import PRESETS, preset

SMALL = ModelConfig(resolution=16, g_ch=16, z_dim=12)
MOST_APART = 3e-5  # of [-1, 1], as in test_fold.py


@torch.no_grad()
def live(generator, latents, labels):
    """Pictures and attention maps of the generator itself."""
    layers = attention_layers(generator, "G")
    inputs, pictures = record_inputs(layers, lambda: generator(latents, labels))
    return pictures, {name: layer.weights(inputs[name]) for name, layer in layers.items()}


def assert_draws_the_same(generator, latents, labels):
    made = recipe(fold(generator))
    expected, their_maps = live(generator, latents, labels)
    pictures, maps = interpret(json.loads(json.dumps(made.operations)), made.tensors, latents, labels)
    assert expected.std() > 0.05, "pictures that say nothing"
    assert (pictures - expected).abs().max() <= MOST_APART
    assert maps.keys() == their_maps.keys()
    for name, rows in their_maps.items():
        assert maps[name].shape == rows.shape and (maps[name] - rows).abs().max() <= MOST_APART
    return made


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(name, classes, like_trained, inputs):
    generator = like_trained(preset(name, g_ch=8, d_ch=8).model, classes)
    made = assert_draws_the_same(generator, *inputs(generator, 3))
    assert made.operations[-1]["shape"] == [3, generator.resolution, generator.resolution]


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "paper"},
        {"attention": "heykeetae", "g_attn": (8, 16)},
        {"g_attn": ()},
        {"channels": 1},
        {"channels": 4},
        {"resolution": 24},
        {"g_up": "bilinear"},
        {"g_latent": "norms"},
        {"architecture": "sngan-cnn", "g_attn": (4, 16)},
    ],
    ids=str,
)
def test_every_part(options, like_trained, inputs):
    model = ModelConfig.model_validate({**SMALL.model_dump(exclude={"g_attn", "d_attn"}), **options})
    generator = like_trained(model, 3)
    assert_draws_the_same(generator, *inputs(generator, 3))


def test_pooled_values_without_an_output_convolution(like_trained, inputs, monkeypatch):
    """Their gamma is a scale behind the mixing: it may be negative, and then does not pass through the maximum."""
    made = lambda channels, parts: SelfAttention2d(channels, v_ratio=1, project=False, scale=0.3, parts=parts)  # noqa: E731
    monkeypatch.setitem(ATTENTION, "mine", made)
    generator = like_trained(SMALL.model_copy(update={"attention": "mine"}), 3)
    kinds = [step["kind"] for step in assert_draws_the_same(generator, *inputs(generator)).operations]
    assert kinds.count("max_pool") == 2 and kinds[kinds.index("attention") + 1] == "scale"


def test_names_and_shapes_are_those_of_the_network(like_trained):
    """What is not folded away keeps its name; every operation says its result's shape."""
    generator = like_trained(SMALL, 3)
    made = recipe(fold(generator))
    network = {name.replace("parametrizations.", "").replace(".original", "") for name in generator.state_dict()}
    for name in ("stem.weight", "blocks.1.conv2.bias", "attention.8.query.weight", "output.weight"):
        assert name in made.tensors and name.rpartition(".")[0] in {known.rpartition(".")[0] for known in network}
    assert made.tensors["blocks.0.norm1.scale"].shape == (3, 16)
    assert {tensor.dtype for tensor in made.tensors.values()} == {torch.float32}
    used = {step[part] for step in made.operations for part in ("weight", "bias", "scale", "shift") if part in step}
    assert used == made.tensors.keys()
    for number, step in enumerate(made.operations):
        assert all(of < number for of in step["of"])


class Mine(SelfAttention2d):
    pass


def test_attention_of_somebodys_own_is_code_and_no_data(like_trained, monkeypatch):
    monkeypatch.setitem(ATTENTION, "mine", lambda channels, parts: Mine(channels, parts=parts))
    folded = fold(like_trained(SMALL.model_copy(update={"attention": "mine"})))
    assert attention_names(folded) == []
    with pytest.raises(ConfigError, match="somebody's own cannot be written as data. Use --to onnx"):
        recipe(folded)


@pytest.mark.parametrize("options", [{}, {"attention": "heykeetae", "g_attn": (8, 16)}], ids=str)
def test_a_watched_generator_gives_its_maps(options, like_trained, inputs):
    generator = like_trained(SMALL.model_copy(update=options), 3)
    latents, labels = inputs(generator)
    folded = fold(generator)
    expected, their_maps = live(generator, latents, labels)
    pictures, *maps = Watched(folded)(latents, labels)
    assert attention_names(folded) == list(their_maps)
    assert (pictures - expected).abs().max() <= MOST_APART
    for rows, theirs in zip(maps, their_maps.values(), strict=True):
        assert rows.shape == theirs.shape and (rows - theirs).abs().max() <= MOST_APART


def test_an_operation_nobody_knows(like_trained, inputs):
    made = recipe(fold(like_trained(SMALL)))
    with pytest.raises(ValueError, match="there is no operation 'sing'"):
        interpret([*made.operations, {"kind": "sing", "of": [0]}], made.tensors, torch.zeros(1, 12))
