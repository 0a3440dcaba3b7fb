"""A folded generator draws the generator's pictures: each network, each form of attention, with and without classes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from sagan.engines.fold import fold
from sagan.engines.plain import Kept, add_doubled
from sagan.errors import ConfigError
from sagan.layers.attention import ATTENTION, SelfAttention2d
from sagan.layers.norm import BatchNorm2d
from sagan.layers.resample import double
from sagan.models.config import ModelConfig
from sagan.models.residual import ResidualGenerator
from sagan.presets import PRESETS, preset
from sagan.sampling import INNER_BATCH, draw, to_pixels

SMALL = ModelConfig(resolution=16, g_ch=16, z_dim=12)
# Of [-1, 1], where a level of 255 is 8e-3. The widest is of the 128x128 networks: 1.3e-5, and both are as far from the truth.
MOST_APART = 3e-5


def models() -> dict[str, ModelConfig]:
    """The generator of every preset at a small width, each once."""
    found: dict[str, ModelConfig] = {}
    for name in PRESETS:
        model = preset(name, g_ch=8, d_ch=8).model
        if model.model_copy(update={"d_sn": True}) not in found.values():
            found[name] = model.model_copy(update={"d_sn": True})
    return found


@torch.no_grad()
def errors(generator, folded, latents, labels):
    """(of the folded one, of the generator): how far their pictures are from those in float64, and from each other."""
    truth = copy.deepcopy(generator).double()(latents.double(), labels)
    ours, live = folded(latents, labels), generator(latents, labels)
    assert ours.dtype == torch.float32 and ours.shape == live.shape
    assert truth.std() > 0.05, "pictures that say nothing"
    return [float((a - b).abs().max()) for a, b in ((ours, truth), (live, truth), (ours, live))]


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("name", models())
def test_every_preset(name, classes, like_trained, inputs):
    generator = like_trained(models()[name], classes)
    ours, live, apart = errors(generator, fold(generator), *inputs(generator))
    assert ours <= 1.5 * live + 1e-6, "folding loses exactness"
    assert apart <= MOST_APART


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"attention": "paper"},
        {"attention": "heykeetae"},
        {"g_attn": (8, 16)},
        {"g_attn": (16,), "attention": "heykeetae"},
        {"g_attn": ()},
        {"g_sn": False},
        {"channels": 1},
        {"channels": 4},
        {"bn_group": 4},
        {"g_latent": "norms"},
        {"g_latent": "norms", "architecture": "dcgan"},
        {"resolution": 24},
        {"architecture": "dcgan"},
        {"architecture": "dcgan", "g_attn": (8,)},
        {"architecture": "sngan-cnn"},
        {"architecture": "sngan-cnn", "g_attn": (4, 16), "attention": "paper"},
        {"architecture": "heykeetae", "channels": 4},
    ],
    ids=str,
)
def test_every_part(options, classes, like_trained, inputs):
    generator = like_trained(
        ModelConfig.model_validate({**SMALL.model_dump(exclude={"g_attn", "d_attn"}), **options}), classes
    )
    ours, live, apart = errors(generator, fold(generator), *inputs(generator))
    assert ours <= 1.5 * live + 1e-6
    assert apart <= MOST_APART


def test_the_large_map_takes_the_fused_kernel(like_trained, inputs, monkeypatch):
    """64x64 queries and 32x32 keys, as in the 128x128 networks."""
    calls = []
    real = nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        nn.functional, "scaled_dot_product_attention", lambda *a, **k: calls.append(a[0].shape) or real(*a, **k)
    )
    generator = like_trained(SMALL.model_copy(update={"resolution": 64, "g_attn": (64,)}))
    calls.clear()
    fold(generator)(*inputs(generator, 2))
    assert [tuple(shape)[-2] for shape in calls] == [4096]


def test_pixels_differ_by_one_level_and_rarely(like_trained):
    generator = like_trained(SMALL, 3)
    seeds = range(2 * INNER_BATCH)
    live, folded = draw(generator, seeds).astype(int), draw(generator, seeds, engine=fold(generator)).astype(int)
    assert np.abs(live - folded).max() <= 1
    assert (live != folded).mean() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("classes", [0, 3])
def test_one_seed_is_one_picture_in_any_batch_and_order(classes, dtype, like_trained):
    generator = like_trained(SMALL, classes)
    folded = fold(generator, dtype)
    seeds = [5, 0, 2**63 - 1, *range(100, 100 + INNER_BATCH), 7]
    together = draw(generator, seeds, engine=folded)
    for place in (0, 2, 9, 19):
        assert np.array_equal(draw(generator, seeds[place : place + 1], engine=folded)[0], together[place])
    assert np.array_equal(draw(generator, seeds[::-1], engine=fold(generator, dtype)), together[::-1])


@pytest.mark.parametrize("architecture", ["residual", "heykeetae"])
@pytest.mark.parametrize("classes", [0, 3])
def test_bf16_rounds_as_it_does_in_training(architecture, classes, like_trained, inputs):
    model = SMALL.model_copy(update={"architecture": architecture, "resolution": 32})
    generator = like_trained(model, classes)
    latents, labels = inputs(generator, 8)
    folded = fold(generator, torch.bfloat16)
    assert {tensor.dtype for tensor in folded.state_dict().values()} == {torch.bfloat16}
    with torch.no_grad():
        live, ours = generator(latents, labels), folded(latents, labels)
        with torch.autocast("cpu", torch.bfloat16):
            training = generator(latents, labels).float()
    assert ours.dtype == torch.float32
    apart, usual = (float((pictures - live).square().mean().sqrt()) for pictures in (ours, training))
    assert 1e-4 < apart < 1.25 * usual, "about what training's own arithmetic in bf16 does"
    levels = np.abs(to_pixels(ours).astype(int) - to_pixels(live))
    assert apart < 1.5 / 127.5 and levels.max() <= 16, (
        "narrow, wild networks round the worst; trained ones half as much"
    )


def test_what_is_left_is_plain(like_trained):
    """No parametrisation, no norm; kernels and maps channels-last; nothing shared with the generator."""
    generator = like_trained(SMALL, 3)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    folded = fold(generator)
    assert not any(parametrize.is_parametrized(module) for module in folded.modules())
    assert not any(isinstance(module, BatchNorm2d) for module in folded.modules())
    kernels = [module.weight for module in folded.modules() if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))]
    assert len(kernels) == 9 and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    maps = []
    for stage in folded.stages:
        stage.register_forward_hook(lambda _, inputs, output: maps.append(output))
    folded(torch.randn(2, 12), torch.tensor([0, 2]))
    assert len(maps) == 6 and all(h.is_contiguous(memory_format=torch.channels_last) for h in maps[:-1])
    for tensor in folded.state_dict().values():
        assert not tensor.requires_grad
        tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())


def test_the_last_norm_needs_no_pass_of_its_own_without_attention_before_it(like_trained):
    kinds = [
        [type(stage).__name__ for stage in fold(like_trained(SMALL.model_copy(update={"g_attn": places}))).stages]
        for places in ((8,), (16,))
    ]
    assert kinds[0] == ["Stem", "Up", "Attention", "Up", "Rectify", "Picture"]
    assert kinds[1] == ["Stem", "Up", "Up", "Attention", "ScaleShift", "Picture"]


def test_a_form_of_attention_with_other_arguments(like_trained, inputs, monkeypatch):
    """Another pool, a scale, and pooled values without an output convolution."""
    for made in (
        lambda channels, parts: SelfAttention2d(channels, pool=4, scale=0.3, bias=True, parts=parts),
        lambda channels, parts: SelfAttention2d(channels, v_ratio=1, project=False, pool=2, parts=parts),
    ):
        monkeypatch.setitem(ATTENTION, "mine", made)
        generator = like_trained(SMALL.model_copy(update={"attention": "mine"}), 3)
        ours, live, _ = errors(generator, fold(generator), *inputs(generator))
        assert ours <= 1.5 * live + 1e-6


class Mine(SelfAttention2d):
    def branch(self, x):
        return super().branch(x).flip(2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_of_somebodys_own_is_kept_as_it_is(dtype, like_trained, inputs, monkeypatch):
    monkeypatch.setitem(ATTENTION, "mine", lambda channels, parts: Mine(channels, parts=parts))
    generator = like_trained(SMALL.model_copy(update={"attention": "mine"}), 3)
    folded = fold(generator, dtype)
    (kept,) = [stage for stage in folded.stages if isinstance(stage, Kept)]
    theirs = generator.attention["8"]
    assert kept.layer is not theirs and kept.layer.gamma.dtype == torch.float32
    _, _, apart = errors(generator, folded, *inputs(generator))
    assert apart <= (MOST_APART if dtype == torch.float32 else 0.1)
    assert any(parameter.requires_grad for parameter in theirs.parameters())


class Other(ResidualGenerator):
    def render(self, latents, labels):
        return super().render(latents, labels).flip(3)


def test_a_network_that_is_not_known_is_refused_rather_than_drawn_wrongly(like_trained):
    generator = like_trained(SMALL)
    generator.__class__ = Other
    with pytest.raises(ConfigError, match="^Other cannot be folded. Use --engine live"):
        fold(generator)
    generator.__class__ = ResidualGenerator
    generator.blocks[0].norm1 = nn.Identity()
    with pytest.raises(ConfigError, match="^Identity cannot be folded"):
        fold(generator)
    generator.stem = nn.Bilinear(2, 2, 2)
    with pytest.raises(ConfigError, match="^Bilinear cannot be folded"):
        fold(generator)


def test_train_mode_and_missing_labels_are_refused(like_trained):
    generator = like_trained(SMALL, 3)
    with pytest.raises(ConfigError, match="^this network has 3 classes and was called without labels"):
        fold(generator)(torch.zeros(1, 12))
    generator.train()
    with pytest.raises(ConfigError, match="^the generator is in training mode"):
        fold(generator)


def test_a_folded_generator_does_not_follow_its_generator(like_trained, inputs):
    generator = like_trained(SMALL)
    folded = fold(generator)
    before = folded(*inputs(generator))
    with torch.no_grad():
        generator.output.bias += 1
    assert torch.equal(folded(*inputs(generator)), before)
    assert not torch.allclose(fold(generator)(*inputs(generator)), before)


def test_adding_a_doubled_map():
    small = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 3, 8, 10).contiguous(memory_format=torch.channels_last)
    expected = x + double(small)
    assert add_doubled(x, small) is x
    assert torch.equal(x, expected)
