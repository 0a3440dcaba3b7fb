"""Seeds to pictures. One integer is one picture, whatever is drawn beside it.

A seed's latent is a pure function of the seed. Pictures are computed in a fixed inner batch (the last one is filled up with
its own last picture), because another batch size may choose other kernels: so the same seed gives the same pixels. That holds
for every engine (`engines.choose`); two engines' pixels may differ by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagan.errors import ConfigError
from sagan.models.network import Generator
from sagan.randomness import Stream, integers, normal

Seeds = Sequence[int] | NDArray[np.int64]
INNER_BATCH = 16
MAX_TRIES = 64  # of a truncated value; at the tightest bound offered fewer than one in 10**4 needs them all
MIN_TRUNCATION = 0.2


class Engine(Protocol):
    """What makes pictures of latents: a generator, a folded one, a compiled one (`sagan.engines`)."""

    def __call__(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """latents: (B, z_dim) float32; labels: (B,) int64 when there are classes; both on the generator's device.

        Returns pictures (B, channels, R, R) in [-1, 1], float32.
        """
        ...


def draw_latents(seeds: Seeds, z_dim: int, truncation: float = 0.0) -> NDArray[np.float32]:
    """The latents of seeds: (n, z_dim), standard normal.

    truncation: values beyond +-truncation are drawn again (resampling, spec 6.5); 0 for none.
    Raises ConfigError for a bound so tight that resampling would not end.
    """
    if truncation and truncation < MIN_TRUNCATION:
        raise ConfigError(
            f"trunc is {truncation:g}", remedy=f"Use at least {MIN_TRUNCATION:g}, or 0 for no truncation."
        )
    keys = _keys(seeds)
    latents = normal(keys, Stream.LATENT, 0, z_dim)
    for attempt in range(MAX_TRIES):
        outside = np.abs(latents) > truncation
        if not truncation or not outside.any():
            return latents
        latents = np.where(outside, normal(keys, Stream.TRUNCATION, attempt, z_dim), latents)
    return np.clip(latents, -truncation, truncation)


def between_latents(first: NDArray[np.float32], second: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """A latent between two, along the great circle: (z,) and (z,) -> (z,).

    share: 0 is the first, 1 the second. Lengths are interpolated too, so that what lies between is as long as latents are:
    the straight line passes nearer to the origin than almost any latent (White, arXiv:1609.04468).
    """
    one, other = first.astype(np.float64), second.astype(np.float64)
    length, other_length = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    cosine = float(one @ other) / max(length * other_length, 1e-12)
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    if math.sin(angle) < 1e-6 or not length * other_length:  # one direction, opposite ones, or none: no one circle
        return ((1 - share) * one + share * other).astype(np.float32)
    weights = math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    direction = weights[0] * one / length + weights[1] * other / other_length
    return (((1 - share) * length + share * other_length) * direction).astype(np.float32)


def draw_labels(seeds: Seeds, classes: int) -> NDArray[np.int64]:
    """A class for each seed, uniformly: (n,); zeros for an unconditional generator."""
    return integers(_keys(seeds), Stream.LABEL, 0, 1, max(classes, 1))[:, 0]


def _keys(seeds: Seeds) -> NDArray[np.int64]:
    """Seeds as an array (n,). Raises ConfigError for one that is negative or too large."""
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**63]:
        raise ConfigError(f"a seed is {wrong[0]}", remedy="Seeds are whole numbers from 0 and below 2**63.")
    return np.asarray(seeds, dtype=np.int64)


@torch.no_grad()
def draw(
    generator: Generator,
    seeds: Sequence[int],
    labels: Sequence[int] | None = None,
    *,
    truncation: float = 0.0,
    engine: Engine | None = None,
) -> NDArray[np.uint8]:
    """Pictures of a generator in eval mode: (n, R, R, C) uint8, C being its 1, 3 or 4 channels.

    seeds: one a picture, from 0 to 2**63 - 1.  labels: one class a picture; None draws them from the seeds.
    truncation: see `draw_latents`.  engine: computes in the generator's place, such as `engines.fold` of it, to be faster.
    The generator's state does not change. Raises ConfigError for a label it has not.
    """
    if generator.training:
        raise ConfigError("the generator is in training mode", remedy="Call generator.eval() before drawing from it.")
    latents = draw_latents(seeds, generator.z_dim, truncation)
    chosen = draw_labels(seeds, generator.classes) if labels is None else np.asarray(labels, dtype=np.int64)
    if len(chosen) != len(latents):
        raise ConfigError(f"{len(chosen)} labels for {len(latents)} seeds", remedy="Give one label for each seed.")
    known = max(generator.classes, 1)
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < known:
        raise ConfigError(
            f"a label is outside 0 to {known - 1}", remedy=f"The generator has {generator.classes or 'no'} classes."
        )
    if not len(latents):
        side = generator.resolution
        return np.empty((0, side, side, generator.channels), dtype=np.uint8)
    paint = generator if engine is None else engine
    return np.concatenate(
        [
            to_pixels(paint(*inner_batch(generator, latents[start:], chosen[start:]))[: len(latents) - start])
            for start in range(0, len(latents), INNER_BATCH)
        ]
    )


def inner_batch(
    generator: Generator, latents: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[Tensor, Tensor | None]:
    """The first INNER_BATCH rows as tensors on the generator's device, the last row repeated where there are fewer."""
    rows = np.minimum(np.arange(INNER_BATCH), len(latents) - 1)
    device = next(generator.parameters()).device
    chosen = torch.from_numpy(labels[rows]).to(device) if generator.classes else None
    return torch.from_numpy(latents[rows]).to(device), chosen


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """(n, C, R, R) in [-1, 1] -> (n, R, R, C) uint8, rounded to the nearest level."""
    levels = images.detach().float().add(1.0).mul(127.5).round().clamp_(0, 255).to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
