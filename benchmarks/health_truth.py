"""Whether a small run on the emblems failed, and since when, from a large sample and all its pixels.

This judges the health watch, which never sees what is used here. At each look 256 pictures are drawn with seeds that the watch
does not use, labels as in the data, and held against 512 emblems that no run was trained on. Two numbers:

    modes       pictures are counted by the nearest of 64 typical emblems (k-means on all pixels); the exponential of the
                counts' entropy says how many kinds are drawn, over the same for real emblems
    distance    Fréchet distance over the 32 leading principal directions of all pixels, over the untrained generator's

A run is failing at a look when the distance is above WORST_DISTANCE or, from look VARIED on, fewer than FEWEST_MODES of the
kinds are drawn. It has FAILED when it is failing at its end. The ONSET is the look from which on it is failing without a
break; of a run that never got going, look GOING. (The sound runs of `tune` fell below that distance by look 4 and had those
kinds by look 7.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sagan.data.emblems import SET_SIZE, render
from sagan.models.network import Generator
from sagan.sampling import draw

LOOKS = 10
COUNT, KINDS, DIRECTIONS = 256, 64, 32
FIRST_SEED = 1_000_000
FEWEST_MODES, WORST_DISTANCE = 0.15, 0.35
GOING, VARIED = 5, 7

Array = NDArray[np.float64]
Row = dict[str, float]


class Truth:
    """Measures generators of 16x16 emblems."""

    def __init__(self) -> None:
        pictures, self.labels = render(np.arange(SET_SIZE, SET_SIZE + 2048), 16)
        real = flat(pictures)
        self.centre = real.mean(axis=0)
        self.directions = np.linalg.svd(real[:1024] - self.centre, full_matrices=False)[2][:DIRECTIONS]
        self.kinds = k_means(real[:1024])
        held_out = real[1024:1536]
        self.real_kinds = self.effective_kinds(held_out)
        self.real_moments = moments((held_out - self.centre) @ self.directions.T)

    def measure(self, generator: Generator) -> Row:
        """The two numbers of a generator in eval mode; the distance still without its unit."""
        labels = self.labels[:COUNT].tolist() if generator.classes else None
        drawn = flat(draw(generator, range(FIRST_SEED, FIRST_SEED + COUNT), labels))
        distance = frechet(moments((drawn - self.centre) @ self.directions.T), self.real_moments)
        return {"truth/modes": self.effective_kinds(drawn) / self.real_kinds, "truth/distance": distance}

    def effective_kinds(self, pictures: Array) -> float:
        counts = np.bincount(nearest(pictures, self.kinds), minlength=KINDS) / len(pictures)
        counts = counts[counts > 0]
        return float(np.exp(-(counts * np.log(counts)).sum()))


def course(rows: Sequence[Row]) -> list[bool]:
    """Whether the run is failing, look by look; the first row is the untrained network's, and no look."""
    unit = rows[0]["truth/distance"]
    return [
        "broke" in row
        or row["truth/distance"] > WORST_DISTANCE * unit
        or (look >= VARIED and row["truth/modes"] < FEWEST_MODES)
        for look, row in enumerate(rows[1:], start=1)
    ]


def failed(rows: Sequence[Row]) -> bool:
    """Whether the run is failing at its end. One that left the finite did not fail in this sense: another guard's business."""
    return "broke" not in rows[-1] and course(rows)[-1]


def onset(rows: Sequence[Row]) -> int:
    """The look, counted from 1, from which on a failed run is failing without a break; GOING for one that never got going."""
    looks = course(rows)
    start = len(looks)
    while start > 1 and looks[start - 2]:
        start -= 1
    return GOING if start == 1 else start


def flat(pictures: NDArray[np.uint8]) -> Array:
    return pictures.reshape(len(pictures), -1) / 255.0


def nearest(points: Array, kinds: Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (np.square(kinds).sum(axis=1) - 2.0 * points @ kinds.T).argmin(axis=1)
    return found


def k_means(points: Array) -> Array:
    kinds = points[:KINDS].copy()
    for _ in range(15):
        of = nearest(points, kinds)
        kinds = np.stack([points[of == k].mean(axis=0) if (of == k).any() else kinds[k] for k in range(KINDS)])
    return kinds


def moments(points: Array) -> tuple[Array, Array]:
    return points.mean(axis=0), np.cov(points, rowvar=False)


def frechet(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    """Dowson and Landau 1982; the trace of the root by the eigenvalues of a symmetric product."""
    values, vectors = np.linalg.eigh(a[1])
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b[1] @ root), 0.0)).sum()
    return float(np.square(a[0] - b[0]).sum() + np.trace(a[1]) + np.trace(b[1]) - 2.0 * cross)
