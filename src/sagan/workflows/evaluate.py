"""How near do drawn pictures come to real ones? The verb `sagan evaluate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sagan
from sagan.data.config import DataConfig
from sagan.data.image_set import ImageSet
from sagan.errors import ConfigError
from sagan.metrics.cache import FeatureCache
from sagan.metrics.choose import DEFAULT, open_features
from sagan.metrics.features import FeatureNetwork, collect
from sagan.metrics.offline import NAME as OFFLINE
from sagan.metrics.protocol import Number, Protocol, require_same
from sagan.metrics.real import RealSet, real_set
from sagan.metrics.suite import METRICS, Measured, Sample, check_names, measure
from sagan.runtime import cache_folder, choose_runtime, memory_errors
from sagan.workflows.evaluation_table import read_numbers, table, to_json
from sagan.workflows.run_folder import need_suffix, write_json
from sagan.workflows.subjects import Subject, open_subject, real_pictures, shared_classes

COUNT = 10_000
LEAST_FLOOR = 100  # pictures that stand for drawn ones, below which real against real says nothing
Tell = Callable[[str, int, int], None]  # what is being done, how much of it, of how many; 0 of 0 for a single step


@dataclass(frozen=True)
class EvaluateResult:
    """numbers: with their protocol.  floor: the same metrics, of real pictures in place of the drawn ones.  out: the JSON file.

    rows: the table in words.  notes: what a person should know about it.
    """

    numbers: list[Number]
    floor: list[Number]
    notes: list[str]
    rows: list[tuple[str, str]]
    out: Path | None
    seconds: float


@memory_errors("Use fewer pictures with -n, or --device cpu.")
def evaluate(
    source: str | Path,
    data: str | None = None,
    *,
    metrics: Sequence[str] = METRICS,
    features: str = DEFAULT,
    n: int = COUNT,
    real: int = 0,
    seed: int = 0,
    against: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    tell: Tell | None = None,
) -> EvaluateResult:
    """Measure a generator, or a set of pictures, against real pictures.

    source: a run, a checkpoint, a generator file, or a set of pictures.  data: the real ones; None for the run's own.
    metrics: of `metrics.suite.METRICS`.  features: see `metrics.choose.open_features`.
    n: how many pictures are drawn, or taken of a set at most.  real: how many real ones at most; 0 for all.
    seed: of both, and of the subsets.  against: an earlier result file; the rows then show what changed, and it is refused
    when it was measured under another protocol.  out: a JSON file to write.
    tell: called with what is being done. Real pictures' features are kept in the user's cache folder.
    Raises ConfigError, DataError, CheckpointError's children.
    """
    start = time.perf_counter()
    need_suffix(out, ".json", "the result")
    check_names(metrics)
    if n < 2 or real < 0 or real == 1:
        raise ConfigError(f"{n} drawn and {real or 'all'} real pictures", remedy="Use at least 2 of each.")
    tell = tell or (lambda what, done, total: None)
    earlier = [] if against is None else read_numbers(against)
    tell("opening the feature network", 0, 0)
    runtime = choose_runtime(device)
    network = open_features(features, runtime.device)
    with closing(open_subject(source, n, seed, device)) as subject:
        images, config = real_pictures(subject, data, lambda a, b: tell("reading the real pictures", a, b))
        with closing(images):
            recipe = f"{config.fit} {config.background}"
            cache = FeatureCache(cache_folder())
            real_side = real_set(
                network,
                images,
                recipe,
                most=real,
                seed=seed,
                cache=cache,
                progress=lambda a, b: tell("real features", a, b),
            )
            protocol = protocol_of(network, subject, images, config, real_side, seed)
            for one in earlier[:1]:  # they have one protocol; before the work, which may take hours
                require_same(protocol, one.protocol)
            drawn = collect(network, subject.batches(), len(subject), lambda a, b: tell("drawing and features", a, b))
        fakes = Sample(drawn, subject.labels)
        classes, reason = shared_classes(subject, images)
        numbers, floor, lacking = _measure(metrics, network, protocol, real_side, fakes, classes, tell)
        told = [*subject.warnings, reason, *remarks(network, subject, protocol.real, protocol.drawn), *lacking]
        notes = [line for line in told if line]
        rows = table(network, numbers, floor, earlier)
        if out is not None:
            write_json(out, to_json(subject, images, numbers, floor, notes))
    return EvaluateResult(numbers, floor, notes, rows, out, time.perf_counter() - start)


def protocol_of(
    network: FeatureNetwork, subject: Subject, images: ImageSet, config: DataConfig, real_side: RealSet, seed: int
) -> Protocol:
    """What the drawn pictures are measured under."""
    labels = "none"
    if subject.classes:
        labels = "as they lie" if subject.ema is None else "uniform"
    return Protocol(
        backbone=network.name,
        weights=network.weights,
        resize=network.resize,
        data=images.fingerprint,
        resolution=subject.resolution,
        channels=subject.channels,
        fit=config.fit,
        background=config.background,
        split=real_side.split,
        real=len(real_side.ids),
        drawn=len(subject),
        labels=labels,
        truncation=subject.truncation,
        statistics=subject.statistics,
        ema=subject.ema,
        library=sagan.__version__,
        seed=seed,
    )


def _measure(
    metrics: Sequence[str],
    network: FeatureNetwork,
    protocol: Protocol,
    real_side: RealSet,
    fakes: Sample,
    classes: int,
    tell: Tell,
) -> tuple[list[Number], list[Number], list[str]]:
    """-> (figures, the same of real pictures in place of the drawn ones, what cannot be had, one line each)."""
    seed, reals = protocol.seed, Sample(real_side.features, real_side.labels)
    found, lacking = measure(
        metrics, network, reals, fakes, classes, seed=seed, tell=lambda name: tell(f"computing {name}", 0, 0)
    )
    rest, pretend = real_side.halves(seed, len(fakes.labels))
    floor = list[Measured]()
    if len(pretend) >= LEAST_FLOOR:
        floor, _ = measure(
            metrics,
            network,
            reals.rows(rest),
            reals.rows(pretend),
            classes,
            seed=seed,
            tell=lambda name: tell(f"computing {name} of real against real", 0, 0),
        )
    else:
        lacking.append("There are too few pictures to show what real ones score against each other.")
    halved = {"real": len(rest), "drawn": len(pretend), "split": f"{protocol.split}, halved"}
    floor_protocol = protocol.model_copy(update={**halved, "ema": None, "labels": "real"})
    return numbers_of(found, protocol), numbers_of(floor, floor_protocol), lacking


def numbers_of(found: Sequence[Measured], protocol: Protocol) -> list[Number]:
    """Figures with the protocol that they were measured under."""
    return [
        Number(metric=one.metric, value=one.value, settings=one.settings, higher=one.higher, protocol=protocol)
        for one in found
    ]


def remarks(network: FeatureNetwork, subject: Subject, real: int, drawn: int) -> list[str]:
    """What a person should know before believing the numbers."""
    lines = []
    if network.name == OFFLINE:
        lines.append(
            "The features are sagan-32, version 1, of this package: no number here is a FID or an Inception Score of papers."
        )
    fewest = min(real, drawn)
    if fewest < 10_000:
        lines.append(
            f"{fewest:,} pictures are few: the Fréchet distance comes out too large"
            + (f", and its covariance is singular below {network.dimension:,}" if fewest <= network.dimension else "")
            + ". Compare it only at equal counts; kid has no such bias."
        )
    if subject.channels == 1:
        lines.append("The pictures are grey; for the features their channel is repeated.")
    if subject.channels == 4:
        lines.append("Transparent pixels are laid on white for the features.")
    return lines
