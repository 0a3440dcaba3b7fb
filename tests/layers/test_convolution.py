"""A convolution as one product: the same sums, also their derivatives, and taken where it was measured to be faster."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sagan.layers import convolution
from sagan.layers.convolution import by_product, convolve


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(2, 5, 4, 4), (1, 3, 1, 1), (3, 2, 2, 7)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_convolution_and_so_are_its_derivatives(shape, order):
    inputs = [
        drawn(*shape).contiguous(memory_format=order),
        drawn(4, shape[1], 3, 3).contiguous(memory_format=order),
        drawn(4),
    ]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    ours, plain = by_product(*inputs), F.conv2d(*inputs, padding=1)
    torch.testing.assert_close(ours, plain)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    for mine, theirs in zip(*(torch.autograd.grad(y.square().sum(), inputs) for y in (ours, plain)), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("c_in", "c_out", "side", "expected"), [(16, 8, 2, True), (8, 7, 2, False), (16, 16, 5, False), (64, 32, 8, True)]
)
def test_many_channels_over_few_places_take_it(c_in, c_out, side, expected, monkeypatch):
    monkeypatch.setattr(convolution, "CHANNELS_PER_SIDE", 4)
    taken = []
    monkeypatch.setattr(convolution, "by_product", lambda *inputs: taken.append(inputs) or by_product(*inputs))
    conv, x = nn.Conv2d(c_in, c_out, 3, padding=1).double(), drawn(2, c_in, side, side)
    torch.testing.assert_close(convolve(conv, x), conv(x))
    assert bool(taken) == expected
