"""What a machine can do at most, and how much a step asks of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from timing import timed
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from sagan.layers import attention_core, blocks

COUNTED = (
    torch.ops.aten._scaled_dot_product_flash_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_backward,
)
OURS = (
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward,
)
for counted, passed_over in zip(COUNTED, OURS, strict=True):  # torch counts fused attention of graphics cards only
    flop_registry.setdefault(passed_over, flop_registry[counted])

SHAPES = ((64, 256, 16), (64, 128, 32), (16, 256, 32))  # batch, channels, side: the bulk of what the networks compute


def convolution_peak(dtype: torch.dtype = torch.float32, rounds: int = 5) -> float:
    """GFLOP/s of this machine's fastest 3x3 convolution, channels last, without gradients: the best of SHAPES."""
    return max(_rate(batch, channels, side, dtype, rounds) for batch, channels, side in SHAPES)


def _rate(batch: int, channels: int, side: int, dtype: torch.dtype, rounds: int) -> float:
    x = torch.randn(batch, channels, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(channels, channels, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        F.conv2d(x, kernel, padding=1)
        seconds = statistics.median(timed(lambda: F.conv2d(x, kernel, padding=1)).seconds for _ in range(rounds))
    return 2 * batch * channels * channels * 9 * side * side / seconds / 1e9


def operations(call: Callable[[], object]) -> float:
    """GFLOP of one call, forward and backward, as torch counts convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 1e9


@contextmanager
def unmerged() -> Iterator[None]:
    """Inside, convolutions next to a change of size are computed as the papers write them."""
    before, blocks.MERGED_UP_TO = blocks.MERGED_UP_TO, 0
    try:
        yield
    finally:
        blocks.MERGED_UP_TO = before


@contextmanager
def as_written() -> Iterator[None]:
    """Inside, the networks are computed as the papers write them: also attention by its whole map, at its own widths."""
    before, attention_core.PLAIN_ENTRIES = attention_core.PLAIN_ENTRIES, 2**62
    try:
        with unmerged():
            yield
    finally:
        attention_core.PLAIN_ENTRIES = before
