"""The paper's ablations in one command: the verb `sagan ablate`.

Every cell is an ordinary run in its own folder; the table, the chart and the page are made anew whenever one ends, so that an
interruption loses nothing and the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagan.data.images import ImageSet
from sagan.disk import FolderLock
from sagan.errors import Interrupted
from sagan.runtime import Runtime, choose_runtime
from sagan.training.reporting import Note, Watch, nobody
from sagan.workflows.ablation.cells import Cell, CellResult, finished, run_cell
from sagan.workflows.ablation.files import write_pages
from sagan.workflows.ablation.measures import Measure, default_measure
from sagan.workflows.ablation.outcome import GroupOutcome, outcomes, verdict_of
from sagan.workflows.ablation.pages import show
from sagan.workflows.ablation.plan import Ablation, pictures_of
from sagan.workflows.ablation.together import run_together


@dataclass(frozen=True)
class AblationResult:
    """What an ablation left. lines: one careful sentence a group."""

    folder: Path
    outcomes: list[GroupOutcome]
    lines: list[str]
    paths: list[Path]


def ablate(ablation: Ablation, *, measure: Measure | None = None, watch: Watch = nobody) -> AblationResult:
    """Run the cells that are not finished, and write ablation.json, ablation.md, ablation.png and ablation.html.

    ablation: from `ablation.plan.set_up`.
    measure: what is measured on each generator; None for `measures.default_measure`.
    A cell whose numbers leave the finite is reported in its row. Raises ConfigError for a folder with another ablation,
    Interrupted after a signal, and what training raises.
    """
    runtime = choose_runtime(ablation.base.output.device, ablation.cells[0].config.output.threads)
    with FolderLock(ablation.folder):
        images = pictures_of(ablation.base, runtime)
        chosen = measure or default_measure(ablation.base.data.data, ablation.base.model.channels)
        found = [finished(cell, chosen, images.fingerprint) for cell in ablation.cells]
        results = [result for result in found if result is not None]
        waiting = [cell for cell, result in zip(ablation.cells, found, strict=True) if result is None]
        watch(Note(f"{len(ablation.cells)} cells, {len(results)} of them finished; {ablation.jobs} at a time."))

        def started(cell: Cell) -> None:
            watch(Note(f"Cell {cell.name}, seed {cell.seed}, in {cell.folder}"))

        def ended(result: CellResult) -> None:
            results.append(result)
            write_pages(ablation, chosen, rows_of(ablation, results, chosen), images, runtime)
            watch(Note(f"{len(results)} of {len(ablation.cells)}: {_told(result, chosen)}"))

        if ablation.jobs > 1:
            run_together(waiting, chosen, ablation.jobs, started=started, ended=ended)
        for cell in waiting if ablation.jobs == 1 else ():
            started(cell)
            ended(_alone(cell, chosen, images, runtime, watch))
        outcome = rows_of(ablation, results, chosen)
        paths = write_pages(ablation, chosen, outcome, images, runtime)
    return AblationResult(ablation.folder, outcome, [verdict_of(group) for group in outcome], paths)


def rows_of(ablation: Ablation, results: Sequence[CellResult], measure: Measure) -> list[GroupOutcome]:
    """The groups with what came out so far."""
    return outcomes(ablation.groups, ablation.names, results, measure)


def _alone(cell: Cell, measure: Measure, images: ImageSet, runtime: Runtime, watch: Watch) -> CellResult:
    try:
        return run_cell(cell, measure, images, runtime, watch)
    except Interrupted as stop:
        raise Interrupted(stop.what, exit_code=stop.exit_code, remedy="The same command goes on.") from None


def _told(result: CellResult, measure: Measure) -> str:
    name = f"{result.name}, seed {result.seed}"
    if result.failed:
        return f"{name} failed: {result.failed}"
    return f"{name}: {measure.headline} {show(result.values[measure.headline])} after {result.step:,} steps"
