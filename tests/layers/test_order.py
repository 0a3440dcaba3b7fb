"""The order of numbers in memory."""

from __future__ import annotations

import pytest
import torch

from sagan.layers.order import in_order_of, memory_order

LAST = torch.channels_last


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4, 5), (2, 3, 1, 1), (2, 1, 3, 3)])
def test_tensors_in_the_order_of_their_axes_are_left_alone(shape):
    assert memory_order(torch.zeros(shape)) == tuple(range(len(shape)))


def test_permuted_by_it_channels_last_is_contiguous():
    kernel = torch.arange(120.0).view(2, 3, 4, 5).contiguous(memory_format=LAST)
    assert memory_order(kernel) == (0, 2, 3, 1)
    assert kernel.permute(memory_order(kernel)).is_contiguous()


@pytest.mark.parametrize("wanted", [torch.contiguous_format, LAST])
@pytest.mark.parametrize("given", [torch.contiguous_format, LAST])
def test_one_tensor_is_put_in_the_order_of_another(wanted, given):
    pattern = torch.zeros(2, 3, 4, 5).contiguous(memory_format=wanted)
    tensor = torch.arange(120.0).view(2, 3, 4, 5).contiguous(memory_format=given)
    put = in_order_of(pattern, tensor)
    assert torch.equal(put, tensor) and put.stride() == pattern.stride()
    assert (put.data_ptr() == tensor.data_ptr()) == (wanted == given)
