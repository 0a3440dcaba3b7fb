"""Which cells an ablation consists of, and about how long they take."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagan.config import RunConfig, override
from sagan.data.images import ImageSet, open_images
from sagan.errors import ConfigError
from sagan.runtime import Runtime, available_cores, choose_runtime
from sagan.training.loop import length_of
from sagan.workflows.ablation.cells import Cell
from sagan.workflows.ablation.rows import GROUPS, Group, essence, groups_of, record_of
from sagan.workflows.estimate import duration, estimate
from sagan.workflows.plan import expected_steps

LIMITS: dict[str, Any] = {"steps": 0, "kimg": 0.0, "time": ""}  # the options that end a run, switched off
DEFAULT_TIME = "5m"
MOST_SEEDS, MOST_JOBS = 100, 256


@dataclass(frozen=True)
class Ablation:
    """What is to be run. names: (group, row) -> name of the cell with its record; rows with one record share their cells."""

    base: RunConfig
    folder: Path
    groups: tuple[Group, ...]
    seeds: tuple[int, ...]
    jobs: int
    names: Mapping[tuple[str, str], str]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class AblationPlan:
    """What `--dry-run` prints: the resolved base record, and rows of (name, value)."""

    base: RunConfig
    rows: list[tuple[str, str]]


def budget(said: Collection[str]) -> dict[str, Any]:
    """The limits of a cell that nobody named, switched off; five minutes where none was named at all.

    A preset's own length is that of a whole training, not of one cell among many. said: the options that somebody named.
    """
    off = {name: value for name, value in LIMITS.items() if name not in said}
    return off | ({"time": DEFAULT_TIME} if len(off) == len(LIMITS) else {})


def set_up(base: RunConfig, out: Path, *, rows: Sequence[str] = GROUPS, seeds: int = 3, jobs: int = 0) -> Ablation:
    """Every cell of an ablation.

    base: the record that each row changes in one thing; its length is the budget of a cell.  out: the ablation's folder.
    rows: names of groups, see `ablation.rows`.  seeds: how many, counted from the record's.
    jobs: cells at a time; 0 for one a core on a processor and one on an accelerator.
    Raises ConfigError for what cannot be.
    """
    for name, value, least, most in (("seeds", seeds, 1, MOST_SEEDS), ("jobs", jobs, 0, MOST_JOBS)):
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value}", remedy=f"Choose from {least} to {most}.")
    if not expected_steps(base.training, 1.0)[1]:
        raise ConfigError("the cells have no length", remedy="Give --time, --steps or --kimg.")
    groups = groups_of(base, rows)
    jobs = jobs or _cells_at_a_time(base)
    threads = base.output.threads or (max(1, available_cores() // jobs) if jobs > 1 else 0)
    names: dict[tuple[str, str], str] = {}
    first_with: dict[str, str] = {}
    for group in groups:
        for row in group.rows:
            question = repr(essence(record_of(base, row, base.training.seed)))
            names[group.name, row.name] = first_with.setdefault(question, f"{group.name}-{row.name}")
    numbers = tuple(range(base.training.seed, base.training.seed + seeds))
    cells = []
    # Whole seeds one after the other: early numbers can be compared, and a slow hour meets every row.
    for seed in numbers:
        for group in groups:
            for row in group.rows:
                if (name := names[group.name, row.name]) == f"{group.name}-{row.name}":
                    place = str(out / "cells" / f"{name}-seed{seed}")
                    cells.append(Cell(name, override(record_of(base, row, seed), out=place, threads=threads)))
    return Ablation(base, out, tuple(groups), numbers, jobs, names, tuple(cells))


def _cells_at_a_time(base: RunConfig) -> int:
    device = choose_runtime(base.output.device, base.output.threads).device
    return available_cores() if device.type == "cpu" else 1


def plan(ablation: Ablation) -> AblationPlan:
    """What the ablation would be, and about how long it would take. Writes nothing; what is finished is not looked at."""
    base = ablation.base
    rows = [("folder", str(ablation.folder)), ("data", base.data.data), ("preset", base.preset or "none")]
    for group in ablation.groups:
        for row in group.rows:
            cell = ablation.names[group.name, row.name]
            shared = "" if cell == f"{group.name}-{row.name}" else f"  (the cells of {cell})"
            rows.append((f"{group.name}: {row.label}", f"{_words(row.options)}{shared}"))
    rows += [
        ("seeds", ", ".join(map(str, ablation.seeds))),
        ("budget of a cell", budget_words(base)),
        ("cells", f"{len(ablation.cells)}, {ablation.jobs} at a time"),
        ("training in all, about", f"{duration(_seconds_in_all(ablation))}; measuring and saving come on top"),
    ]
    return AblationPlan(base, rows)


def _seconds_in_all(ablation: Ablation) -> float:
    """By the clock where that alone ends the cells; else by a step of each record, really taken."""
    limit = length_of(ablation.base.training).seconds or math.inf
    rounds = len(ablation.seeds)
    if not ablation.base.training.steps and not ablation.base.training.kimg:
        return limit * math.ceil(len(ablation.cells) / ablation.jobs)
    runtime = choose_runtime(ablation.base.output.device, ablation.cells[0].config.output.threads)
    classes, total = len(pictures_of(ablation.base, runtime).classes), 0.0
    for cell in ablation.cells[: len(ablation.cells) // rounds]:  # one seed's
        took = estimate(cell.config, classes, runtime).seconds_a_step
        total += rounds * min(limit, expected_steps(cell.config.training, took)[0] * took)
    return total / ablation.jobs


def pictures_of(base: RunConfig, runtime: Runtime) -> ImageSet:
    """The pictures that every cell trains on. Raises DataError."""
    return open_images(base.data, base.model.resolution, channels=base.model.channels, threads=runtime.threads)


def budget_words(base: RunConfig) -> str:
    """'5m', '400 steps', '400 steps or 5m'."""
    training = base.training
    limits = [
        f"{training.steps:,} steps" if training.steps else "",
        f"{training.kimg:g} thousand pictures" if training.kimg else "",
        training.time,
    ]
    return " or ".join(limit for limit in limits if limit)


def _words(options: Mapping[str, Any]) -> str:
    shown = {name: ",".join(map(str, v)) or "none" if isinstance(v, tuple) else v for name, v in options.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())
