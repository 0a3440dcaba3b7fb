"""Networks from records: the published parameter counts to the unit, and seeds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sagan.errors import ConfigError
from sagan.layers.norm import BatchNorm2d
from sagan.layers.parts import Parts
from sagan.layers.spectral import normalisers
from sagan.models import build
from sagan.models.build import (
    build_discriminator,
    build_generator,
    discriminator_outline,
    generator_outline,
    parameter_count,
)
from sagan.models.config import ModelConfig
from sagan.models.residual import ResidualDiscriminator, ResidualGenerator
from sagan.presets import preset

SMALL = ModelConfig(resolution=16, g_ch=8, d_ch=8, z_dim=6)
BUILDERS = pytest.mark.parametrize("builder", [build_generator, build_discriminator])


def same(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


# (record, classes, generator, discriminator): spec 2.2 to 2.4, most of them logged by StudioGAN
COUNTS = [
    ({"resolution": 128, "g_attn": 0, "d_attn": 0}, 1000, 41_996_931, 39_443_137),
    ({"resolution": 128}, 1000, 42_017_412, 39_448_258),
    ({"resolution": 128, "g_attn": 32, "d_attn": 32}, 1000, 42_078_852, 39_463_618),
    ({"resolution": 128}, 0, 32_171_268, 38_424_258),
    ({"resolution": 128}, 10, 32_259_972, 38_434_498),
    ({"resolution": 128}, 100, 33_147_012, 38_526_658),
    ({"resolution": 64}, 100, 12_811_396, 19_650_242),
    ({"resolution": 64}, 200, 13_387_396, 19_752_642),
    ({"resolution": 32}, 10, 4_386_308, 1_075_586),
    ({"resolution": 32}, 0, 4_358_660, 1_074_306),
    ({"resolution": 32, "g_attn": 0, "d_attn": 0}, 10, 4_304_387, 1_055_105),
    ({"resolution": 32, "g_attn": 0, "d_attn": 0}, 0, 4_276_739, 1_053_825),
    ({"resolution": 32, "g_attn": 0, "d_attn": 0, "g_ch": 128, "g_sn": False, "d_sn": False}, 0, 1_204_483, 1_053_825),
    ({"resolution": 128, "g_attn": 0, "d_attn": 0, "d_hidden": "thin"}, 1000, 41_996_931, 30_041_857),
    (dict(preset("sagan-32-small").model), 10, 380_804, 270_530),  # these three are ours: a change must be meant
    (dict(preset("gan-32").model), 0, 1_069_379, 663_745),
    (dict(preset("wgan-32").model), 0, 1_069_379, 662_977),
    (dict(preset("heykeetae-64").model), 0, 3_832_885, 3_175_299),  # spec 2.5; without its u and v, which it counts too
]


@pytest.mark.parametrize(("record", "classes", "generator", "discriminator"), COUNTS)
def test_parameter_counts_are_the_published_ones(record, classes, generator, discriminator, monkeypatch):
    """Weights are made but neither drawn nor normalised, which changes no count and saves seconds."""
    monkeypatch.setattr(build, "_parts", lambda model, **_: Parts(lambda weight, *_: weight, torch.Generator(), False))
    model = ModelConfig(**record)
    counts = [parameter_count(builder(model, classes)) for builder in (build_generator, build_discriminator)]
    assert counts == [generator, discriminator]


def test_other_codes_layouts_are_a_matter_of_arguments():
    """Spec 2.3 at 64x64: BigGAN-PyTorch's generator with and without attention, and SNGAN's thin pair."""
    parts = Parts(lambda weight, *_: weight, torch.Generator(), False)
    common = {"z_dim": 128, "parts": parts}
    for places, expected in (((), 32_971_011), ((64,), 32_991_492), ((32,), 33_052_932)):
        widths = [1024, 1024, 512, 256, 128]
        assert parameter_count(ResidualGenerator(widths, attention_at=places, classes=100, **common)) == expected
    generator = ResidualGenerator([1024, 512, 256, 128, 64], attention_at=(), classes=1000, **common)
    sides, widths = (32, 16, 8, 4, 2), (64, 128, 256, 512, 1024)
    discriminator = ResidualDiscriminator(
        widths, downs=5, sides=sides, attention_at=(), classes=1000, parts=parts, thin=True
    )
    assert (parameter_count(generator), parameter_count(discriminator)) == (17_974_915, 11_165_441)


def test_normalisation_adds_no_parameters():
    plain = ModelConfig(**SMALL.model_dump() | {"g_sn": False, "d_sn": False})
    for builder in (build_generator, build_discriminator):
        assert parameter_count(builder(SMALL, 3)) == parameter_count(builder(plain, 3))
        assert list(normalisers(builder(plain, 3))) == []


@BUILDERS
def test_every_weight_is_normalised_and_no_class_table_is(builder):
    """Spectral normalisation on all layers (SAGAN section 4), but not on the norms' tables (spec 2.6)."""
    network = builder(SMALL, 3)
    normed = {weight.data_ptr() for _, weight in normalisers(network)}
    for name, parameter in network.named_parameters():
        free = parameter.dim() < 2 or name.endswith((".gain", ".bias"))
        assert (parameter.data_ptr() in normed) is not free, name


@BUILDERS
def test_the_global_random_state_neither_matters_nor_moves(builder):
    torch.manual_seed(1)
    first = builder(SMALL, 3, seed=4)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = builder(SMALL, 3, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, second)


@BUILDERS
def test_another_seed_gives_other_weights_everywhere(builder):
    first, second = (dict(builder(SMALL, 3, seed=seed).named_parameters()) for seed in (4, 5))
    for name, parameter in first.items():
        if name.endswith("original"):
            assert not torch.equal(parameter, second[name]), name


