"""Are drawn pictures copies of training pictures? The verb `sagan leak`."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.image_set import ImageSet
from sagan.disk import write_atomic
from sagan.errors import ConfigError, DataError
from sagan.metrics.features import FeatureNetwork
from sagan.metrics.leak import LeakVerdict, judge
from sagan.metrics.nearest import CANDIDATES, FROM_FEATURES, Nearest, TrainingPictures
from sagan.metrics.offline import offline_features
from sagan.metrics.real import CHOICE
from sagan.randomness import Stream, permutation
from sagan.runtime import choose_runtime, memory_errors
from sagan.visualise.pairs_page import Pair, render_pairs
from sagan.workflows.looking_up import Tell, training_pictures
from sagan.workflows.run_folder import need_suffix
from sagan.workflows.subjects import Subject, open_subject, real_pictures

COUNT, BASELINE = 1000, 2000
SHOWN = 24  # pairs on the page
LEAST = 4 * (CANDIDATES + FROM_FEATURES)  # training pictures below which "the usual distance" means nothing


@dataclass(frozen=True)
class LeakResult:
    """verdict: with its words.  found: of each sample.  rows: the table.  page: the HTML file."""

    verdict: LeakVerdict
    found: Nearest
    baseline: Nearest
    rows: list[tuple[str, str]]
    notes: list[str]
    page: Path
    seconds: float


@memory_errors("Use fewer pictures with -n, or --device cpu.")
def leak(
    source: str | Path,
    data: str | None = None,
    *,
    n: int = COUNT,
    baseline: int = BASELINE,
    seed: int = 0,
    out: Path | None = None,
    device: str = "auto",
    tell: Tell | None = None,
) -> LeakResult:
    """Look for the nearest training picture of each of `n` samples, and write a page of the nearest pairs.

    source: a run, a checkpoint, a generator file, or a set of pictures.  data: the training pictures; None for the run's.
    baseline: how many training pictures are looked up among the others.  out: the HTML file, leak.html when None.
    Raises ConfigError, DataError, CheckpointError's children.
    """
    start = time.perf_counter()
    page = out or Path("leak.html")
    need_suffix(page, ".html", "the page")
    tell = tell or (lambda what, done, total: None)
    if n < 1 or baseline < 1:
        raise ConfigError(f"{n} samples, {baseline} training pictures beside them", remedy="Use at least 1 of each.")
    choose_runtime(device)  # which also says how many threads the offline network has
    network = offline_features()
    with closing(open_subject(source, n, seed, device)) as subject:
        images, config = real_pictures(subject, data, lambda a, b: tell("reading the training pictures", a, b))
        with closing(images):
            if len(images) < LEAST:
                raise DataError(f"{len(images)} training pictures are too few to tell", remedy=f"It takes {LEAST}.")
            training, real = training_pictures(network, images, config, tell)
            chosen = permutation(seed, Stream.METRIC, CHOICE, len(real.ids))[:baseline]
            usual = training.nearest(
                training.small[chosen],
                real.features[chosen],
                without=chosen,
                progress=lambda a, b: tell("looking up training pictures", a, b),
            )
            found = _of_samples(training, subject, network, tell)
            verdict = judge(found, usual)
            write_atomic(page, _page(subject, images, real.ids, found, verdict).encode("utf-8"))
    rows = [
        ("verdict", verdict.words),
        ("nearest picture, typical sample", f"{np.median(found.ratio):.2f} of the usual distance"),
        ("the same for training pictures", f"{np.median(usual.ratio):.2f}"),
        ("nearer in features than the nearest tenth of training pictures", f"{verdict.nearer:.1%} of the samples"),
    ]
    notes = list(subject.warnings)
    return LeakResult(verdict, found, usual, rows, notes, page, time.perf_counter() - start)


def _of_samples(training: TrainingPictures, subject: Subject, network: FeatureNetwork, tell: Tell) -> Nearest:
    """Batch by batch, so that no more pictures than that are in memory."""
    found, done = list[Nearest](), 0
    for batch in subject.batches():
        found.append(training.nearest(batch, network(batch)))
        done += len(batch)
        tell("looking up samples", done, len(subject))
    return Nearest(*(np.concatenate([getattr(part, field.name) for part in found]) for field in fields(Nearest)))


def _page(subject: Subject, images: ImageSet, ids: NDArray[np.int64], found: Nearest, verdict: LeakVerdict) -> str:
    """The samples with the smallest ratio, each beside what it was nearest to."""
    worst = np.argsort(found.ratio, kind="stable")[:SHOWN]
    samples = subject.fetch(worst)
    nearest = images.pictures(ids[found.index[worst]])
    copies = set(verdict.copies.tolist())
    pairs = [
        Pair(
            sample=sample,
            other=other,
            caption=f"{subject.name_of(row)}; {images.names[ids[found.index[row]]]}",
            detail=f"distance {found.distance[row]:.2f}, {found.ratio[row]:.0%} of the usual",
            marked=row in copies,
        )
        for row, sample, other in zip(worst.tolist(), samples, nearest, strict=True)
    ]
    return render_pairs(f"{Path(subject.name).name}: is it copying?", verdict.words, pairs)
