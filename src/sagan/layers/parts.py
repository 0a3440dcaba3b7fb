"""The constructors that networks are made of: each gives a layer that is initialised and, where asked, normalised.

Blocks receive these and never ask which kind of convolution they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import skip_init

from sagan.layers.init import Initialiser, xavier
from sagan.layers.norm import BatchNorm2d
from sagan.layers.spectral import spectral_norm

Norm = Callable[[int], nn.Module]
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, nn.Embedding)


@dataclass(frozen=True)
class Parts:
    """Constructors of the layers with weights.

    init: draws a weight.  generator: its random numbers, and those of the first u.  spectral: normalise every weight.
    """

    init: Initialiser
    generator: torch.Generator
    spectral: bool

    def conv(self, c_in: int, c_out: int, size: int, *, bias: bool = True) -> nn.Conv2d:
        """A convolution that keeps the map's size: (B, c_in, H, W) -> (B, c_out, H, W); its bias starts at zero."""
        return self._finish(skip_init(nn.Conv2d, c_in, c_out, size, padding=size // 2, bias=bias))

    def linear(self, c_in: int, c_out: int) -> nn.Linear:
        """(B, c_in) -> (B, c_out); its bias starts at zero."""
        return self._finish(skip_init(nn.Linear, c_in, c_out))

    def embedding(self, classes: int, channels: int) -> nn.Embedding:
        """(B,) int64 labels -> (B, channels)."""
        return self._finish(skip_init(nn.Embedding, classes, channels))

    def _finish(self, module: Layer) -> Layer:
        with torch.no_grad():
            self.init(module.weight, self.generator)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        return spectral_norm(module, generator=self.generator) if self.spectral else module


def default_parts(seed: int = 0) -> Parts:
    """What a layer made on its own consists of: xavier weights, spectrally normalised (SAGAN section 4)."""
    return Parts(xavier, torch.Generator().manual_seed(seed), spectral=True)


def batch_norm(classes: int, group: int = 0) -> Norm:
    """A constructor of batch norms for `classes` classes; 0 for unconditional ones."""
    return lambda channels: BatchNorm2d(channels, classes, group=group)
