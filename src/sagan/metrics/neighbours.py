"""Metrics of who lies near whom: improved precision and recall, density and coverage. Memory grows with n, not with n^2.

    precision  share of drawn pictures inside the real manifold    (Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1-2)
    recall     share of real pictures inside the drawn manifold
    density    how many real neighbourhoods a drawn picture lies in, over k    (Naeem et al. 2020, arXiv:2002.09797, eq. 4)
    coverage   share of real neighbourhoods that hold a drawn picture          (eq. 5)

A neighbourhood is the ball of a picture that reaches to its k-th nearest of the same set. Its border belongs to it, as in the
papers' formulas; the code of the second paper leaves it out, which shows only among exact duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError

BLOCK_ELEMENTS = 4 << 20  # of a distance matrix at a time: 32 MiB
PRECISION_K, DENSITY_K = 3, 5  # the papers' own

Features = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class PrecisionRecall:
    """Each in [0, 1], except density, which may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(
    real: Features, fake: Features, *, k: int = PRECISION_K, density_k: int = DENSITY_K
) -> PrecisionRecall:
    """real: (m, d), fake: (n, d), each with more pictures than k and density_k; the metrics assume m about n.

    Raises ConfigError for fewer.
    """
    most = max(k, density_k)
    if min(len(real), len(fake)) <= most:
        raise ConfigError(f"precision and recall need more than {most} pictures of each kind")
    real_radii = neighbour_distances(real, [k, density_k])
    fake_radii = neighbour_distances(fake, [k])[:, 0]
    inside, inside_count = np.zeros(len(fake), dtype=np.bool_), np.zeros(len(fake), dtype=np.int64)
    recalled, covered = np.zeros(len(real), dtype=np.bool_), np.zeros(len(real), dtype=np.bool_)
    for part, squares in squared_distances(real, fake):
        inside |= (squares <= real_radii[part, :1]).any(axis=0)
        near = squares <= real_radii[part, 1:]
        inside_count += near.sum(axis=0)
        covered[part] = near.any(axis=1)
        recalled[part] = (squares <= fake_radii).any(axis=1)
    density = inside_count.mean() / density_k
    return PrecisionRecall(float(inside.mean()), float(recalled.mean()), float(density), float(covered.mean()))


def neighbour_distances(features: Features, ks: list[int]) -> NDArray[np.float64]:
    """Squared distance of each picture (n, d) to its k-th nearest other one -> (n, len(ks))."""
    found = np.empty((len(features), len(ks)))
    for part, squares in squared_distances(features, features):
        found[part] = np.partition(squares, ks, axis=1)[:, ks]  # place 0 is itself, or a duplicate at the same distance
    return found


def squared_distances(rows: Features, columns: Features) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """|x - y|^2 for x of (m, d) and y of (n, d), a block of rows at a time: (which rows, (rows, n)); never negative.

    Both are moved by one vector first, so that features far from zero lose no digits in |x|^2 + |y|^2 - 2 x.y.
    """
    centre = columns.mean(axis=0, dtype=np.float64)
    y = columns.astype(np.float64) - centre
    y_norms = np.einsum("ij,ij->i", y, y)
    step = max(1, BLOCK_ELEMENTS // max(1, len(columns)))
    for start in range(0, len(rows), step):
        x = rows[start : start + step].astype(np.float64) - centre
        squares = x @ y.T
        squares *= -2.0
        squares += np.einsum("ij,ij->i", x, x)[:, None]
        squares += y_norms
        yield slice(start, start + len(x)), np.maximum(squares, 0.0, out=squares)
