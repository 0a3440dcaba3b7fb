"""What is measured on a trained generator. A measure is a function; what it means stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sagan.data.emblem_score import measure, score_of
from sagan.data.emblems import EMBLEM_CLASSES
from sagan.data.images import EMBLEMS, ImageSet
from sagan.engines import fold
from sagan.metrics.offline import offline_features
from sagan.metrics.quick import COUNT, REAL, QuickStatistics, quick_score, quick_statistics
from sagan.models.network import Generator
from sagan.sampling import draw

SCORED = 2048
PAIRS = 512
SHARES = ("structure", "mirror", "beacons", "silhouette")
MEDIANS = ("mirror_error", "beacon_fit", "overlap")


@dataclass(frozen=True)
class Measure:
    """Numbers of a generator, with what they need to be read.

    of: called with a generator in eval mode on its device and the real pictures; names to numbers, the same names always.
    headline: the number that the chart shows and rows are compared by.  better: which way it should go; `neither` where a
    larger number is not known to be better.  protocol: how it was measured; numbers of two protocols never compare.
    With several cells at a time `of` runs in other processes: it must then be a function of a module.
    """

    of: Callable[[Generator, ImageSet], dict[str, float]]
    headline: str
    better: Literal["higher", "lower", "neither"]
    protocol: str
    note: str = ""


def structure(generator: Generator, images: ImageSet) -> dict[str, float]:
    """The structure score and its three parts (`data.emblem_score`), classes shared out evenly where there are some.

    And the medians behind them: a short training passes no test, but one row comes nearer than another.
    """
    labels = np.arange(SCORED) % len(EMBLEM_CLASSES) if generator.classes else None
    pictures = _drawn(generator, SCORED, labels)
    found = measure(pictures, labels)
    shares = score_of(found, pictures.shape[1])
    medians = {name.replace("_", " "): float(np.median(getattr(found, name))) for name in MEDIANS}
    return {name: float(getattr(shares, name)) for name in SHARES} | medians


def diversity(generator: Generator, images: ImageSet) -> dict[str, float]:
    """How far apart two drawn pictures are on average, as a share of how far apart two real ones are (pixels, RMS)."""
    drawn = _drawn(generator, 2 * PAIRS, None)
    real = images.pictures(np.linspace(0, len(images) - 1, 2 * PAIRS).astype(np.int64))
    return {"diversity": apart(drawn) / max(apart(real), 1e-12)}


def distances(generator: Generator, images: ImageSet) -> dict[str, float]:
    """The quick score of `metrics.quick`: Fréchet distance, KID, precision, recall, in the offline features."""
    engine = fold(generator)
    return quick_score(lambda seeds: draw(generator, seeds, engine=engine), _statistics(images))


def _statistics(images: ImageSet) -> QuickStatistics:
    """Of the real pictures, once a process."""
    if images.fingerprint not in _KNOWN:
        _KNOWN[images.fingerprint] = quick_statistics(offline_features(), images, recipe=f"at {images.resolution}")
    return _KNOWN[images.fingerprint]


_KNOWN: dict[str, QuickStatistics] = {}


def apart(pictures: NDArray[np.uint8]) -> float:
    """Mean over pairs (first and last, second and last but one ...) of the root mean square difference, in levels of 255."""
    half = len(pictures) // 2
    difference = pictures[:half].astype(np.float32) - pictures[::-1][:half]
    return float(np.sqrt(np.square(difference).mean(axis=(1, 2, 3))).mean())


ON_EMBLEMS = Measure(
    structure,
    "structure",
    "higher",
    f"structure score and its medians, {SCORED:,} pictures, averaged generator",
    "The share of drawn emblems that are mirrored, have two beacons of one hue, and the outline of their class: structure at a"
    " distance. By how the test was set, about 97 of 100 real pictures pass all three. Beside the shares stand the medians of"
    " what was measured: the mirror error (0 is perfect, 1 unrelated halves), how well the worse beacon is a disc (1 is one),"
    " how much of the outline is covered (1 is all).",
)
ON_OTHERS = Measure(
    diversity,
    "diversity",
    "neither",
    f"pixel diversity, {PAIRS} pairs, averaged generator",
    "No quality of pictures is measured here, only whether they differ: 1 is as much as real ones do, 0 is always the same"
    " picture, and noise has diversity too. Rows cannot be ranked by it.",
)

ON_COLOUR = Measure(
    distances,
    "frechet",
    "lower",
    f"Fréchet distance in the offline features, {COUNT:,} pictures, at most {REAL:,} real, averaged generator",
    "Not the FID of papers: another network compares, and few pictures make every distance larger. The same latents are drawn"
    " in every cell, so that rows can be compared with each other, and with nothing else.",
)


def default_measure(data: str, channels: int) -> Measure:
    """The structure score on emblems, where the truth is known; on other colour pictures a Fréchet distance; on grey ones and
    those with transparency their diversity, which ranks nothing.

    data, channels: of the record.
    """
    if channels != 3:
        return ON_OTHERS
    return ON_EMBLEMS if data == EMBLEMS else ON_COLOUR


def _drawn(generator: Generator, count: int, labels: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    return draw(generator, range(count), None if labels is None else labels.tolist(), engine=fold(generator))
