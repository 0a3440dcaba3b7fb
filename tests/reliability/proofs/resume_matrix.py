"""Stopped and gone on with in a new process, a run is the uninterrupted one, whatever its options and wherever it stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from proofs import jobs
from proofs.covering import Row, covering_rows
from proofs.outcome import Outcome
from proofs.processes import PATIENCE, call
from proofs.reference import digest, start, unequal, words, write_pictures
from sagan.checkpoint.folder import step_folder, steps

CLAIM = (
    "A run that was saved at any step and gone on with in a new process ends in the same bits as the uninterrupted one: "
    "weights, averages, statistics, optimisers, counters and drawn pictures."
)
QUICK, FULL = 6, 24
LENGTH = 6
CRITICS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm": {"d_norm": "batch"},
    "gradient penalty": {"gp": 10.0, "loss": "wasserstein", "d_norm": "layer"},
    "lazy r1": {"r1": 1.0, "penalty_every": 3},
    "for small sets": {"augment": "adaptive", "aug_p": 0.3, "aug_kimg": 0.1, "lecam": 0.1, "cr": 1.0, "cr_fake": 1.0}
    | {"topk": 0.5, "topk_kimg": 0.05},
}
# An epoch is 20 pictures, a discriminator update shows 8: step 5 ends one, whatever n_dis. The average starts at step 2.
POSITIONS = {
    "step 0": 0,
    "before the average starts": 1,
    "inside an epoch": 3,
    "end of an epoch": 5,
    "last step": LENGTH,
}
FACTORS: dict[str, list[Any]] = {
    "precision": ["fp32", "bf16"],
    "workers": [0, 2],
    "optimiser": ["adam", "rmsprop"],
    "threads": [1, 2],
    "cond": ["auto", "off"],  # batch norm of the generator: by class or plain
    "grad_accum": [1, 2],
    "n_dis": [1, 2],
    "ema": [0.9, 0.0],
    "critic": list(CRITICS),
    "position": list(POSITIONS),
    "new interpreter": [False, True],  # going on by `python -m sagan` with another hash seed, or in a fork
}


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """Try `count` rows of options. sabotage: of the process that goes on, for the test of this proof."""
    data = write_pictures(workspace / "photos")
    rows, share = covering_rows(FACTORS, count, seed)
    outcome = Outcome(facts={"pairs of choices covered": round(share, 3), "by a new interpreter": 0})
    for number, row in enumerate(rows):
        outcome.count("by a new interpreter", row["new interpreter"] and sabotage is None)
        difference = differs(row, data, workspace / f"row-{number}", sabotage)
        outcome.note(difference and f"{row}: {difference}")
    return outcome


def differs(row: Row, data: Path, place: Path, sabotage: str | None = None) -> str | None:
    """What a resumed run of these options differs in from the uninterrupted one; None when nothing does."""
    place.mkdir(parents=True)
    options, stop = options_of(row), POSITIONS[row["position"]]
    whole, broken = place / "whole", place / "broken"
    call(jobs.train, data, whole, options, log=place / "whole.log")
    call(jobs.train, data, broken, {**options, "steps": stop or 1}, log=place / "before.log")
    if stop == 0:  # what was saved before the first step is what a run killed in that step goes on from
        drop_later(broken)
    if row["new interpreter"] and sabotage is None:
        said = go_on_in_a_new_interpreter(data, broken, options)
    else:
        said = call(jobs.train, data, broken, options, 3, log=place / "after.log", sabotage=sabotage)
    if stop and f"Going on from step {stop}." not in said:
        return f"did not go on from step {stop}: {said[-300:]}"
    return unequal(digest(broken, LENGTH), digest(whole, LENGTH))


def options_of(row: Row) -> dict[str, Any]:
    """The options of the record that a row of choices stands for."""
    options = {name: row[name] for name in FACTORS if name not in ("critic", "position", "new interpreter")}
    options |= CRITICS[row["critic"]]
    chores = {"save_every": 0, "sample_every": 0, "log_every": 3}
    return {**options, **chores, "steps": LENGTH, "cache_mib": 0 if row["workers"] else 64}


def drop_later(run: Path) -> None:
    """Leave only the checkpoint of step 0."""
    for step in steps(run)[1:]:
        shutil.rmtree(step_folder(run, step))


def go_on_in_a_new_interpreter(data: Path, out: Path, options: dict[str, Any]) -> str:
    """`sagan train` with other hashes; what it said. Raises RuntimeError when it failed."""
    process = start(words(data, out, **options), environment={"PYTHONHASHSEED": "77"})
    said = process.communicate(timeout=PATIENCE)[1]
    if process.returncode != 0:
        raise RuntimeError(f"sagan train ended with {process.returncode}: {said[-2000:]}")
    return said
