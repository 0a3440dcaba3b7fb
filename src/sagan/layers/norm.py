"""Batch normalisation, plain and class-conditional (Dumoulin et al., arXiv:1610.07629; spec: SAGAN's released code), and
modulated by the latent (self-modulation, arXiv:1810.01365; with classes, BigGAN, arXiv:1809.11096, without its split latent).

Statistics are those of the batch in train mode and the running ones in eval mode. The running ones move only where the
training step lets them (`still_statistics` holds them), so that both updates of a GAN step normalise alike but only the
generator's own update is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.labels import required_labels


class Across(Protocol):
    """Processes that share a batch. rank, size: of this one, of all.  total: a sum over all, differentiable."""

    rank: int
    size: int

    def total(self, tensor: Tensor) -> Tensor: ...


class BatchNorm2d(nn.Module):
    """Batch norm over (B, H, W) with one gain and bias a channel.

    channels: C.  classes: 0 for one gain and bias; K for tables (K, C), chosen by each picture's label.
    z_dim: 0, or the length of the latents that a matrix (2C, z_dim) turns into more of gain and bias; it starts at zero.
    group: statistics over groups of this many pictures, as separate devices would have; 0 for the whole batch.
    momentum: how far one batch moves the running statistics. Its groups share it equally, so that the statistics move
    about as far whatever the number of groups.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        channels: int,
        classes: int = 0,
        *,
        z_dim: int = 0,
        group: int = 0,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.classes, self.group, self.eps, self.momentum = classes, group, eps, momentum
        self.moving = True
        self.across: Across | None = None  # who else has pictures of the batch: see `share_statistics`
        shape = (classes, channels) if classes else (channels,)
        self.gain = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.by_latent = nn.Parameter(torch.zeros(2 * channels, z_dim)) if z_dim else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, labels: Tensor | None = None, latents: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W); labels: (B,) int64 when there are classes; latents: (B, z_dim) when it takes them -> (B, C, H, W).

        Raises ConfigError where one is missing.
        """
        if not self.classes and self.by_latent is None:
            return self._normalise(x, self.gain, self.bias)
        gain, bias = (part[..., None, None] for part in self._affine(labels, latents))  # (B or 1, C, 1, 1)
        flat = self._normalise(x, None, None)
        return torch.addcmul(bias.to(flat.dtype), flat, gain.to(flat.dtype))

    def _affine(self, labels: Tensor | None, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gain and bias of each picture: (B, C)."""
        gain: Tensor
        bias: Tensor
        gain, bias = self.gain, self.bias
        if self.classes:
            labels = required_labels(labels, self.classes)
            gain, bias = F.embedding(labels, gain), F.embedding(labels, bias)
        if self.by_latent is None:
            return gain, bias
        if latents is None:
            raise ConfigError("this batch norm is modulated by the latents, and none were given")
        more_gain, more_bias = F.linear(latents, self.by_latent).chunk(2, dim=1)
        return gain + more_gain, bias + more_bias

    def _normalise(self, x: Tensor, gain: Tensor | None, bias: Tensor | None) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, gain, bias, False, 0.0, self.eps)
        if self.across is not None and not self.group:
            return self._normalise_across(self.across, x, gain, bias)
        mean, var = (self.running_mean, self.running_var) if self.moving else (None, None)
        groups = x.split(self.group) if self.group and self.group < len(x) else (x,)
        momentum = self.momentum / len(groups)
        parts = [F.batch_norm(part, mean, var, gain, bias, True, momentum, self.eps) for part in groups]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _normalise_across(self, across: Across, x: Tensor, gain: Tensor | None, bias: Tensor | None) -> Tensor:
        """By the statistics of all processes' pictures, of which each has as many.

        Means and variances are put together by the parallel form of Chan, Golub and LeVeque (1983): sums of squares would
        cancel where a mean is large.
        """
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        own = torch.stack([wide.mean(dim=(0, 2, 3)), wide.var(dim=(0, 2, 3), correction=0)])  # (2, C)
        placed = torch.zeros(across.size, *own.shape, dtype=own.dtype, device=own.device)
        placed[across.rank] = own
        means, variances = across.total(placed).unbind(1)  # (processes, C) each
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        if self.moving:
            count = across.size * x.numel() // x.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                unbiased = variance * (count / (count - 1))
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        scale = torch.rsqrt(variance + self.eps)
        scale, shift = (
            (scale, -mean * scale) if gain is None or bias is None else (gain * scale, bias - mean * gain * scale)
        )
        return torch.addcmul(shift[:, None, None], wide, scale[:, None, None]).to(x.dtype)


def share_statistics(network: nn.Module, across: Across | None) -> None:
    """Let training-mode batch norms over a whole batch use the pictures of all processes; None for this one's alone."""
    for module in network.modules():
        if isinstance(module, BatchNorm2d):
            module.across = across


def own_statistics(network: nn.Module) -> AbstractContextManager[None]:
    """Inside, batch norms ask no other process: for a look that one of them takes alone."""
    return _with_each(network, "across", None)


def mixes_pictures(network: nn.Module) -> bool:
    """Whether what a network says of one picture depends on the others of its batch, as it does with batch norm."""
    return any(isinstance(module, BatchNorm2d) for module in network.modules())


def still_statistics(network: nn.Module) -> AbstractContextManager[None]:
    """Inside, training-mode batch norms use the batch's statistics without remembering them."""
    return _with_each(network, "moving", False)


@contextmanager
def _with_each(network: nn.Module, name: str, value: object) -> Iterator[None]:
    """Inside, an attribute of every batch norm has this value."""
    layers = [module for module in network.modules() if isinstance(module, BatchNorm2d)]
    before = [getattr(layer, name) for layer in layers]
    for layer in layers:
        setattr(layer, name, value)
    try:
        yield
    finally:
        for layer, old in zip(layers, before, strict=True):
            setattr(layer, name, old)
