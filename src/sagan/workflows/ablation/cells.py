"""A cell: one row with one seed. It is an ordinary run with one file more, cell.json, which says what came out.

A cell without that file is unfinished: it goes on from its newest checkpoint. A cell with it is never run again, whether it
ended well or because its numbers left the finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field, ValidationError

from sagan.config import RunConfig
from sagan.data.images import ImageSet
from sagan.errors import CheckpointCorrupt, ConfigError, NumericError
from sagan.records import Record
from sagan.runtime import Runtime
from sagan.training.reporting import Watch, nobody, read_log
from sagan.training.state import STATE, read_state
from sagan.workflows.ablation.measures import Measure
from sagan.workflows.ablation.rows import essence
from sagan.workflows.openers import open_generator, open_run
from sagan.workflows.run_folder import RunFolder, read_json, write_json
from sagan.workflows.train import train

CELL = "cell.json"
LAST_SHARE = 10  # the losses told of a run are means over the last tenth of its log


class CellResult(Record):
    """cell.json: what came out of one row with one seed.

    failed: why it ended without a result; empty when it has one.  values: what the measure gave.  attention: each layer's
    numbers at the end.  rollbacks: how often numbers left the finite and the run went back.
    """

    name: str
    seed: int
    protocol: str
    options: dict[str, Any] = Field(description="What decided the outcome: the record without places and intervals.")
    fingerprint: str
    failed: str = ""
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    rollbacks: int = 0
    values: dict[str, float] = {}
    losses: dict[str, float] = {}
    attention: dict[str, float] = {}


@dataclass(frozen=True)
class Cell:
    """name: of the row that first asked for this record.  config: whole, with its folder."""

    name: str
    config: RunConfig

    @property
    def seed(self) -> int:
        return self.config.training.seed

    @property
    def folder(self) -> Path:
        return Path(self.config.output.out)


def finished(cell: Cell, measure: Measure, fingerprint: str) -> CellResult | None:
    """What came out of a cell, if it is finished.

    Raises ConfigError when the file is of another question: another record, other pictures, another measure.
    """
    path = cell.folder / CELL
    if not path.exists():
        return None
    try:
        result = CellResult.model_validate(read_json(path))
    except ValidationError:
        raise CheckpointCorrupt("it is not what came out of a cell", where=path, remedy="Remove it.") from None
    asked, stored = essence(cell.config), {name: _tuple(value) for name, value in result.options.items()}
    strays = [name for name in asked if asked[name] != stored.get(name)]
    strays += ["pictures"] if result.fingerprint != fingerprint else []
    strays += ["measure"] if not result.failed and result.protocol != measure.protocol else []
    if strays:
        raise ConfigError(
            f"this cell was run with another {', '.join(strays)}",
            where=cell.folder,
            remedy="Choose another folder with --out, or ask for what the folder holds.",
        )
    return result


def run_cell(cell: Cell, measure: Measure, images: ImageSet, runtime: Runtime, watch: Watch = nobody) -> CellResult:
    """Train a cell to its end, measure it and write cell.json.

    Training that leaves the finite numbers is a result too. Raises what `train` raises otherwise; Interrupted after a signal.
    """
    facts: dict[str, Any] = {
        "name": cell.name,
        "seed": cell.seed,
        "protocol": measure.protocol,
        "options": essence(cell.config),
        "fingerprint": images.fingerprint,
    }
    try:
        train(cell.config, override=True, chores_count=False, watch=watch)  # threads may have changed since
    except NumericError as error:
        facts["failed"] = str(error.what)
    facts |= _where_it_stands(cell)
    if not facts.get("failed"):
        generator = open_generator(cell.folder, runtime=runtime).generator
        facts["values"] = measure.of(generator, images)
    result = CellResult.model_validate(facts)
    write_json(cell.folder / CELL, result.model_dump(mode="json"))
    return result


def _where_it_stands(cell: Cell) -> dict[str, Any]:
    checkpoint, rows = open_run(cell.folder).checkpoint, read_log(RunFolder(cell.folder).log)
    state = read_state((checkpoint / STATE).read_bytes(), checkpoint / STATE)
    last: dict[str, float] = {}
    for row in rows:
        last.update(row)
    recent = [row for row in rows if row["step"] >= state.step * (1 - 1 / LAST_SHARE)]
    losses = {
        name: fmean(found)
        for name in ("loss/discriminator", "loss/generator")
        if (found := [row[name] for row in recent if name in row])
    }
    attention = {
        name.removeprefix("attention/"): value for name, value in last.items() if name.startswith("attention/")
    }
    return {
        "step": state.step,
        "images": state.critic_updates * cell.config.training.batch_size,
        "seconds": state.seconds,
        "rollbacks": len(state.rollbacks),
        "losses": losses,
        "attention": attention,
    }


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
