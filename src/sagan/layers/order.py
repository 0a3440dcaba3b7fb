"""The order in which a tensor's numbers lie in memory.

Maps and the kernels of 3x3 convolutions lie with their channels last, as processors and GPUs convolve them quickest. Whatever
passes over a kernel number by number, like spectral norm and Adam, takes several times longer where two orders meet.
"""

from __future__ import annotations

import torch
from torch import Tensor


def memory_order(tensor: Tensor) -> tuple[int, ...]:
    """The axes from the outermost to the innermost in memory: (0, 2, 3, 1) with channels last, else (0, 1, 2, ...).

    Permuted by it, a tensor of either order is contiguous.
    """
    if tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last):
        return (0, 2, 3, 1)
    return tuple(range(tensor.ndim))


def in_order_of(pattern: Tensor, tensor: Tensor) -> Tensor:
    """The numbers of `tensor`, of the same shape, lying as those of `pattern` do; no copy where they do already."""
    last = pattern.ndim == 4 and memory_order(pattern) == (0, 2, 3, 1)
    return tensor.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
