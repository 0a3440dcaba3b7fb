"""Mean and covariance of features, gathered batch by batch: the features never lie in memory together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError

ROWS = 4096  # features turned to float64 at a time


def blocks(features: NDArray[np.floating[Any]], rows: int = ROWS) -> Iterator[NDArray[np.float64]]:
    """Features (n, d) of any float type, as float64, `rows` at a time."""
    for start in range(0, len(features), rows):
        yield features[start : start + rows].astype(np.float64)


class Moments:
    """count, mean (d,) and covariance (d, d) of all features added so far, in float64.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), so a mean far from zero costs no digits.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean = np.zeros(dimension)
        self._scatter = np.zeros((dimension, dimension))

    def add(self, features: NDArray[np.floating[Any]]) -> None:
        """features: (n, d), n of 0 or more."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ConfigError(f"features of shape {features.shape}, not (n, {len(self.mean)})")
        for block in blocks(features):
            mean = block.mean(axis=0)
            centred = block - mean
            apart, total = mean - self.mean, self.count + len(block)
            self._scatter += centred.T @ centred + np.outer(apart, apart) * (self.count * len(block) / total)
            self.mean = self.mean + apart * (len(block) / total)
            self.count = total

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The unbiased one, divided by n - 1. Raises ConfigError for fewer than two features."""
        if self.count < 2:
            raise ConfigError(f"{self.count} pictures have no covariance", remedy="Use at least 2.")
        return self._scatter / (self.count - 1)


def moments_of(features: NDArray[np.floating[Any]]) -> Moments:
    """The moments of features (n, d)."""
    moments = Moments(features.shape[1])
    moments.add(features)
    return moments