@BUILDERS
def test_the_largest_seed_works(builder):
    assert not same(builder(SMALL, seed=2**63 - 1), builder(SMALL, seed=0))


def test_the_two_networks_of_a_seed_share_no_numbers():
    """Nor do those of neighbouring seeds: the first layers would otherwise start alike."""
    drawn = [
        next(normalisers(builder(SMALL, seed=seed)))[1].detach().flatten()[:20]
        for seed in (0, 1, 2)
        for builder in (build_generator, build_discriminator)
    ]
    signs = {tuple((values > 0).tolist()) for values in drawn}
    assert len(signs) == 6


def test_the_record_reaches_the_layers():
    model = ModelConfig(**SMALL.model_dump() | {"bn_group": 5, "init": "orthogonal"})
    generator = build_generator(model, 3)
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
    assert [norm.classes for norm in norms] == [3, 3, 3, 3, 0]  # the last one is unconditional (spec 2.1)
    assert {norm.group for norm in norms} == {5}
    for network in (generator, build_discriminator(model, 3)):
        for _, weight in normalisers(network):
            matrix = weight.detach().flatten(1)
            gram = matrix @ matrix.mT if len(matrix) <= matrix.shape[1] else matrix.mT @ matrix
            torch.testing.assert_close(gram, torch.eye(len(gram)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ["residual", "dcgan"])
def test_the_latent_reaches_every_norm_of_the_blocks(architecture):
    """Without it the pictures differ by the stem alone: with the stem's weight at zero, not at all."""
    spread = {}
    for place in ("stem", "norms"):
        model = ModelConfig.model_validate(
            {"resolution": 16, "g_ch": 8, "d_ch": 8, "z_dim": 6, "architecture": architecture, "g_latent": place}
        )
        generator = build_generator(model).eval()
        norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
        taking = [norm for norm in norms if norm.by_latent is not None]
        last = architecture == "residual"  # its last norm stands behind the blocks, and is plain as BigGAN's
        assert len(taking) == (len(norms) - last if place == "norms" else 0)
        for norm in taking:
            assert norm.by_latent.shape == (2 * len(norm.running_mean), 6)
            assert 0.01 < norm.by_latent.std() < 0.03
        with torch.no_grad():
            for name, parameter in generator.stem.named_parameters():
                if "bias" in name:
                    parameter.normal_()
            latents = torch.randn(4, 6)
            flat = generator.stem(latents[:, :, None, None] if architecture == "dcgan" else latents)
            handle = generator.stem.register_forward_hook(lambda *_, flat=flat: flat[:1].expand_as(flat))
            spread[place] = float(generator(latents).std(0).max())
            handle.remove()
    assert spread["stem"] < 1e-6 < 1e-3 < spread["norms"]


def test_classes_start_as_far_apart_as_asked():
    for asked in (0.0, 0.3):
        model = ModelConfig.model_validate(SMALL.model_dump() | {"g_class_spread": asked, "g_ch": 64})
        generator = build_generator(model, 10)
        for norm in (module for module in generator.modules() if isinstance(module, BatchNorm2d) and module.classes):
            gain, bias = norm.gain.detach(), norm.bias.detach()
            assert abs(float(gain.std()) - asked) < 0.03 and abs(float(bias.std()) - asked) < 0.03
            assert abs(float(gain.mean()) - 1) < 0.05


def test_what_is_off_draws_nothing():
    """The published networks' numbers stay what they were, whatever was added to the record."""
    plain = build_generator(SMALL, 3).state_dict()
    other = build_generator(ModelConfig.model_validate(SMALL.model_dump() | {"g_latent": "stem"}), 3).state_dict()
    changed = build_generator(ModelConfig.model_validate(SMALL.model_dump() | {"g_latent": "norms"}), 3).state_dict()
    assert plain.keys() == other.keys() and all(torch.equal(plain[name], other[name]) for name in plain)
    assert changed.keys() - plain.keys() == {f"blocks.{n}.norm{k}.by_latent" for n in range(2) for k in (1, 2)}


def kinds(network: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": 16, "init": "orthogonal", "d_norm": "batch"},
        {"resolution": 48, "channels": 4, "d_norm": "layer", "g_sn": False},
        {"architecture": "dcgan", "resolution": 32, "init": "normal", "d_sn": False},
        {"architecture": "sngan-cnn", "resolution": 32, "init": "torch"},
        {"architecture": "heykeetae", "resolution": 64, "attention": "heykeetae", "init": "xavier-relu"},
    ],
)
@pytest.mark.parametrize("classes", [0, 3])
def test_an_outline_is_the_network_without_its_numbers(options, classes):
    model = ModelConfig(**{"g_ch": 8, "d_ch": 8, **options})
    for outline, builder in ((generator_outline, build_generator), (discriminator_outline, build_discriminator)):
        drawn, real = outline(model, classes), builder(model, classes)
        assert all(tensor.is_meta for tensor in drawn.state_dict(keep_vars=True).values())
        assert kinds(drawn) == kinds(real)
        assert parameter_count(drawn) == parameter_count(real)
        stored = set(map(id, real.state_dict(keep_vars=True).values()))
        assert stored == set(map(id, [*real.parameters(), *real.buffers()])), "nothing is left to fill beside these"


def test_networks_beyond_the_limit_are_refused_without_memory():
    """Ten thousand million numbers would be forty gigabytes."""
    model = ModelConfig(resolution=512, g_ch=1024, d_ch=1024)
    for outline, option in ((generator_outline, "g_ch"), (discriminator_outline, "d_ch")):
        with pytest.raises(ConfigError, match=rf"^{option} asks for a .* parameters, above the limit of 2,147,483,648"):
            outline(model, 100_000)
