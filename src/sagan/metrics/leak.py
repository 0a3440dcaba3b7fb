"""Is a generator copying its training pictures? Samples beside a baseline: training pictures looked up in the same way.

A sample is called a copy when its nearest training picture is much nearer than the other pictures that look like it. Real
sets hold near-equal pictures too, so training pictures are looked up in all the others: as many "copies" as that is what a
generator without any memory would show, and the verdict is about more than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagan.metrics.nearest import Nearest

MOST_RATIO = 0.55  # of the usual distance, below which a pair is a copy
STRICTER = (0.25, 0.1)  # copies that were hardly altered stand out from near-equal real pictures by this
MOST_DISTANCE = 0.6  # and below this itself: of pictures of norm 1, 1.4 is unrelated
CHANCE = 1e-3  # that a generator without memory is called copying


@dataclass(frozen=True)
class LeakVerdict:
    """copies: (k,), samples that are copies, nearest first.  baseline: how many training pictures have such a twin.

    leaking: whether there are more than that explains.  chance: of as many under the baseline's share,
    by the strictest of three tests and for having made three.
    nearer: share of samples that lie nearer to a training picture, in features, than the nearest tenth of the baseline.
    """

    copies: NDArray[np.int64]
    samples: int
    baseline: int
    looked_up: int
    leaking: bool
    chance: float
    nearer: float
    words: str


def are_copies(found: Nearest) -> NDArray[np.bool_]:
    """(n,): which samples are copies."""
    return (found.ratio < MOST_RATIO) & (found.distance < MOST_DISTANCE)


def judge(found: Nearest, baseline: Nearest) -> LeakVerdict:
    """found: of the samples.  baseline: of training pictures, each without itself."""
    flagged = np.flatnonzero(are_copies(found))
    copies = flagged[np.argsort(found.ratio[flagged], kind="stable")]
    samples, looked_up, twins = len(found.index), len(baseline.index), _twins(baseline, MOST_RATIO)
    chances = [
        chance_of(int((found.ratio[flagged] < most).sum()), samples, _twins(baseline, most), looked_up)
        for most in (MOST_RATIO, *STRICTER)
    ]
    chance = min(1.0, len(chances) * min(chances))
    leaking = len(copies) > 0 and chance < CHANCE
    near = float(np.quantile(baseline.feature_distance, 0.1))
    if not len(copies):
        words = f"No copy of a training picture among {samples:,} samples."
    elif leaking:
        words = (
            f"{len(copies):,} of {samples:,} samples lie as near to a training picture as a copy, more or nearer ones than "
            f"among the training pictures themselves ({twins:,} of {looked_up:,}): the generator copies."
        )
    else:
        words = (
            f"{len(copies):,} of {samples:,} samples lie as near to a training picture as a copy, which is not clearly "
            f"more than among the training pictures themselves ({twins:,} of {looked_up:,}). Look at the pairs."
        )
    nearer = float((found.feature_distance < near).mean())
    return LeakVerdict(copies, samples, twins, looked_up, leaking, chance, nearer, words)


def _twins(baseline: Nearest, most: float) -> int:
    return int((are_copies(baseline) & (baseline.ratio < most)).sum())


def chance_of(copies: int, samples: int, twins: int, looked_up: int) -> float:
    """Fisher's exact test, one-sided: the chance of at least so many copies if samples and baseline were alike.

    All ways to share out copies + twins among samples + looked_up pictures are equally likely then.
    """
    total, marked = samples + looked_up, copies + twins
    whole = _log_ways(total, marked)
    return min(
        1.0,
        sum(
            math.exp(_log_ways(samples, k) + _log_ways(looked_up, marked - k) - whole)
            for k in range(copies, min(samples, marked) + 1)
            if marked - k <= looked_up
        ),
    )


def _log_ways(n: int, k: int) -> float:
    """Logarithm of the number of ways to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
