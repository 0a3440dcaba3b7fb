"""Looking does not disturb: how often a run logs, saves, draws, scores and reports changes nothing in where it ends."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from proofs import jobs
from proofs.covering import covering_rows
from proofs.outcome import Outcome
from proofs.processes import call
from proofs.reference import digest, record, unequal, write_pictures

CLAIM = (
    "Sampling, scoring, logging, saving, attention telemetry, the health watch and reports, at every step, every third or "
    "never, leave the run as it is, bit for bit."
)
QUICK, FULL = 2, 12
LENGTH = 6
NEVER = 10_000_000
EXTREMES = [
    {
        "log_every": 1,
        "save_every": 1,
        "sample_every": 1,
        "report": "at each save",
        "tensorboard": True,
        "health_every": 1,
    },
    {
        "log_every": 3,
        "save_every": 3,
        "sample_every": 3,
        "report": "at each save",
        "tensorboard": False,
        "health_every": 3,
    },
]
FACTORS: dict[str, list[Any]] = {
    "log_every": [1, 3, NEVER],
    "save_every": [1, 3, 0],
    "sample_every": [1, 3, 0],
    "report": ["at each save", "seldom"],
    "tensorboard": [True, False],
    "health_every": [1, 3, NEVER],
}
EMBLEMS = 0.3  # share of the rows, after the first, that train on the built-in set, whose samples are scored


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """Compare `count` runs with one that does nothing but train. sabotage: of the runs that look."""
    photos = write_pictures(workspace / "photos")
    rows, _ = covering_rows(FACTORS, max(0, count - len(EXTREMES)), seed)
    choice, expected = random.Random(seed), dict[str, dict[str, str]]()
    outcome = Outcome(facts={"with scoring": 0})
    for number, row in enumerate([*EXTREMES, *rows][:count]):
        data = "emblems" if number == 1 or (number > 1 and choice.random() < EMBLEMS) else str(photos)
        if data not in expected:
            expected[data] = silent(data, workspace / f"silent-{len(expected)}")
        outcome.count("with scoring", data == "emblems")
        out = workspace / f"run-{number}"
        call(train, data, out, row, log=out.with_suffix(".log"), sabotage=sabotage)
        difference = unequal(digest(out, LENGTH), expected[data])
        outcome.note(difference and f"{row} on {Path(data).name}: {difference}")
    return outcome


def silent(data: str, out: Path) -> dict[str, str]:
    """Where a run ends that nobody looks at."""
    row = {"log_every": NEVER, "save_every": 0, "sample_every": 0, "tensorboard": False, "health": "off"}
    call(jobs.train, data, out, {**row, "steps": LENGTH}, log=out.with_suffix(".log"))
    return digest(out, LENGTH)


def train(data: str, out: Path, row: dict[str, Any]) -> None:
    """The child's work, with the estimate at its start and the report at its end, and maybe one at each save."""
    from sagan.workflows import chores
    from sagan.workflows.train import train

    if row["report"] == "at each save":
        chores.REPORT_SHARE = 0  # else the report's own cost decides
    options = {name: value for name, value in row.items() if name != "report"}
    train(record(data, out, **options, steps=LENGTH))
