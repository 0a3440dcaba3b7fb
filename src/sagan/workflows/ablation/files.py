"""What an ablation writes: ablation.json with every number, the table in Markdown, the chart, the page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sagan.config import flatten, to_toml
from sagan.data.images import ImageSet
from sagan.disk import write_atomic
from sagan.runtime import Runtime, environment
from sagan.workflows.ablation.measures import Measure
from sagan.workflows.ablation.outcome import GroupOutcome, RowOutcome, verdict_of
from sagan.workflows.ablation.pages import PageFacts, chart, markdown, page
from sagan.workflows.ablation.plan import Ablation, budget_words
from sagan.workflows.run_folder import png, write_json

SCHEMA = 1


def write_pages(
    ablation: Ablation, measure: Measure, found: Sequence[GroupOutcome], images: ImageSet, runtime: Runtime
) -> list[Path]:
    """Write all that an ablation shows, from the cells that are finished. Returns the files."""
    machine = environment(runtime, runtime.precision(ablation.base.training.precision))
    done = {(cell.name, cell.seed) for outcome in found for row in outcome.rows for cell in row.cells.values()}
    facts = PageFacts(
        title=f"Ablation of {ablation.base.preset or 'a record'} on {images.name}",
        subtitle=f"{len(ablation.seeds)} seeds a row, {budget_words(ablation.base)} of training a cell",
        done=len(done),
        cells=len(ablation.cells),
        setting=[
            ("data", f"{images.name}, {len(images):,} pictures of {images.resolution}x{images.resolution}"),
            ("fingerprint", images.fingerprint[:16]),
            ("seeds", ", ".join(map(str, ablation.seeds))),
            ("budget of a cell", f"{budget_words(ablation.base)}; measuring, grids and checkpoints do not count"),
            ("cells at a time", str(ablation.jobs)),
            *((name, str(value)) for name, value in machine.items()),
        ],
        record_toml=to_toml(ablation.base),
        measure=measure,
        command=command_of(ablation),
    )
    paths = [ablation.folder / f"ablation.{kind}" for kind in ("json", "md", "png", "html")]
    drawn = png(chart(found, measure))
    write_json(paths[0], as_json(ablation, measure, found, machine))
    write_atomic(paths[1], markdown(facts, found).encode("utf-8"))
    write_atomic(paths[2], drawn)
    write_atomic(paths[3], page(facts, found, drawn).encode("utf-8"))
    return paths


def as_json(
    ablation: Ablation, measure: Measure, found: Sequence[GroupOutcome], machine: dict[str, str | int]
) -> dict[str, Any]:
    """ablation.json: the base record, and every group with its rows, every row with its cells."""
    return {
        "schema": SCHEMA,
        "base": _plain(flatten(ablation.base)),
        "seeds": list(ablation.seeds),
        "jobs": ablation.jobs,
        "measure": {"protocol": measure.protocol, "headline": measure.headline, "better": measure.better},
        "environment": machine,
        "groups": [
            {
                "name": outcome.group.name,
                "title": outcome.group.title,
                "verdict": verdict_of(outcome),
                "rows": [_row_as_json(row) for row in outcome.rows],
            }
            for outcome in found
        ],
    }


def _row_as_json(row: RowOutcome) -> dict[str, Any]:
    names = dict.fromkeys(name for cell in row.cells.values() for name in cell.values)
    spreads = {name: spread for name in names if (spread := row.spread(name))}
    return {
        "name": row.row.name,
        "label": row.row.label,
        "options": _plain(row.row.options),
        "values": {name: {"mean": spread.mean, "deviation": spread.deviation} for name, spread in spreads.items()},
        "differences": list(row.differences()),
        "better_in": row.better_in(),
        "cells": {str(seed): _plain(cell.model_dump(mode="json")) for seed, cell in sorted(row.cells.items())},
    }


def _plain(values: Any) -> dict[str, Any]:
    """With lists in place of tuples, as JSON has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dict(values).items()}


def command_of(ablation: Ablation) -> str:
    """Words that do the same again, from the base record that stands on the page."""
    groups, out = ",".join(group.name for group in ablation.groups), shlex.quote(str(ablation.folder))
    words = f"sagan ablate --config base.toml --rows {groups} --seeds {len(ablation.seeds)} --jobs {ablation.jobs}"
    return f"{words} --out {out}   # base.toml is the base record below"
