"""Fréchet distance of two normal distributions (Heusel et al. 2017, arXiv:1706.08500, eq. 6); with Inception's features, FID.

    d^2 = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

The last term without the square root of a matrix: with S = A A^T from the symmetric eigen-decomposition, S1 S2 has the
eigenvalues of (A1^T A2)(A1^T A2)^T, so their roots are the singular values of A1^T A2. Real for every input, and exact where
there are fewer pictures than features and both S are singular.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.metrics.moments import Moments


def frechet_distance(real: Moments, fake: Moments) -> float:
    """The squared distance, as all tools report it; 0 for equal moments. Raises ConfigError for unlike widths."""
    if real.mean.shape != fake.mean.shape:
        raise ConfigError(f"features of {len(real.mean)} and of {len(fake.mean)} numbers have no distance")
    s1, s2 = real.covariance, fake.covariance
    shared = np.linalg.svd(_root(s1).T @ _root(s2), compute_uv=False).sum()
    apart = real.mean - fake.mean
    return max(0.0, float(apart @ apart + np.trace(s1) + np.trace(s2) - 2.0 * shared))


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (d, r) with A A^T = S. Directions in which nothing but rounding lies are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    if not kept.any():  # all features alike
        return np.zeros((len(values), 1))
    return vectors[:, kept] * np.sqrt(values[kept])
