"""How much a set of pictures varies, and how far it lies from real ones, in a handful of numbers that cost milliseconds.

A picture is described by its 4x4 cells: each channel's mean and contrast there, in units of the real pictures' own standard
deviation. That sees a drop of variety, repeated pictures, and pictures unlike the real ones. It is no measure of quality:
numbers of this kind from two runs do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError

Pictures = NDArray[np.uint8]
Array = NDArray[np.float64]

CELLS = 4  # along a side
FEWEST = 8  # of fewer pictures no spread is measured
_FLOOR = (
    0.01  # least unit of a description, in [0, 1] of brightness: what is constant in the real pictures stays finite
)


@dataclass(frozen=True)
class Spread:
    """Generated pictures beside real ones. 1 is as much as in the real pictures, but for `distance`, where 0 is best."""

    pixels: float
    """Standard deviation over the pictures, pixel by pixel."""
    features: float
    """The same of the descriptions: noise in single pixels does not count here."""
    nearest: float
    """Mean distance from a picture to the one most like it, by their descriptions: near 0 when pictures repeat."""
    distance: float
    """Mean squared difference of means and of standard deviations, in the real pictures' standard deviations."""


class Reference:
    """What is measured once on real pictures, for generated ones to be held against.

    pictures: (n, R, R, C) uint8, n at least FEWEST; generated ones are to be as many. Raises ConfigError for fewer.
    """

    def __init__(self, pictures: Pictures) -> None:
        if len(pictures) < FEWEST:
            raise ConfigError(
                f"{len(pictures)} pictures are too few to measure their spread", remedy=f"Give at least {FEWEST}."
            )
        self.count = len(pictures)
        described = describe(pictures)
        self.mean = described.mean(axis=0)
        self.unit = np.maximum(described.std(axis=0), _FLOOR)
        self.pixels = max(_deviation(pictures.reshape(len(pictures), -1) / 255.0), _FLOOR)
        standardised = (described - self.mean) / self.unit
        self.deviation = standardised.std(axis=0)  # 1, but where the floor holds
        self.features = max(_deviation(standardised), _FLOOR)
        self.nearest = max(nearest_distance(standardised), _FLOOR)

    def measure(self, pictures: Pictures) -> Spread:
        """The spread of generated pictures (n, R, R, C) beside that of the real ones; n as many as those."""
        assert len(pictures) == self.count, "the nearest picture is nearer among more"
        standardised = (describe(pictures) - self.mean) / self.unit
        offset = np.square(standardised.mean(axis=0)) + np.square(standardised.std(axis=0) - self.deviation)
        return Spread(
            pixels=_deviation(pictures.reshape(len(pictures), -1) / 255.0) / self.pixels,
            features=_deviation(standardised) / self.features,
            nearest=nearest_distance(standardised) / self.nearest,
            distance=float(offset.mean()),
        )


def describe(pictures: Pictures) -> Array:
    """(n, R, R, C) uint8 -> (n, 2 * CELLS**2 * C): the mean and the contrast of each cell, in [0, 1] of brightness."""
    bright = pictures.astype(np.float64) / 255.0
    share = _cells(pictures.shape[1])
    mean = np.einsum("ar,nrsc,bs->nabc", share, bright, share, optimize=True)
    square = np.einsum("ar,nrsc,bs->nabc", share, np.square(bright), share, optimize=True)
    contrast = np.sqrt(np.maximum(square - np.square(mean), 0.0))
    return np.concatenate([mean.reshape(len(mean), -1), contrast.reshape(len(mean), -1)], axis=1)


def nearest_distance(points: Array) -> float:
    """Mean distance from each of the points (n, d) to the nearest other one, over the square root of d."""
    length = np.square(points).sum(axis=1)
    squared = np.maximum(length[:, None] + length[None, :] - 2.0 * points @ points.T, 0.0)
    np.fill_diagonal(squared, np.inf)
    return float(np.sqrt(squared.min(axis=1) / points.shape[1]).mean())


def _cells(side: int) -> Array:
    """(CELLS, side): the share of each row of pixels in each row of cells; rows sum to 1."""
    edges = np.arange(CELLS + 1) * side / CELLS
    pixel = np.arange(side)
    inside = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.clip(inside, 0.0, 1.0) * CELLS / side


def _deviation(points: Array) -> float:
    """Root mean square over the dimensions of (n, d) of the standard deviation over the points."""
    return float(np.sqrt(points.var(axis=0).mean()))
