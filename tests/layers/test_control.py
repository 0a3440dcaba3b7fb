"""The residual block of the paper's control: as many parameters as attention, and nothing seen but neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.engines import fold
from sagan.errors import ConfigError
from sagan.layers.attention import official
from sagan.layers.control import ResidualControl, block_named, residual
from sagan.layers.init import xavier
from sagan.layers.parts import Parts
from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ModelConfig
from sagan.sampling import draw


def parts(spectral=False):
    return Parts(xavier, torch.Generator().manual_seed(3), spectral)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channels", "expected"), [(64, 5_121), (128, 20_481), (256, 81_921), (512, 327_681)])
def test_it_has_the_parameters_of_attention_to_the_unit(channels, expected):
    """Expected: the published counts of attention, spec 1.3."""
    assert count(residual(channels, parts())) == expected


@pytest.mark.parametrize("channels", [12, 20, 44, 100])
def test_other_widths_come_as_near_as_a_whole_hidden_channel_lets_them(channels):
    apart = abs(count(residual(channels, parts())) - count(official(channels, parts())))
    assert apart <= 5 * channels


def test_the_output_is_the_formula_worked_out_place_by_place():
    layer = ResidualControl(16, parts=parts()).double()
    with torch.no_grad():
        layer.gamma.fill_(-0.7)
    x = torch.randn(2, 16, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    narrow, widen = layer.narrow.weight.detach().numpy(), layer.widen.weight.detach().numpy()[:, :, 0, 0]
    seen = np.pad(np.maximum(x.numpy(), 0), ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = x.numpy().copy()
    for row in range(3):
        for column in range(5):
            hidden = np.einsum("ocij,bcij->bo", narrow, seen[:, :, row : row + 3, column : column + 3])
            expected[:, :, row, column] -= 0.7 * np.einsum("co,bo->bc", widen, np.maximum(hidden, 0))
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)


def test_it_starts_as_the_identity_and_only_its_gate_learns_at_first():
    layer = ResidualControl(16, parts=parts())
    x = torch.randn(2, 16, 4, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gamma.grad.abs() > 1e-3 and not layer.narrow.weight.grad.any() and not layer.widen.weight.grad.any()


def test_a_place_sees_its_neighbours_and_no_further():
    layer = ResidualControl(16, parts=parts())
    with torch.no_grad():
        layer.gamma.fill_(1.0)
    x = torch.rand(1, 16, 7, 7, generator=torch.Generator().manual_seed(2)).requires_grad_()
    layer(x)[0, :, 3, 3].sum().backward()
    seen = (x.grad[0].abs().sum(0) > 0).nonzero()
    assert seen.min() == 2 and seen.max() == 4 and len(seen) == 9


@pytest.mark.parametrize(("spectral", "normalised"), [(True, 2), (False, 0)])
def test_its_convolutions_are_normalised_where_the_network_is(spectral, normalised):
    names = [key for key in residual(16, parts(spectral)).state_dict() if key.endswith("weight.original")]
    assert len(names) == normalised


def test_too_few_channels_are_refused_in_one_line():
    with pytest.raises(ConfigError, match="over 3 channels has no hidden channel. Use at least 8 channels there."):
        ResidualControl(3)


def test_networks_differ_from_those_with_attention_in_that_block_alone():
    def networks(form):
        model = ModelConfig(resolution=32, g_ch=16, d_ch=16, g_attn=(8, 16), d_attn=8, attention=form)
        return build_generator(model, 3), build_discriminator(model, 3)

    for attending, controlled in zip(networks("official"), networks("residual"), strict=True):
        assert count(attending) == count(controlled)
        strays = attending.state_dict().keys() ^ controlled.state_dict().keys()
        assert strays and all(name.startswith("attention.") for name in strays)


def test_the_prepared_generator_draws_the_same_pictures():
    generator = build_generator(ModelConfig(resolution=16, g_ch=16, d_ch=16, attention="residual"), 2, seed=4).eval()
    with torch.no_grad():
        generator.attention["8"].gamma.fill_(3.0)
    plain, folded = draw(generator, range(5)), draw(generator, range(5), engine=fold(generator))
    assert np.abs(plain.astype(int) - folded).max() <= 1 and plain.std() > 5


def test_every_name_leads_to_its_block():
    assert block_named("residual") is residual and block_named("official") is official
