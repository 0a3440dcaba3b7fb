"""The residual blocks of WGAN-GP, SNGAN and SAGAN (spec: the authors' released code).

ReLU is out of place throughout: a shortcut reads the block's input, which an in-place ReLU on the main path would have
changed (the most expensive bug of this family: FID 9.43 against 10.78 in mmgeneration's measurements on CIFAR-10).
A 1x1 convolution commutes with upsampling and with average pooling, so shortcuts convolve on the small side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.convolution import convolve
from sagan.layers.init import RELU_GAIN
from sagan.layers.parts import Norm, Parts, no_norm
from sagan.layers.resample import Upsampling, convolve_and_halve, double, double_and_convolve, halve

MERGED_UP_TO = 256  # channels: wider kernels cost more to spread than the smaller map saves
MERGED_FROM = (
    16  # pixels a side, in bf16: below, a processor's strided gradients take longer than the larger map's plain ones
)


def halved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """halve(conv(x)) for a 3x3 convolution, in one go where that is cheaper."""
    merge = conv.out_channels <= MERGED_UP_TO
    return convolve_and_halve(x, conv.weight, conv.bias) if merge else halve(convolve(conv, x))


def from_doubled(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """conv(double(x)) for a 3x3 convolution, in one go where that is cheaper."""
    merge = conv.in_channels <= MERGED_UP_TO and (x.dtype != torch.bfloat16 or x.shape[-1] >= MERGED_FROM)
    return double_and_convolve(x, conv.weight, conv.bias) if merge else convolve(conv, double(x))


class UpBlock(nn.Module):
    """The generator's block: pre-activation, twice the size. (B, c_in, H, W), labels, latents -> (B, c_out, 2H, 2W).

    upsample: nearest as published; mimicry's is bilinear.
    """

    def __init__(self, c_in: int, c_out: int, *, parts: Parts, norm: Norm, upsample: Upsampling = double) -> None:
        super().__init__()
        self.upsample = upsample
        self.norm1, self.norm2 = norm(c_in), norm(c_out)
        self.conv1, self.conv2 = parts.conv(c_in, c_out, 3, gain=RELU_GAIN), parts.conv(c_out, c_out, 3, gain=RELU_GAIN)
        self.skip = parts.conv(c_in, c_out, 1)

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor | None = None) -> Tensor:
        h = F.relu(self.norm1(x, labels, latents))
        h = from_doubled(self.conv1, h) if self.upsample is double else convolve(self.conv1, self.upsample(h))
        h = convolve(self.conv2, F.relu(self.norm2(h, labels, latents)))
        return h + self.upsample(self.skip(x))


class FirstDownBlock(nn.Module):
    """The discriminator's first block, on raw pixels: no activation before the first convolution. Half the size."""

    def __init__(self, c_in: int, c_out: int, *, parts: Parts) -> None:
        super().__init__()
        self.conv1, self.conv2 = parts.conv(c_in, c_out, 3, gain=RELU_GAIN), parts.conv(c_out, c_out, 3, gain=RELU_GAIN)
        self.skip = parts.conv(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return halved(self.conv2, F.relu(self.conv1(x))) + self.skip(halve(x))


class DownBlock(nn.Module):
    """The discriminator's further blocks: pre-activation. (B, c_in, H, W) -> (B, c_out, H, W), or half the size.

    down: halve the size. Without it and with equal widths the shortcut is the identity.
    thin: the hidden width is c_in, as in SNGAN's code; else it is c_out (SAGAN's and BigGAN's, "wide").
    norm: before both activations (WGAN-GP's code); none under spectral normalisation.
    rectified: the shortcut reads relu(x), as others' networks were trained whose ReLU works in place.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        down: bool,
        parts: Parts,
        thin: bool = False,
        norm: Norm = no_norm,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        self.down, self.rectified = down, rectified
        hidden = c_in if thin else c_out
        self.norm1, self.norm2 = norm(c_in), norm(hidden)
        self.conv1, self.conv2 = (
            parts.conv(c_in, hidden, 3, gain=RELU_GAIN),
            parts.conv(hidden, c_out, 3, gain=RELU_GAIN),
        )
        self.skip = parts.conv(c_in, c_out, 1) if down or c_in != c_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x) if self.rectified else x
        h = F.relu(self.norm2(convolve(self.conv1, F.relu(self.norm1(x)))))
        if self.down:
            return halved(self.conv2, h) + self.skip(halve(x))
        return convolve(self.conv2, h) + self.skip(x)
