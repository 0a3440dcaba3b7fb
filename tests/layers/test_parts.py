"""The constructors: initialised, normalised where asked, drawn from their own generator."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sagan.layers.init import orthogonal, xavier
from sagan.layers.norm import BatchNorm2d
from sagan.layers.parts import Parts, batch_norm, default_parts
from sagan.layers.spectral import normalisers


def parts(init=xavier, *, spectral: bool = True, seed: int = 0) -> Parts:
    return Parts(init, torch.Generator().manual_seed(seed), spectral)


MAKERS = {
    "conv": lambda parts: parts.conv(16, 24, 3),
    "conv_transpose": lambda parts: parts.conv_transpose(16, 24, 4, stride=2, padding=1),
    "linear": lambda parts: parts.linear(40, 24),
    "embedding": lambda parts: parts.embedding(30, 16),
}


@pytest.mark.parametrize(
    ("name", "fans"),
    [("conv", 9 * 16 + 9 * 24), ("conv_transpose", 16 * 16 + 16 * 24), ("linear", 40 + 24), ("embedding", 30 + 16)],
)
def test_xavier_survives_normalisation(name, fans):
    ((_, original),) = normalisers(MAKERS[name](parts()))
    bound = math.sqrt(6 / fans)
    assert 0.98 * bound < original.abs().max() <= bound
    assert abs(original.std() / (bound / math.sqrt(3)) - 1) < 0.05


def test_orthogonal_survives_normalisation():
    ((_, original),) = normalisers(MAKERS["conv"](parts(orthogonal)))
    matrix = original.detach().flatten(1)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(24), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_normalisation_only_where_asked(name):
    plain, normal = MAKERS[name](parts(spectral=False)), MAKERS[name](parts())
    assert list(normalisers(plain)) == []
    ((_, original),) = normalisers(normal)
    torch.testing.assert_close(plain.weight, original)  # the same draw, whether or not it is normalised
    rows = 1 if name == "conv_transpose" else 0  # the axis of the output channels
    top, before = (
        torch.linalg.svdvals(layer.weight.detach().movedim(rows, 0).flatten(1))[0] for layer in (normal, plain)
    )
    assert 1 - 1e-5 < top < 1.1 < before


@pytest.mark.parametrize("size", [1, 3])
def test_convolutions_keep_the_size_and_biases_start_at_zero(size):
    conv = parts().conv(4, 6, size)
    assert conv(torch.randn(2, 4, 5, 7)).shape == (2, 6, 5, 7)
    assert conv.bias.shape == (6,) and not conv.bias.any()
    assert parts().conv(4, 6, size, bias=False).bias is None
    assert not parts().linear(3, 4).bias.any()


def test_plain_parts_draw_alike_without_normalisation():
    layer = parts().plain().conv(4, 6, 3)
    assert list(normalisers(layer)) == []
    assert torch.equal(layer.weight, parts(spectral=False).conv(4, 6, 3).weight)


def test_strided_convolutions_halve_and_transposed_ones_double():
    x = torch.randn(2, 4, 6, 10)
    assert parts().conv(4, 5, 4, stride=2, padding=1)(x).shape == (2, 5, 3, 5)
    assert parts().conv_transpose(4, 5, 4, stride=2, padding=1)(x).shape == (2, 5, 12, 20)
    assert parts().conv_transpose(4, 5, 6)(x[:, :, :1, :1]).shape == (2, 5, 6, 6)


def test_each_layer_draws_on():
    source = parts()
    first, second = source.linear(5, 6), source.linear(5, 6)
    assert not torch.equal(first.weight, second.weight)
    again = parts()
    assert torch.equal(again.linear(5, 6).weight, first.weight)
    assert torch.equal(again.linear(5, 6).weight, second.weight)
    assert not torch.equal(parts(seed=1).linear(5, 6).weight, first.weight)


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    for make in MAKERS.values():
        make(parts())
    assert torch.equal(torch.get_rng_state(), before)


def test_default_parts_are_the_papers():
    default = default_parts()
    assert default.init is xavier and default.spectral
    assert torch.equal(default_parts(3).linear(4, 5).weight, default_parts(3).linear(4, 5).weight)


def test_batch_norm_constructor():
    plain, conditional = batch_norm(0)(6), batch_norm(4, group=2)(6)
    assert isinstance(plain, BatchNorm2d) and isinstance(conditional, nn.Module)
    assert (plain.gain.shape, plain.group) == ((6,), 0)
    assert (conditional.gain.shape, conditional.group) == ((4, 6), 2)
