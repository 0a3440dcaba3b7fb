"""Rows over their seeds: how many numbers there are, where they lie, and whether they differ from the row compared with.

Three seeds are few, so nothing here is called significant: a row has its mean, its lowest and its highest value, and the number
of seeds in which it was better than the group's first row with the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from sagan.workflows.ablation.cells import CellResult
from sagan.workflows.ablation.measures import Measure
from sagan.workflows.ablation.rows import Group, Row


@dataclass(frozen=True)
class Spread:
    """Some numbers of one kind. deviation: their standard deviation with n - 1; 0 for one number alone."""

    numbers: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.numbers)

    @property
    def deviation(self) -> float:
        return stdev(self.numbers) if len(self.numbers) > 1 else 0.0


@dataclass(frozen=True)
class RowOutcome:
    """One row: its cells by seed, of which some may be missing yet, and those of the row that it is compared with."""

    row: Row
    cells: Mapping[int, CellResult]
    first: Mapping[int, CellResult]
    measure: Measure

    @property
    def failures(self) -> dict[int, str]:
        """Why it failed, by seed."""
        return {seed: cell.failed for seed, cell in self.cells.items() if cell.failed}

    def spread(self, name: str) -> Spread | None:
        """One number of the measure over the seeds that have one."""
        found = tuple(cell.values[name] for _, cell in sorted(self.cells.items()) if name in cell.values)
        return Spread(found) if found else None

    def training(self, name: str) -> Spread | None:
        """step, images or seconds of the cells that did not fail."""
        found = tuple(float(getattr(cell, name)) for _, cell in sorted(self.cells.items()) if not cell.failed)
        return Spread(found) if found else None

    def differences(self) -> tuple[float, ...]:
        """Headline of this row minus that of the first row, seed by seed, where both have one."""
        name = self.measure.headline
        both = [seed for seed in sorted(self.cells.keys() & self.first.keys())]
        pairs = [(self.cells[seed].values, self.first[seed].values) for seed in both]
        return tuple(ours[name] - theirs[name] for ours, theirs in pairs if name in ours and name in theirs)

    def better_in(self) -> int | None:
        """In how many seeds this row was better than the first; None where better has no direction, or for the first."""
        sign = {"higher": 1, "lower": -1, "neither": 0}[self.measure.better]
        if self.cells == self.first or not sign or not self.differences():
            return None
        return sum(sign * difference > 0 for difference in self.differences())


@dataclass(frozen=True)
class GroupOutcome:
    """One question with what came out of its rows."""

    group: Group
    rows: tuple[RowOutcome, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every row has every seed."""
        return all(row.cells.keys() == self.rows[0].cells.keys() and row.cells for row in self.rows)


def outcomes(
    groups: Sequence[Group], names: Mapping[tuple[str, str], str], results: Sequence[CellResult], measure: Measure
) -> list[GroupOutcome]:
    """Put results to their rows.

    names: (group, row) -> name of the cell that holds its record; rows with the same record share their cells.
    """
    by_name: dict[str, dict[int, CellResult]] = {}
    for result in results:
        by_name.setdefault(result.name, {})[result.seed] = result
    found = []
    for group in groups:
        first = by_name.get(names[group.name, group.rows[0].name], {})
        rows = (RowOutcome(row, by_name.get(names[group.name, row.name], {}), first, measure) for row in group.rows)
        found.append(GroupOutcome(group, tuple(rows)))
    return found


def verdict_of(outcome: GroupOutcome) -> str:
    """One careful sentence on a group: which rows were better than its first in every seed, which worse, the rest."""
    if not outcome.is_complete:
        return f"{outcome.group.title}: not all cells are finished."
    if outcome.rows[0].measure.better == "neither":
        return f"{outcome.group.title}: this measure ranks nothing."
    better, worse, mixed = [], [], []
    for row in outcome.rows[1:]:
        count, of = row.better_in(), len(row.differences())
        if row.cells == row.first:
            continue
        if count is None or row.failures or outcome.rows[0].failures:
            mixed.append(row.row.label)
        elif count == of:
            better.append(row.row.label)
        elif count == 0 and all(row.differences()):
            worse.append(row.row.label)
        else:
            mixed.append(row.row.label)
    parts = [
        f"{word} in every seed: {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names
    ]
    parts += [f"no clear order: {', '.join(mixed)}"] if mixed else []
    against = outcome.rows[0].row.label
    return f"{outcome.group.title}, against {against!r}: {'; '.join(parts)}."
