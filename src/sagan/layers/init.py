"""How weights are drawn at the start.

Under spectral normalisation the scale of a weight does not change the function, but it divides the gradient: it is a learning
rate in disguise. So recipes name their initialisation, and keep it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Initialiser = Callable[[Tensor, torch.Generator], Tensor]


def xavier(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform with gain 1 (Glorot and Bengio): SAGAN's released code and the best reproductions."""
    return nn.init.xavier_uniform_(weight, generator=generator)


def orthogonal(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Orthogonal rows or columns (Saxe et al.): StudioGAN and BigGAN."""
    return nn.init.orthogonal_(weight, generator=generator)


INITIALISERS: dict[str, Initialiser] = {"xavier": xavier, "orthogonal": orthogonal}
