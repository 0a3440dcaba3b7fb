"""Merged kernels against the two steps they stand for, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sagan.layers.resample import convolve_and_halve, double, double_and_convolve, halve, spread_kernel


def tensors(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes]


def test_halve_is_the_mean_of_two_by_two_positions():
    x = torch.tensor([[[[1.0, 3.0, 0.0, 8.0], [5.0, 7.0, 4.0, 0.0]]]])
    assert halve(x).tolist() == [[[[4.0, 3.0]]]]


def test_double_repeats_each_position():
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    assert double(x).tolist() == [[[[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]] * 2]]


def test_spread_kernel_by_hand():
    kernel = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert spread_kernel(kernel)[0, 0].tolist() == [
        [1.0, 3.0, 5.0, 3.0],
        [5.0, 12.0, 16.0, 9.0],
        [11.0, 24.0, 28.0, 15.0],
        [7.0, 15.0, 17.0, 9.0],
    ]


def convolve_then_halve(x, kernel, bias):
    return F.avg_pool2d(F.conv2d(x, kernel, bias, padding=1), 2)


def double_then_convolve(x, kernel, bias):
    return F.conv2d(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3), kernel, bias, padding=1)


@pytest.mark.parametrize(
    ("merged", "plain"), [(convolve_and_halve, convolve_then_halve), (double_and_convolve, double_then_convolve)]
)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    ("batch", "c_in", "c_out", "height", "width"), [(2, 3, 5, 4, 6), (1, 5, 1, 2, 2), (3, 1, 3, 6, 2)]
)
def test_merged_is_plain_with_its_derivatives(merged, plain, with_bias, batch, c_in, c_out, height, width):
    x, kernel, bias = tensors((batch, c_in, height, width), (c_out, c_in, 3, 3), (c_out,))
    inputs = (x, kernel, bias) if with_bias else (x, kernel)
    arguments = (x, kernel, bias if with_bias else None)
    ours, theirs = merged(*arguments), plain(*arguments)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    (probe,) = tensors(tuple(theirs.shape))
    gradients = [torch.autograd.grad(output, inputs, probe) for output in (ours, theirs)]
    for our, their in zip(*gradients, strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-11)
