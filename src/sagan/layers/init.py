"""How weights are drawn at the start.

Under spectral normalisation the scale of a weight does not change the function, but it divides the gradient: it is a learning
rate in disguise. So recipes name their initialisation, and keep it.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

RELU_GAIN = math.sqrt(2)  # keeps the variance through a ReLU, which halves it (He et al., arXiv:1502.01852)


class Initialiser(Protocol):
    """Draws a weight in place. gain: what the layer's place calls for, 1 or RELU_GAIN; not every scheme listens."""

    def __call__(self, weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor: ...


def xavier(weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor:
    """Uniform with gain 1 everywhere (Glorot and Bengio): SAGAN's released code and the best reproductions."""
    return nn.init.xavier_uniform_(weight, generator=generator)


def xavier_relu(weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor:
    """Uniform with the place's gain: sqrt(2) on the 3x3 convolutions of blocks, else 1 (WGAN-GP's and SNGAN's code)."""
    return nn.init.xavier_uniform_(weight, gain, generator=generator)


def orthogonal(weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor:
    """Orthogonal rows or columns (Saxe et al.): StudioGAN and BigGAN."""
    return nn.init.orthogonal_(weight, generator=generator)


def normal(weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor:
    """Normal with deviation 0.02 (DCGAN, arXiv:1511.06434, section 4; SNGAN's standard CNN)."""
    return nn.init.normal_(weight, 0.0, 0.02, generator=generator)


def torch_default(weight: Tensor, generator: torch.Generator, gain: float = 1.0, /) -> Tensor:
    """Uniform within 1 / sqrt(fan_in), as torch's own layers start: heykeetae's code, which says nothing."""
    return nn.init.kaiming_uniform_(weight, math.sqrt(5), generator=generator)


INITIALISERS: dict[str, Initialiser] = {
    "xavier": xavier,
    "xavier-relu": xavier_relu,
    "orthogonal": orthogonal,
    "normal": normal,
    "torch": torch_default,
}
