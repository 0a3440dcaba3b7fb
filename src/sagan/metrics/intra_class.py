"""Intra-class Fréchet distance (Miyato & Koyama 2018, arXiv:1802.05637; SAGAN section 4.1): the mean of the classes' own.

It sees a generator that draws good pictures of the wrong class, or one picture a class. With few pictures a class it is
large for everybody: compare only what was measured with as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.metrics.frechet import frechet_distance
from sagan.metrics.moments import moments_of

Features = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class IntraClass:
    """mean: over the classes.  by_class: one distance each.  fewest: pictures of the smallest class of either set."""

    mean: float
    by_class: tuple[float, ...]
    fewest: int


def intra_class_distance(
    real: Features, real_labels: Labels, fake: Features, fake_labels: Labels, classes: int
) -> IntraClass:
    """Features (n, d) with labels (n,) in 0..classes-1. Raises ConfigError when a class has fewer than 2 pictures."""
    counts = np.minimum(np.bincount(real_labels, minlength=classes), np.bincount(fake_labels, minlength=classes))
    if counts.min() < 2:
        raise ConfigError(
            f"class number {int(counts.argmin())} has fewer than 2 pictures", remedy="Draw more pictures with -n."
        )
    values = tuple(
        frechet_distance(moments_of(real[real_labels == label]), moments_of(fake[fake_labels == label]))
        for label in range(classes)
    )
    return IntraClass(float(np.mean(values)), values, int(counts.min()))
