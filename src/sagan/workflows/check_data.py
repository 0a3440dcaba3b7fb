"""Look before you train: the verb `sagan data check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagan.data.check import Check
from sagan.data.check import check_data as look_at
from sagan.data.config import DataConfig
from sagan.data.images import EMBLEMS
from sagan.data.report import report_lines
from sagan.disk import write_atomic
from sagan.errors import DataError
from sagan.runtime import available_cores
from sagan.visualise.grid import render_grid
from sagan.workflows.choose import choose_for
from sagan.workflows.run_folder import write_picture

PREVIEW_COLUMNS = 8
MOST = 8  # entries of a list that are shown; the rest is counted
RESOLUTION = 32


@dataclass(frozen=True)
class CheckResult:
    """rows: facts as (name, value).  notes: what to know.  bad: what was left out, the first ones.

    preview, report: the files that were written.
    """

    rows: list[tuple[str, str]]
    notes: list[str]
    bad: list[str]
    preview: Path | None
    usable: bool
    exit_code: int
    report: Path | None = None


def check_data(
    data: DataConfig,
    resolution: int | None = None,
    out: Path | None = None,
    *,
    channels: int = 3,
    report: Path | None = None,
    named: Mapping[str, Any] = {},
) -> CheckResult:
    """Count, measure and preview a set as training would see it. Nothing in the set is changed, whatever the policy.

    resolution: side of the squares, 32 when None.  out: where to write the preview, data-check.png when None.
    channels: 1 grey, 3 RGB, 4 RGB with alpha.  report: where to write all that is left out, with what training would do
    about it; also when there is nothing. `sagan.data.report` has the format.
    named: the options of a training that somebody named, by flat name, for what `auto` would choose beside them.
    Raises DataError when there is nothing to look at; a set that is there but unusable is reported with exit code 3.
    """
    found = look_at(data, resolution or RESOLUTION, channels=channels, threads=available_cores())
    preview = None
    if len(found.preview):
        preview = out or Path("data-check.png")
        write_picture(preview, render_grid(found.preview, PREVIEW_COLUMNS))
    if report is not None:
        write_atomic(report, report_lines(found.bad, found.action))
    return CheckResult(
        rows=[*rows_of(found), *([("auto", _choice(data, named))] if found.usable else [])],
        notes=found.notes,
        bad=[f"{entry.where}: {entry.text} [{entry.reason_code}]" for entry in found.bad[: 4 * MOST]]
        + ([f"and {len(found.bad) - 4 * MOST:,} more: --report lists all"] if len(found.bad) > 4 * MOST else []),
        preview=preview,
        usable=found.usable,
        exit_code=0 if found.usable else DataError.exit_code,
        report=report,
    )


def rows_of(found: Check) -> list[tuple[str, str]]:
    """The facts of a check as a table."""
    rows = [("set", found.name), ("pictures", f"{found.count:,} usable of {found.tried:,}")]
    rows += [
        ("classes", f"{len(found.classes)}: {_top(found.classes)}" if found.classes else "none"),
        ("sizes", _top({f"{width}x{height}": count for (width, height), count in found.sizes.most_common()})),
        ("modes", _top(dict(found.modes.most_common()))),
        ("colour", f"{found.grey:,} grey, {found.transparent:,} with transparency"),
        ("duplicates", f"{len(found.duplicates)} groups, {len(found.across_classes)} of them across classes"),
        ("left out", f"{len(found.bad):,}"),
        ("verdict", found.verdict),
    ]
    return rows


def _choice(data: DataConfig, named: Mapping[str, Any]) -> str:
    """What `sagan train` would take for the set, in one line."""
    if data.data == EMBLEMS:
        return "the preset demo, which was made for this set"
    return choose_for({**named, "data": data.data}).summary


def _top(counts: dict[str, int]) -> str:
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:MOST]]
    return ", ".join(shown) + (f" and {len(counts) - MOST} more" if len(counts) > MOST else "")
