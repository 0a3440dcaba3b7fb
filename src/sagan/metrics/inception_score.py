"""Inception Score (Salimans et al. 2016, arXiv:1606.03498, section 4): exp of the mean KL(p(y|x) || p(y)).

Two conventions are in use and are not comparable: the mean over splits, 10 as a rule, each with its own p(y); and one score
of the whole set, which is larger (spec 6.1). Both are given by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError

SPLITS = 10


@dataclass(frozen=True)
class InceptionScore:
    """splits_mean, splits_std: over `splits` consecutive parts (std divides by their number).  whole: of all at once."""

    splits_mean: float
    splits_std: float
    whole: float
    splits: int


def inception_score(logits: NDArray[np.floating[Any]], splits: int = SPLITS) -> InceptionScore:
    """logits: (n, classes), one row a picture, in the order drawn; the order decides the splits.

    Fewer pictures than splits make as many splits as pictures. Raises ConfigError without pictures.
    """
    if logits.ndim != 2 or not len(logits):
        raise ConfigError(f"an Inception Score needs logits (n, classes), not {logits.shape}")
    rows = logits.astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    log_p = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    splits = min(splits, len(log_p))
    edges = [i * len(log_p) // splits for i in range(splits + 1)]
    scores = np.array([_score(log_p[a:b]) for a, b in zip(edges, edges[1:], strict=False)])
    return InceptionScore(float(scores.mean()), float(scores.std()), _score(log_p), splits)


def _score(log_p: NDArray[np.float64]) -> float:
    """log_p: (n, classes), normalised. Between 1 and the number of classes."""
    p = np.exp(log_p)
    log_marginal = np.log(np.maximum(p.mean(axis=0), np.finfo(np.float64).tiny))
    return float(np.exp((p * (log_p - log_marginal)).sum(axis=1).mean()))
