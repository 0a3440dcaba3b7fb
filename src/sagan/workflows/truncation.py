"""What truncation gives and what it costs: the verb `sagan truncation`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sagan.errors import ConfigError
from sagan.metrics.cache import FeatureCache
from sagan.metrics.choose import DEFAULT, open_features
from sagan.metrics.features import collect
from sagan.metrics.protocol import Number
from sagan.metrics.real import real_set
from sagan.metrics.suite import Sample, measure
from sagan.runtime import cache_folder, choose_runtime, memory_errors
from sagan.sampling import MIN_TRUNCATION
from sagan.visualise.series import Series, SeriesPanel, render_series
from sagan.workflows.evaluate import numbers_of, protocol_of, remarks
from sagan.workflows.evaluation_table import show
from sagan.workflows.looking_up import Tell
from sagan.workflows.run_folder import need_suffix, write_json, write_picture
from sagan.workflows.subjects import drawn_subject, real_pictures

BOUNDS = "0.3,0.5,0.7,1,1.5,2,none"
COUNT = 5000
MAX_BOUNDS = 32


@dataclass(frozen=True)
class TruncationResult:
    """curve: of each bound its figures; 0 is no truncation.  rows: the table.  paths: the JSON file and the figure."""

    curve: dict[float, list[Number]]
    rows: list[tuple[str, str]]
    notes: list[str]
    paths: list[Path]
    seconds: float


@memory_errors("Use fewer pictures with -n, or --device cpu.")
def truncation(
    source: str | Path,
    data: str | None = None,
    *,
    bounds: str = BOUNDS,
    features: str = DEFAULT,
    n: int = COUNT,
    real: int = 0,
    seed: int = 0,
    stats: str = "running",
    out: Path | None = None,
    device: str = "auto",
    tell: Tell | None = None,
) -> TruncationResult:
    """Measure a generator at several truncations: fidelity (precision, density) against diversity (recall, coverage).

    source: a run, a checkpoint or a generator file.  data: the real pictures; None for the run's own.
    bounds: the truncations, none for none.  n: pictures drawn at each, of the same seeds.  features, real, seed: as in
    `evaluate`.  stats: of the batch norms, as in `sample`; standing ones are taken anew at each bound.
    out: a JSON file; the figure lies beside it as PNG. Each figure carries its protocol, in which the truncation stands.
    Raises ConfigError, DataError, CheckpointError's children.
    """
    start = time.perf_counter()
    target = out or Path("truncation.json")
    need_suffix(target, ".json", "the result")
    wanted = read_bounds(bounds)
    if n < 10 or real < 0 or 0 < real < 10:
        raise ConfigError(f"{n} drawn and {real or 'all'} real pictures", remedy="Use at least 10 of each.")
    tell = tell or (lambda what, done, total: None)
    network = open_features(features, choose_runtime(device).device)
    seeds = range(seed * n, (seed + 1) * n)
    curve = dict[float, list[Number]]()
    notes: list[str] = []
    with closing(drawn_subject(Path(source), seeds, device)) as untouched:
        images, config = real_pictures(untouched, data, lambda a, b: tell("reading the real pictures", a, b))
    with closing(images):
        real_side = real_set(
            network,
            images,
            f"{config.fit} {config.background}",
            most=real,
            seed=seed,
            cache=FeatureCache(cache_folder()),
            progress=lambda a, b: tell("real features", a, b),
        )
        for bound in wanted:
            with closing(drawn_subject(Path(source), seeds, device, trunc=bound, stats=stats)) as subject:
                protocol = protocol_of(network, subject, images, config, real_side, seed)
                words = f"truncation {_name(bound)}"
                drawn = collect(network, subject.batches(), n, partial(tell, words))
                reals, fakes = Sample(real_side.features, real_side.labels), Sample(drawn, subject.labels)
                found, _ = measure(["frechet", "prdc"], network, reals, fakes, 0, seed=seed)
                curve[bound] = numbers_of(found, protocol)
        notes = [*untouched.warnings, *remarks(network, untouched, len(real_side.ids), n)]
        write_json(target, _to_json(untouched.name, images.name, curve, notes))
    figure = target.with_suffix(".png")
    write_picture(figure, render_series([_name(bound) for bound in curve], _panels(curve), "truncation"))
    rows = [(f"truncation {_name(bound)}", _words(numbers)) for bound, numbers in curve.items()]
    return TruncationResult(curve, rows, notes, [target, figure], time.perf_counter() - start)


def read_bounds(words: str) -> list[float]:
    """'1,none,0.5' -> [0.5, 1, 0], in the order of the axis: from the tightest to none, which is 0. Raises ConfigError."""
    try:
        found = {0.0 if word.strip() == "none" else float(word) for word in words.strip("[]").split(",")}
    except ValueError:
        raise ConfigError(f"trunc is {words!r}", remedy="Write bounds such as --trunc 0.5,1,none.") from None
    if wrong := [bound for bound in found if bound and not MIN_TRUNCATION <= bound < math.inf]:
        raise ConfigError(f"trunc has {wrong[0]:g}", remedy=f"Use at least {MIN_TRUNCATION:g}, or none.")
    if not 2 <= len(found) <= MAX_BOUNDS:
        raise ConfigError(f"trunc has {len(found)} bounds", remedy=f"A curve needs 2 to {MAX_BOUNDS} of them.")
    return sorted(found, key=lambda bound: bound or math.inf)


def _name(bound: float) -> str:
    return f"{bound:g}" if bound else "none"


def _values(curve: Mapping[float, Sequence[Number]], metric: str) -> tuple[float, ...]:
    return tuple(next(one.value for one in numbers if one.metric == metric) for numbers in curve.values())


def _panels(curve: Mapping[float, Sequence[Number]]) -> list[SeriesPanel]:
    def panel(title: str, *metrics: str) -> SeriesPanel:
        return SeriesPanel(title, tuple(Series(metric, _values(curve, metric)) for metric in metrics))

    return [
        panel("Precision (fidelity) and recall (diversity)", "precision", "recall"),
        panel("Density (fidelity) and coverage (diversity)", "density", "coverage"),
        panel("Fréchet distance", "frechet"),
    ]


def _words(numbers: Sequence[Number]) -> str:
    found = {one.metric: show(one.value) for one in numbers}
    return ", ".join(f"{name} {found[name]}" for name in ("precision", "recall", "density", "coverage", "frechet"))


def _to_json(subject: str, data: str, curve: Mapping[float, Sequence[Number]], notes: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": "truncation",
        "schema_version": 1,
        "subject": subject,
        "data_name": data,
        "torch": torch.__version__,
        "points": [
            {
                "truncation": bound,
                "protocol": numbers[0].protocol.model_dump(mode="json"),
                "figures": [one.model_dump(mode="json", exclude={"protocol"}) for one in numbers],
            }
            for bound, numbers in curve.items()
        ],
        "notes": list(notes),
    }
