"""Runs side by side on one page: the verb `sagan compare`. Everything comes from the folders; nothing is computed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagan.config import RunConfig, flatten
from sagan.disk import write_atomic
from sagan.errors import CheckpointMissing, ConfigError
from sagan.training.reporting import read_log
from sagan.visualise.overlay import overlaid, render_overlaid
from sagan.visualise.page import Section, bullets, columns, figures, folded, image, note, scroll, whole_page
from sagan.workflows.estimate import duration
from sagan.workflows.happenings import Score, health_of, scores_of
from sagan.workflows.reporting import MOST_ROWS, latest_values, words_of
from sagan.workflows.run_folder import RunFolder, png, read_json

MOST_RUNS = 7  # as many as there are colours that can be told apart
PLACES = ("out", "preset", "device")  # where a run is, not what it is
STANDING = {
    "step": "steps",
    "images": "real pictures shown",
    "seconds": "training time",
    "rate/images_per_second": "pictures a second",
}
ABSENT = "-"


@dataclass(frozen=True)
class ComparedRun:
    """All that is shown of one run."""

    name: str
    config: RunConfig
    data: Mapping[str, Any]
    rows: list[dict[str, float]]
    last: Mapping[str, float]
    scores: list[Score]
    health: list[str]
    grid: tuple[str, bytes] | None


@dataclass(frozen=True)
class Comparison:
    """What was written, a short table as (name, values), and what keeps numbers from being compared."""

    page: Path
    rows: list[tuple[str, str]]
    warnings: list[str]


def compare(paths: Sequence[Path], out: Path) -> Comparison:
    """Write a page that puts runs side by side.

    Raises ConfigError for fewer than two runs, too many, or one named twice; CheckpointMissing for what is no run.
    """
    if not 2 <= len(paths) <= MOST_RUNS:
        raise ConfigError(f"{len(paths)} runs to compare", remedy=f"Name 2 to {MOST_RUNS} folders of runs.")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError("a run is named twice", remedy="Name each once.")
    runs = [_open(path, name) for path, name in zip(paths, names_of(paths), strict=True)]
    warnings = cautions(runs)
    write_atomic(out, render(runs, warnings).encode("utf-8"))
    head = ("", "   ".join(run.name for run in runs))
    short = standing(runs) + score_rows(runs)
    return Comparison(out, [head, *((name, "   ".join(cells)) for name, *cells in short)], warnings)


def names_of(paths: Sequence[Path]) -> list[str]:
    """The folders' names, with as much of the path before them as tells them apart."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise AssertionError("paths that differ have names that differ")


def _open(path: Path, name: str) -> ComparedRun:
    folder = RunFolder(path)
    config = folder.read_record()
    if config is None:
        remedy = "The folder of a run holds a run.toml."
        raise CheckpointMissing("this is not the folder of a run", where=path, remedy=remedy)
    rows, grids = read_log(folder.log, most=MOST_ROWS), folder.grids()
    grid = (f"{name}, step {int(grids[-1].stem.split('-')[-1]):,}", grids[-1].read_bytes()) if grids else None
    data = read_json(folder.data)
    return ComparedRun(name, config, data, rows, latest_values(rows), scores_of(folder), health_of(folder), grid)


def cautions(runs: Sequence[ComparedRun]) -> list[str]:
    """What keeps the runs' numbers from being compared, in sentences."""
    lines = []
    if len({run.data["fingerprint"] for run in runs}) > 1:
        lines.append("The runs were trained on different pictures: neither losses nor scores can be compared.")
    if len({run.config.training.loss for run in runs}) > 1:
        lines.append("The runs have different losses: the curves of the losses mean different things.")
    for name in dict.fromkeys(score.name for run in runs for score in run.scores):
        protocols = dict.fromkeys(s.protocol for run in runs for s in run.scores if s.name == name)
        if len(protocols) > 1:
            lines.append(f"{name} was measured under {len(protocols)} protocols, which stand in rows of their own.")
    if len({(run.last.get("step"), run.last.get("images")) for run in runs}) > 1:
        lines.append("The runs are of different length.")
    return lines


def differing(runs: Sequence[ComparedRun]) -> list[list[str]]:
    """The options that differ, one row each."""
    tables = [flatten(run.config) for run in runs]
    names = [name for name in tables[0] if name not in PLACES and any(t[name] != tables[0][name] for t in tables)]
    return [[name, *(words_of(table[name]) for table in tables)] for name in names]


def standing(runs: Sequence[ComparedRun]) -> list[list[str]]:
    """How far each run is."""
    rows = []
    for key, words in STANDING.items():
        cells = [run.last.get(key) for run in runs]
        shown = [ABSENT if v is None else duration(v) if key == "seconds" else f"{v:,.0f}" for v in cells]
        rows.append([words, *shown])
    return rows


def score_rows(runs: Sequence[ComparedRun]) -> list[list[str]]:
    """One row for each score and protocol: numbers of unlike protocols never share one."""
    keys = dict.fromkeys((score.name, score.protocol) for run in runs for score in run.scores)
    rows = []
    for name, protocol in keys:
        found = [{(s.name, s.protocol): s for s in run.scores}.get((name, protocol)) for run in runs]
        cells = [ABSENT if score is None else f"{score.value:.4g} at step {score.step:,}" for score in found]
        rows.append([f"{name} ({protocol})", *cells])
    return rows


def attention_rows(runs: Sequence[ComparedRun]) -> list[list[str]]:
    """The last gate, share and focus of every attention layer."""
    keys = dict.fromkeys(key for run in runs for key in run.last if key.startswith("attention/"))
    return [
        [
            key.removeprefix("attention/").replace("/", " "),
            *(f"{run.last[key]:.4f}" if key in run.last else ABSENT for run in runs),
        ]
        for key in sorted(keys)
    ]


def render(runs: Sequence[ComparedRun], warnings: Sequence[str]) -> str:
    """The page."""
    names = [run.name for run in runs]
    every = [[name, *(words_of(flatten(run.config)[name]) for run in runs)] for name in flatten(runs[0].config)]
    different = differing(runs)
    records = columns(("option", *names), different, "Options that differ") or note("All options are the same.")
    whole = folded("All options", columns(("option", *names), every, "All options"))
    lines = overlaid([(run.name, run.rows) for run in runs])
    curves = (
        image(png(render_overlaid(lines, names)), "Curves of all runs, one chart for each number.") if lines else ""
    )
    words = "Numbers stand in one row only where their protocols are the same, word for word."
    scores = columns(("score", *names), score_rows(runs), "Scores")
    health = [f"{run.name}, {line}" for run in runs for line in run.health]
    sections: list[Section] = [
        ("cautions", "Before you compare", bullets(warnings)),
        ("standing", "Where they stand", columns(("", *names), standing(runs), "Where they stand")),
        ("records", "What differs", records + whole),
        ("scores", "Scores", note(words) + scores if scores else ""),
        ("grids", "Samples", figures([run.grid for run in runs if run.grid])),
        ("curves", "Curves", scroll("scroll", "Curves", f"<figure>{curves}</figure>\n") if curves else ""),
        ("attention", "Attention", columns(("layer", *names), attention_rows(runs), "Attention")),
        ("health", "Health", bullets(health)),
    ]
    count = len(different)
    verdict = (
        f"{count} {'option differs' if count == 1 else 'options differ'}." if count else "The records are the same."
    )
    return whole_page(kind="comparison", title=" · ".join(names), verdict=verdict, sections=sections)
