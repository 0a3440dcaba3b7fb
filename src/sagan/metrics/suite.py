"""All metrics of two sets of features, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.metrics.accuracy import classification_accuracy
from sagan.metrics.features import FeatureNetwork, Features
from sagan.metrics.frechet import frechet_distance
from sagan.metrics.inception_score import inception_score
from sagan.metrics.intra_class import intra_class_distance
from sagan.metrics.kernel import kernel_distance
from sagan.metrics.moments import moments_of
from sagan.metrics.neighbours import DENSITY_K, PRECISION_K, precision_recall

METRICS = ("frechet", "kid", "is", "prdc", "intra", "cas")
MOST_NEIGHBOURS = 10_000  # of each kind for precision and recall, as in their papers; the cost grows with the square


@dataclass(frozen=True)
class Sample:
    """One side. features: (n, d); of the drawn side in no order, since scores are taken part by part.  labels: (n,)."""

    features: Features
    labels: NDArray[np.int64]

    def rows(self, chosen: NDArray[np.int64]) -> Sample:
        """Some of it."""
        return Sample(self.features[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Measured:
    """metric: name in files.  settings: what else it depends on, in words.  higher: is more better? None for a spread."""

    metric: str
    value: float
    settings: str = ""
    higher: bool | None = None


def measure(
    names: Sequence[str],
    network: FeatureNetwork,
    real: Sample,
    fake: Sample,
    classes: int,
    *,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> tuple[list[Measured], list[str]]:
    """-> (figures, one line for each metric that cannot be had here).  names: of METRICS.  classes: 0 without.

    tell: called with the name of each metric as it begins.
    """
    check_names(names)
    found, reasons = list[Measured](), list[str]()
    for name in METRICS:
        if name not in names:
            continue
        if tell is not None:
            tell(name)
        try:
            found += _MEASURES[name](network, real, fake, classes, seed)
        except ConfigError as error:
            reasons.append(f"no {name}: {error}")
    return found, reasons


def check_names(names: Sequence[str]) -> None:
    """Raise ConfigError for a metric that does not exist."""
    if unknown := [name for name in names if name not in METRICS]:
        raise ConfigError(f"there is no metric {unknown[0]!r}", remedy=f"There are: {', '.join(METRICS)}.")
    if not names:
        raise ConfigError("no metric is named", remedy=f"There are: {', '.join(METRICS)}.")


def _frechet(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    value = frechet_distance(moments_of(real.features), moments_of(fake.features))
    return [Measured("frechet", value, higher=False)]


def _kid(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    found = kernel_distance(real.features, fake.features, seed=seed)
    if found.subsets == 1:
        return [Measured("kid", found.estimate, f"all {found.subset_size}", False)]
    settings = f"{found.subsets} subsets of {found.subset_size}"
    return [Measured("kid", found.estimate, settings, False), Measured("kid_spread", found.spread, settings)]


def _is(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    found = inception_score(network.logits(fake.features))
    settings = f"mean over {found.splits} splits"
    return [
        Measured("inception_score", found.splits_mean, settings, True),
        Measured("inception_score_spread", found.splits_std, settings),
        Measured("inception_score_whole", found.whole, "one split", True),
    ]


def _prdc(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    count = min(len(real.features), len(fake.features), MOST_NEIGHBOURS)
    # Evenly spread over the set: real pictures may be sorted by class, and drawn ones are in no order.
    a, b = (side.features[np.arange(count) * len(side.features) // count] for side in (real, fake))
    found = precision_recall(a, b)
    near, dense = f"k={PRECISION_K}, {count} of each", f"k={DENSITY_K}, {count} of each"
    return [
        Measured("precision", found.precision, near, True),
        Measured("recall", found.recall, near, True),
        Measured("density", found.density, dense, True),
        Measured("coverage", found.coverage, dense, True),
    ]


def _intra(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    if not classes:
        raise ConfigError("the two sides share no classes")
    found = intra_class_distance(real.features, real.labels, fake.features, fake.labels, classes)
    return [
        Measured("intra_frechet", found.mean, f"{classes} classes, at least {found.fewest} pictures in each", False)
    ]


def _cas(network: FeatureNetwork, real: Sample, fake: Sample, classes: int, seed: int) -> list[Measured]:
    if not classes:
        raise ConfigError("the two sides share no classes")
    value = classification_accuracy(fake.features, fake.labels, real.features, real.labels, classes)
    return [Measured("classification_accuracy", value, f"linear, learnt from {len(fake.features)} pictures", True)]


_MEASURES = {"frechet": _frechet, "kid": _kid, "is": _is, "prdc": _prdc, "intra": _intra, "cas": _cas}
