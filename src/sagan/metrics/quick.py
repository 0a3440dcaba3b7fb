"""A cheap score for the training loop: the same latents every time, a thousand pictures or two, some seconds.

    statistics = quick_statistics(offline_features(), images, recipe="crop #ffffff")     # once a run
    values = quick_score(lambda seeds: draw(generator, seeds, engine=engine), statistics)      # on a schedule

The pictures come from a callable, so nothing here can change a generator. Numbers of few pictures are biased upwards: they
order the checkpoints of one run and are comparable with nothing else, which the protocol says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sagan.data.image_set import ImageSet
from sagan.metrics.cache import FeatureCache
from sagan.metrics.features import BATCH, FeatureNetwork, Features, Pictures, collect
from sagan.metrics.frechet import frechet_distance
from sagan.metrics.kernel import unbiased_mmd
from sagan.metrics.moments import Moments, moments_of
from sagan.metrics.neighbours import PRECISION_K, precision_recall
from sagan.metrics.real import real_set

COUNT = 1000
REAL = 10_000
FIRST_SEED = 1 << 40  # of the pictures that are scored: far from those that grids and `sagan sample` show

Drawer = Callable[[Sequence[int]], Pictures]


@dataclass(frozen=True)
class QuickStatistics:
    """What a run's scores are measured against. features: `COUNT` of the real pictures.  moments: of up to REAL of them."""

    network: FeatureNetwork
    moments: Moments
    features: Features
    count: int
    fingerprint: str

    @property
    def protocol(self) -> str:
        """In one line, for best.json: values of two protocols never compare."""
        return (
            f"frechet, {self.count} averaged pictures, {self.moments.count} real, {self.network.name} "
            f"{self.network.weights[:12]}, data {self.fingerprint[:12]}"
        )


def quick_statistics(
    network: FeatureNetwork, images: ImageSet, *, recipe: str, count: int = COUNT, cache: FeatureCache | None = None
) -> QuickStatistics:
    """Once a run: features of at most REAL real pictures.  recipe: as in `real_set`.  count: pictures of each score."""
    real = real_set(network, images, recipe, most=REAL, cache=cache)
    few = real.features[np.arange(min(count, len(real.ids))) * len(real.ids) // min(count, len(real.ids))]
    return QuickStatistics(network, moments_of(real.features), few, count, images.fingerprint)


def quick_score(draw: Drawer, statistics: QuickStatistics) -> dict[str, float]:
    """Score `statistics.count` pictures: 'frechet', 'kid' (lower is better), 'precision', 'recall' (higher is better).

    draw: seeds -> pictures (n, R, R, C) uint8, such as `sampling.draw` of a folded generator in eval mode. The seeds are the
    same at every call, so scores of one run differ by the generator alone. Precision and recall are left out where there
    are too few pictures for them.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + statistics.count)
    batches = (draw(seeds[start : start + BATCH]) for start in range(0, len(seeds), BATCH))
    features = collect(statistics.network, batches, len(seeds))
    values = {
        "frechet": frechet_distance(statistics.moments, moments_of(features)),
        "kid": unbiased_mmd(statistics.features, features),
    }
    if min(len(features), len(statistics.features)) > PRECISION_K + 2:
        found = precision_recall(statistics.features, features)
        values |= {"precision": found.precision, "recall": found.recall}
    return values
