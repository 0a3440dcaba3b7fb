"""The constructors that networks are made of: each gives a layer that is initialised and, where asked, normalised.

Blocks receive these and never ask which kind of convolution they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import skip_init

from sagan.layers.init import Initialiser, xavier
from sagan.layers.norm import BatchNorm2d
from sagan.layers.spectral import spectral_norm

Norm = Callable[[int], nn.Module]
Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)


@dataclass(frozen=True)
class Parts:
    """Constructors of the layers with weights. Biases start at zero.

    init: draws a weight.  generator: its random numbers, and those of the first u.  spectral: normalise every weight.
    """

    init: Initialiser
    generator: torch.Generator
    spectral: bool

    def plain(self) -> Parts:
        """The same without spectral normalisation: some ancestors leave single layers out."""
        return replace(self, spectral=False)

    def conv(
        self,
        c_in: int,
        c_out: int,
        size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        gain: float = 1.0,
    ) -> nn.Conv2d:
        """(B, c_in, H, W) -> (B, c_out, H', W').

        padding: None for size // 2, which keeps the map of an odd kernel with stride 1.  gain: see `layers.init`.
        """
        padding = size // 2 if padding is None else padding
        return self._finish(_blank(nn.Conv2d, c_in, c_out, size, stride=stride, padding=padding, bias=bias), gain)

    def conv_transpose(
        self, c_in: int, c_out: int, size: int, *, stride: int = 1, padding: int = 0
    ) -> nn.ConvTranspose2d:
        """(B, c_in, H, W) -> (B, c_out, H', W') with H' = (H - 1) * stride - 2 * padding + size."""
        return self._finish(_blank(nn.ConvTranspose2d, c_in, c_out, size, stride=stride, padding=padding))

    def linear(self, c_in: int, c_out: int) -> nn.Linear:
        """(B, c_in) -> (B, c_out)."""
        return self._finish(_blank(nn.Linear, c_in, c_out))

    def embedding(self, classes: int, channels: int) -> nn.Embedding:
        """(B,) int64 labels -> (B, channels)."""
        table = torch.empty(classes, channels)  # not `_blank`: torch's own draw on meta loads a compiler, for seconds
        return self._finish(nn.Embedding.from_pretrained(table, freeze=False))

    def _finish(self, module: Layer, gain: float = 1.0) -> Layer:
        if not module.weight.is_meta:  # an outline has shapes alone
            with torch.no_grad():
                self.init(module.weight, self.generator, gain)
                if getattr(module, "bias", None) is not None:
                    nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return spectral_norm(module, generator=self.generator) if self.spectral else module


def _blank(kind: type[Layer], *sizes: int, **options: int | bool) -> Layer:
    """A layer whose numbers are still to be drawn, on the device of the surrounding `torch.device`, the CPU without one."""
    return skip_init(kind, *sizes, **options, device=torch.get_default_device())


def default_parts(seed: int = 0) -> Parts:
    """What a layer made on its own consists of: xavier weights, spectrally normalised (SAGAN section 4)."""
    return Parts(xavier, torch.Generator().manual_seed(seed), spectral=True)


MODULATION = 0.02  # how the matrices begin by which latents modulate a norm (BigGAN, arXiv:1809.11096, its code)


def batch_norm(
    classes: int,
    group: int = 0,
    *,
    z_dim: int = 0,
    class_spread: float = 0.0,
    generator: torch.Generator | None = None,
) -> Norm:
    """A constructor of batch norms for `classes` classes; 0 for unconditional ones.

    z_dim: length of the latents that modulate them, 0 for none.  class_spread: deviation of the classes' gains from 1 and
    biases from 0 at the start; 0 starts them alike, as published.  generator: random numbers for both.
    """

    def make(channels: int) -> nn.Module:
        norm = BatchNorm2d(channels, classes, z_dim=z_dim, group=group)
        if norm.gain.is_meta:
            return norm
        with torch.no_grad():
            if classes and class_spread:
                for table in (norm.gain, norm.bias):
                    table.add_(torch.empty_like(table).normal_(0.0, class_spread, generator=generator))
            if norm.by_latent is not None:
                norm.by_latent.normal_(0.0, MODULATION, generator=generator)
        return norm

    return make


def layer_norm(channels: int) -> nn.Module:
    """Layer norm over all of a picture's map, with a gain and bias a channel (WGAN-GP, arXiv:1704.00028, section 4)."""
    return nn.GroupNorm(1, channels)


def no_norm(channels: int) -> nn.Module:
    """Nothing in the norm's place."""
    return nn.Identity()


DISCRIMINATOR_NORMS: dict[str, Norm] = {"none": no_norm, "batch": batch_norm(0), "layer": layer_norm}
