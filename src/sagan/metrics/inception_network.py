"""The Inception network of the FID, as modules: TensorFlow's graph of 2015-12-05 (Szegedy et al. 2015, arXiv:1512.00567).

A port of our own, with the names of the published file pt_inception-2015-12-05-6726825d, so that its tensors fit. It differs
from torchvision's Inception in three places, which move every FID: average pooling does not count the border, the last
block pools by maximum, and there are 1008 classes.

A block is a table: paths that start from the same input and are put together along the channels. A step of a path is a pool,
a convolution (name, channels out, kernel, stride), or a list of convolutions side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DIMENSION, CLASSES, SIDE = 2048, 1008, 299

AVERAGE, MAXIMUM, SHRINK = "average 3x3", "maximum 3x3", "maximum 3x3, stride 2"
TALL, WIDE = (7, 1), (1, 7)


def block_a(pooled: int) -> list[list[Any]]:
    """Table of the blocks at 35x35.  pooled: channels of the pooling path."""
    return [
        [("branch1x1", 64, 1)],
        [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
        [AVERAGE, ("branch_pool", pooled, 1)],
    ]


def block_c(width: int) -> list[list[Any]]:
    """Table of the blocks at 17x17.  width: channels inside the factorised 7x7 paths."""
    return [
        [("branch1x1", 192, 1)],
        [("branch7x7_1", width, 1), ("branch7x7_2", width, WIDE), ("branch7x7_3", 192, TALL)],
        [
            ("branch7x7dbl_1", width, 1),
            ("branch7x7dbl_2", width, TALL),
            ("branch7x7dbl_3", width, WIDE),
            ("branch7x7dbl_4", width, TALL),
            ("branch7x7dbl_5", 192, WIDE),
        ],
        [AVERAGE, ("branch_pool", 192, 1)],
    ]


def block_e(pool: str) -> list[list[Any]]:
    """Table of the blocks at 8x8.  pool: of the pooling path."""
    return [
        [("branch1x1", 320, 1)],
        [("branch3x3_1", 384, 1), [("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]],
        [
            ("branch3x3dbl_1", 448, 1),
            ("branch3x3dbl_2", 384, 3),
            [("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))],
        ],
        [pool, ("branch_pool", 192, 1)],
    ]


BLOCK_B: list[list[Any]] = [
    [("branch3x3", 384, 3, 2)],
    [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2)],
    [SHRINK],
]
BLOCK_D: list[list[Any]] = [
    [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)],
    [
        ("branch7x7x3_1", 192, 1),
        ("branch7x7x3_2", 192, WIDE),
        ("branch7x7x3_3", 192, TALL),
        ("branch7x7x3_4", 192, 3, 2),
    ],
    [SHRINK],
]
BLOCKS = {
    "Mixed_5b": block_a(32),
    "Mixed_5c": block_a(64),
    "Mixed_5d": block_a(64),
    "Mixed_6a": BLOCK_B,
    "Mixed_6b": block_c(128),
    "Mixed_6c": block_c(160),
    "Mixed_6d": block_c(160),
    "Mixed_6e": block_c(192),
    "Mixed_7a": BLOCK_D,
    "Mixed_7b": block_e(AVERAGE),
    "Mixed_7c": block_e(MAXIMUM),
}


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU. Stride 1 keeps the size; stride 2 has no border."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int | tuple[int, int], stride: int = 1, same: bool = True
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if same and stride == 1 else (0, 0)
        self.conv = nn.Conv2d(c_in, c_out, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H', W')."""
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """One mixed block, from its table.  c_in, c_out: channels."""

    def __init__(self, c_in: int, table: Sequence[Sequence[Any]]) -> None:
        super().__init__()
        self.table, self.c_out = table, 0
        for path in table:
            width = c_in
            for step in path:
                if isinstance(step, str):
                    continue
                side_by_side = step if isinstance(step, list) else [step]
                for name, *shape in side_by_side:
                    self.add_module(name, Unit(width, *shape))
                width = sum(part[1] for part in side_by_side)
            self.c_out += width

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H', W')."""
        return torch.cat([self._along(path, x) for path in self.table], dim=1)

    def _along(self, path: Sequence[Any], h: Tensor) -> Tensor:
        for step in path:
            if isinstance(step, str):
                h = pooled(step, h)
            else:
                side_by_side = step if isinstance(step, list) else [step]
                h = torch.cat([self.get_submodule(name)(h) for name, *_ in side_by_side], dim=1)
        return h


def pooled(how: str, x: Tensor) -> Tensor:
    """3x3 pooling by name."""
    if how == AVERAGE:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    if how == MAXIMUM:
        return F.max_pool2d(x, 3, stride=1, padding=1)
    return F.max_pool2d(x, 3, stride=2)


class Inception(nn.Module):
    """Pictures (B, 3, R, R) as levels 0 to 255 in float32 -> features (B, 2048), the last maps averaged over places.

    fc: the classifier; TensorFlow's score uses its weight without the bias ("unbiased logits").
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, same=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, same=False)
        width = 192
        for name, table in BLOCKS.items():
            block = Block(width, table)
            self.add_module(name, block)
            width = block.c_out
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        """Any size; resized as TensorFlow 1 does it, then to about [-1, 1] by (x - 128) / 128."""
        x = (resize_like_tensorflow(pictures, SIDE) - 128.0) / 128.0
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (B, 64, 147, 147)
        x = pooled(SHRINK, x)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))  # (B, 192, 71, 71)
        x = pooled(SHRINK, x)
        for name in BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))


def resize_like_tensorflow(x: Tensor, side: int) -> Tensor:
    """(B, C, H, W) float -> (B, C, side, side): bilinear as in TensorFlow 1, corners not aligned, pixels taken as points.

    No antialiasing and no rounding to bytes. Row i of the result lies at i * H / side of the input, without the half pixel
    that today's libraries add; this shift is part of every published FID.
    """
    return _weights(x.shape[2], side).to(x) @ x @ _weights(x.shape[3], side).to(x).T


def _weights(before: int, after: int) -> Tensor:
    """(after, before): how much of each row of the input is in each row of the result."""
    place = torch.arange(after, dtype=torch.float32) * torch.tensor(
        before / after, dtype=torch.float32
    )  # as TensorFlow
    low = place.floor().long()
    share = place - low
    weights = torch.zeros(after, before)
    weights[torch.arange(after), low] += 1.0 - share
    weights[torch.arange(after), (low + 1).clamp(max=before - 1)] += share
    return weights
