"""The metrics once more, straight from their papers and as slow as they like: what sagan.metrics is compared with.

Where torchmetrics and torch-fidelity are installed, tests/metrics/test_oracles.py compares with them too.
"""

from __future__ import annotations

import numpy as np


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """Heusel et al. 2017, eq. 6, with the eigenvalues of S1 S2, a matrix that is not symmetric, as complex numbers."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(np.complex128))
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * roots.real.sum())


def frechet_of_few(x: np.ndarray, y: np.ndarray) -> float:
    """The same through the n x n matrix of inner products, which has the same eigenvalues that are not zero."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = x - x.mean(0), y - y.mean(0)
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt((len(x) - 1) * (len(y) - 1))
    trace = (a**2).sum() / (len(x) - 1) + (b**2).sum() / (len(y) - 1)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + trace - 2 * shared)


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Binkowski et al. 2018, eq. 4, pair by pair."""
    k = lambda a, b: (float(a @ b) / len(a) + 1.0) ** 3  # noqa: E731
    x, y = x.astype(np.float64), y.astype(np.float64)
    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


def inception_score(logits: np.ndarray) -> float:
    """Salimans et al. 2016: exp E KL(p(y|x) || p(y)), one split."""
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    marginal = p.mean(0)
    return float(np.exp(np.mean([sum(a * np.log(a / b) for a, b in zip(row, marginal, strict=True)) for row in p])))


def neighbour_metrics(real: np.ndarray, fake: np.ndarray, k: int, density_k: int) -> dict[str, float]:
    """Kynkaanniemi et al. 2019 and Naeem et al. 2020, distance by distance."""

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([[np.linalg.norm(u.astype(np.float64) - v) for v in b.astype(np.float64)] for u in a])

    def radius(a: np.ndarray, k: int) -> np.ndarray:
        return np.sort(distances(a, a), axis=1)[:, k]

    across = distances(real, fake)
    balls, wide = radius(real, k), radius(real, density_k)
    return {
        "precision": float((across <= balls[:, None]).any(0).mean()),
        "recall": float((across <= radius(fake, k)[None, :]).any(1).mean()),
        "density": float((across <= wide[:, None]).sum() / (density_k * len(fake))),
        "coverage": float((across.min(1) <= wide).mean()),
    }
