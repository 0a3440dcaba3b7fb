"""Kernel distance, KID (Binkowski et al. 2018, arXiv:1801.01401, section 4): the unbiased squared MMD with a cubic kernel.

    k(x, y) = (x.y / d + 1)^3

Unbiased: its expectation does not depend on how many pictures there are, so it suits small sets, and it can be negative.
The usual report is the mean and the spread over random subsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.randomness import Stream, permutation

SUBSETS, SUBSET_SIZE = 100, 1000

Features = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class KernelDistance:
    """estimate: mean over the subsets.  spread: their standard deviation, with their number as divisor."""

    estimate: float
    spread: float
    subsets: int
    subset_size: int


def unbiased_mmd(real: Features, fake: Features) -> float:
    """Squared MMD of two sets of features (m, d) and (n, d), each at least 2, without the bias of the diagonal."""
    x, y = real.astype(np.float64), fake.astype(np.float64)
    if min(len(x), len(y)) < 2:
        raise ConfigError("the kernel distance needs at least 2 pictures of each kind")
    m, n = len(x), len(y)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2.0 * xy.mean())


def kernel_distance(
    real: Features, fake: Features, *, seed: int = 0, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> KernelDistance:
    """KID over random subsets, drawn without repeats in each from both sets by (seed, subset).

    subset_size is lowered to the smaller set. Where both sets are no larger there is one subset, all of them, and no spread.
    Raises ConfigError for fewer than 2 pictures.
    """
    size = min(subset_size, len(real), len(fake))
    subsets = 1 if size == max(len(real), len(fake)) else subsets
    values = np.array(
        [
            unbiased_mmd(real[_subset(seed, 2 * i, len(real), size)], fake[_subset(seed, 2 * i + 1, len(fake), size)])
            for i in range(subsets)
        ]
    )
    return KernelDistance(float(values.mean()), float(values.std()), subsets, size)


def _subset(seed: int, index: int, count: int, size: int) -> NDArray[np.int64]:
    return permutation(seed, Stream.METRIC, index, count)[:size]


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x @ y.T / x.shape[1] + 1.0) ** 3
