"""How near do drawn pictures come to real ones? The verb `sagan evaluate`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import sagan
from sagan.checkpoint.strict_json import parse_strict_json
from sagan.data.config import DataConfig
from sagan.data.image_set import ImageSet
from sagan.disk import disk_errors, read_whole
from sagan.errors import CheckpointCorrupt, ConfigError
from sagan.metrics.cache import FeatureCache
from sagan.metrics.choose import DEFAULT, open_features
from sagan.metrics.features import FeatureNetwork, collect
from sagan.metrics.offline import NAME as OFFLINE
from sagan.metrics.protocol import Number, Protocol, require_alike
from sagan.metrics.real import RealSet, real_set
from sagan.metrics.suite import METRICS, Measured, Sample, check_names, measure
from sagan.runtime import cache_folder, choose_runtime, memory_errors
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
    earlier = None if against is None else read_numbers(against)
    tell("opening the feature network", 0, 0)
    runtime = choose_runtime(device)
    network = open_features(features, runtime.device)
    subject = open_subject(source, n, seed, device)
    images, config = real_pictures(subject, data, lambda done, total: tell("reading the real pictures", done, total))
    try:
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
        drawn = collect(network, subject.batches(), len(subject), lambda a, b: tell("drawing and features", a, b))
        result = _measure(metrics, network, subject, images, config, real_side, drawn, seed, tell)
    finally:
        images.close()
    numbers, floor, notes = result
    rows = _rows(network, numbers, floor, earlier)
    if out is not None:
        write_json(out, to_json(subject, images, numbers, floor, notes))
    return EvaluateResult(numbers, floor, notes, rows, out, time.perf_counter() - start)


def _measure(
    metrics: Sequence[str],
    network: FeatureNetwork,
    subject: Subject,
    images: ImageSet,
    config: DataConfig,
    real_side: RealSet,
    drawn: Any,
    seed: int,
    tell: Tell,
) -> tuple[list[Number], list[Number], list[str]]:
    classes, reason = shared_classes(subject, images)
    notes = [
        *subject.warnings,
        *([reason] if reason else []),
        *remarks(network, subject, len(real_side.ids), len(drawn)),
    ]
    protocol = Protocol(
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
        drawn=len(drawn),
        labels="uniform"
        if subject.classes and subject.ema is not None
        else "as they lie"
        if subject.classes
        else "none",
        ema=subject.ema,
        library=sagan.__version__,
        seed=seed,
    )
    reals, fakes = Sample(real_side.features, real_side.labels), Sample(drawn, subject.labels)
    found, reasons = measure(
        metrics, network, reals, fakes, classes, seed=seed, tell=lambda name: tell(f"computing {name}", 0, 0)
    )
    rest, pretend = real_side.halves(seed, len(drawn))
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
        notes.append("There are too few pictures to show what real ones score against each other.")
    floor_protocol = protocol.model_copy(
        update={
            "real": len(rest),
            "drawn": len(pretend),
            "ema": None,
            "labels": "real",
            "split": f"{protocol.split}, halved",
        }
    )
    return _numbers(found, protocol), _numbers(floor, floor_protocol), [*notes, *reasons]


def _numbers(found: Sequence[Measured], protocol: Protocol) -> list[Number]:
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


WORDS = {
    "frechet": "Fréchet distance",
    "kid": "kernel distance (KID)",
    "inception_score": "classifier score, 10 splits",
    "inception_score_whole": "classifier score, whole set",
    "precision": "precision: how many drawn ones look real",
    "recall": "recall: how much of the real variety is drawn",
    "density": "density: how deep they lie among real ones",
    "coverage": "coverage: real pictures with a drawn one near",
    "intra_frechet": "Fréchet distance inside classes, mean",
    "classification_accuracy": "real pictures named right by a classifier of drawn ones",
}
SPREADS = {"kid": "kid_spread", "inception_score": "inception_score_spread"}


def _rows(
    network: FeatureNetwork, numbers: list[Number], floor: list[Number], earlier: list[Number] | None
) -> list[tuple[str, str]]:
    """The table: what, its value, what real pictures get, and which way is better."""
    values, floors = ({one.metric: one for one in side} for side in (numbers, floor))
    before = {one.metric: one for one in earlier or []}
    rows = [("features", f"{network.name} ({network.weights[:12]})")]
    for name, words in WORDS.items():
        if name not in values:
            continue
        one = values[name]
        text = show(one.value)
        if name in SPREADS and SPREADS[name] in values:
            text += f" ± {show(values[SPREADS[name]].value)}"
        if name in before:
            require_alike(one, before[name])
            change = one.value - before[name].value
            better = "better" if (change > 0) == one.higher else "worse"
            text += f", {show(abs(change))} {better} than before" if change else ", as before"
        if name in floors:
            text += f"; real against real {show(floors[name].value)}"
        rows.append((words, f"{text}; {'higher' if one.higher else 'lower'} is better"))
    return rows


def show(value: float) -> str:
    """Four digits that count, without an exponent: 12.35, 0.0123, 0.9871; what rounds away is 0."""
    if not value or abs(value) < 1e-6:
        return "0"
    return f"{value:.{min(8, max(0, 3 - math.floor(math.log10(abs(value)))))}f}"


def to_json(
    subject: Subject, images: ImageSet, numbers: list[Number], floor: list[Number], notes: list[str]
) -> dict[str, Any]:
    """The result file: the protocol once for each side, then the figures."""

    def side(figures: list[Number]) -> dict[str, Any] | None:
        if not figures:
            return None
        return {
            "protocol": figures[0].protocol.model_dump(mode="json"),
            "figures": [one.model_dump(mode="json", exclude={"protocol"}) for one in figures],
        }

    return {
        "kind": "evaluation",
        "schema_version": 1,
        "subject": subject.name,
        "data_name": images.name,
        "torch": torch.__version__,
        "measured": side(numbers),
        "real_against_real": side(floor),
        "notes": notes,
    }


def read_numbers(path: Path) -> list[Number]:
    """The measured figures of a result file. Raises ConfigError."""
    with disk_errors(path):
        try:
            stored = parse_strict_json(read_whole(path, max_bytes=1 << 20), path)
            side = stored["measured"]
            return [Number.model_validate({**one, "protocol": side["protocol"]}) for one in side["figures"]]
        except FileNotFoundError:
            raise ConfigError("there is no such file", where=path) from None
        except (CheckpointCorrupt, KeyError, TypeError, ValueError):
            raise ConfigError("is not a result of sagan evaluate", where=path) from None
