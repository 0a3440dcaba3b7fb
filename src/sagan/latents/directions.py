"""Directions of the latent space along which a generator's first layers change most. No training, no labels, no data.

    closed-form  eigenvectors of A'A, A the weight of the first linear layer and, where batch norms take the latent too, below
                 it the matrices by which they do                                        (Shen and Zhou, SeFa, arXiv:2007.06600)
    principal    principal components of a layer's maps over many latents, each taken back to the latents by least squares
                                                       (Haerkoenen et al., GANSpace, arXiv:2004.02546, its form for BigGAN)

On the first linear layer itself both are the same: of A z, with z standard normal, the covariance is AA'. So the principal ones
are taken behind the next block. Neither knows what a person would call its directions: one looks at the sheet and gives names.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.norm import BatchNorm2d
from sagan.models.network import Generator
from sagan.sampling import draw_labels, draw_latents

Method = Literal["principal", "closed-form"]

LOOKED_AT = 2048  # latents whose maps are analysed; more of them where latents are long
A_LATENT = 4  # for each of its numbers at least so many latents
FIRST_SEED = 1 << 61  # of those latents: far from those that people draw
BATCH = 64
MAX_BYTES = 1 << 30  # of the maps that are kept


@dataclass(frozen=True)
class Directions:
    """vectors: (k, z_dim), of length one; the largest number of each is positive.

    shares: (k,), of the variance that each explains, falling.  straight: (k,), how much of a direction's own component moving
    along it explains: 1 for a linear layer, about z_dim / LOOKED_AT for a component that no direction leads to.
    """

    vectors: NDArray[np.float32]
    shares: NDArray[np.float64]
    straight: NDArray[np.float64]


def stages(generator: Generator) -> list[nn.Module]:
    """The linear layer that takes the latent, and the layers after it that double the map, in the order of the data.

    Raises ConfigError for a generator of another build.
    """
    later = getattr(generator, "blocks", None) or getattr(generator, "doublings", None)
    stem = getattr(generator, "stem", None)
    if not isinstance(stem, nn.Module) or not isinstance(later, nn.ModuleList):
        raise ConfigError(f"{type(generator).__name__} has no first layers that are known here")
    return [stem, *later]


def first_weight(generator: Generator) -> Tensor:
    """The weight of the first linear layer as a matrix, in float64: (numbers of its map, z_dim).

    With its spectral norm divided out, as reading it does. Where it takes the beginning of the latent alone, the columns of the
    rest are zero.
    """
    weight = stages(generator)[0].weight
    assert isinstance(weight, Tensor)
    matrix = weight.detach().cpu().double()
    matrix = matrix.flatten(1).mT if matrix.ndim == 4 else matrix  # a transposed convolution has its inputs first
    return torch.nn.functional.pad(matrix, (0, generator.z_dim - matrix.shape[1]))


def closed_form(generator: Generator, count: int) -> Directions:
    """SeFa. count: how many, at most z_dim. Raises ConfigError."""
    _require(count, generator)
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
    modulating = [norm.by_latent.detach().cpu().double() for norm in norms if norm.by_latent is not None]
    matrix = torch.cat([first_weight(generator), *modulating])
    values, vectors = torch.linalg.eigh(matrix.mT @ matrix)  # ascending
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1).mT
    shares = (values / values.sum())[:count].numpy()
    return Directions(_oriented(vectors[:count].numpy()), shares, np.ones(count))


@torch.no_grad()
def principal(
    generator: Generator,
    count: int,
    *,
    layer: int = 1,
    label: int | None = None,
    truncation: float = 0.0,
    tell: Callable[[int, int], None] | None = None,
) -> Directions:
    """GANSpace, for a generator without a mapping network.

    count: how many, at most z_dim.  layer: behind which of `stages`.  label: of all pictures; None takes every class, and
    takes out of the maps what the classes differ by.  truncation: of the latents.  tell: called as tell(done, count).
    The same generator gives the same directions. Raises ConfigError.
    """
    _require(count, generator)
    if not 0 <= layer < len(stages(generator)):
        raise ConfigError(
            f"layer is {layer}", remedy=f"Choose 0, the first linear layer, to {len(stages(generator)) - 1}."
        )
    n = max(LOOKED_AT, A_LATENT * generator.z_dim)
    latents = _white(draw_latents(range(FIRST_SEED, FIRST_SEED + n), generator.z_dim, truncation))
    labels = draw_labels(range(FIRST_SEED, FIRST_SEED + n), generator.classes)
    if label is not None:
        labels = np.full_like(labels, label)
    maps = _maps(generator, stages(generator)[layer], latents, labels, tell)
    for number in np.unique(labels):
        rows = torch.from_numpy(np.flatnonzero(labels == number))
        maps[rows] -= maps[rows].mean(0)
    values, vectors = torch.linalg.eigh((maps @ maps.mT).double())  # of the pictures: fewer than a map has numbers
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)[:, :count]  # (n,), (n, k): components of length one
    back = torch.from_numpy(latents).double().mT @ vectors  # (z, k): least squares, since components are orthogonal
    straight = back.square().sum(0) / n  # the latents are white: these are the squared correlations, summed
    return Directions(
        _oriented(torch.nn.functional.normalize(back, dim=0).mT.numpy()),
        (values / values.sum())[:count].numpy(),
        straight.numpy(),
    )


def _require(count: int, generator: Generator) -> None:
    if not 1 <= count <= generator.z_dim:
        raise ConfigError(
            f"{count} directions were asked for", remedy=f"Latents have {generator.z_dim} numbers: ask for fewer."
        )


def _maps(
    generator: Generator,
    module: nn.Module,
    latents: NDArray[np.float32],
    labels: NDArray[np.int64],
    tell: Callable[[int, int], None] | None,
) -> Tensor:
    """What a layer makes of each latent, flat and in float32, on the processor: (n, numbers of its map)."""
    device = next(generator.parameters()).device
    kept: list[Tensor] = []
    found: Tensor | None = None

    def keep(_: nn.Module, inputs: object, output: Tensor) -> None:
        kept.append(output)
        raise _Reached  # what comes after would be most of the work

    handle = module.register_forward_hook(keep)
    try:
        for start in range(0, len(latents), BATCH):
            z = torch.from_numpy(latents[start : start + BATCH]).to(device)
            with suppress(_Reached):
                generator(z, torch.from_numpy(labels[start : start + BATCH]).to(device) if generator.classes else None)
            rows = kept.pop().float().flatten(1).cpu()
            if found is None:
                if 4 * len(latents) * rows.shape[1] > MAX_BYTES:
                    raise ConfigError(
                        "the maps of this layer are too large to be analysed", remedy="Choose a lower --layer."
                    )
                found = torch.empty(len(latents), rows.shape[1])
            found[start : start + len(rows)] = rows
            if tell is not None:
                tell(start + len(rows), len(latents))
    finally:
        handle.remove()
    assert found is not None
    return found


class _Reached(Exception):
    """The layer has answered."""


def _white(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latents moved a little so that their mean is zero and their covariance one, exactly: (n, z) -> (n, z).

    Then a linear layer gives its own singular vectors, without the noise of a sample.
    """
    centred = latents.astype(np.float64) - latents.mean(axis=0, dtype=np.float64)
    factor = np.linalg.cholesky(centred.T @ centred / len(centred))
    white: NDArray[np.float64] = np.linalg.solve(factor, centred.T).T
    return white.astype(np.float32)


def _oriented(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """(k, z), each with the sign that makes its largest number positive: eigenvectors have none of their own."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return (vectors * np.sign(largest)).astype(np.float32)
