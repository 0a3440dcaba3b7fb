"""Whether a run works, told from its log after the fact: the verb `sagan doctor`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagan.config import RunConfig
from sagan.disk import disk_errors
from sagan.errors import CheckpointMissing, HealthError, SaganError
from sagan.health.advice import WORDS, Advice, advise
from sagan.health.judge import Judgement, Watcher
from sagan.health.signs import is_look, looks
from sagan.presets import run_of
from sagan.training.reporting import read_log
from sagan.workflows.health import judge_log, returns, setup_of
from sagan.workflows.run_folder import RunFolder, read_json

Row = tuple[str, str]
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 32  # places in a line of bars
SHOWN = {  # name in the log -> words for it, in the order of the page
    "health/nearest": "no repeats",
    "health/features": "variety",
    "health/distance": "distance",
    "loss/discriminator": "D's loss",
    "loss/generator": "G's loss",
    "logit/real": "logit, real",
    "logit/fake": "logit, fake",
    "augment/sign": "sign of overfitting",
    "augment/p": "augmentation p",
    "spectrum/generator": "spectrum G",
    "spectrum/discriminator": "spectrum D",
    "score/structure": "structure",
}


@dataclass(frozen=True)
class Diagnosis:
    """rows: name and words, the page.  notes: what else a person should know.  exit_code: 0, or 6 for a failing run."""

    judgement: Judgement
    advice: Advice | None
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return HealthError.exit_code if self.judgement.failing else 0


def doctor(path: str | Path) -> Diagnosis:
    """Judge a run by its log. path: its folder, or a checkpoint in it.

    A log from before the health watch, or of a run that had it off, is judged by losses, logits, attention and scores alone.
    Raises CheckpointMissing where there is no run; ConfigError, CheckpointError when its record cannot be read.
    """
    folder = RunFolder(run_of(Path(path)))
    with disk_errors(folder.path):
        config = folder.read_record()
        rows = read_log(folder.log)
    if config is None:
        raise CheckpointMissing("there is no run here", where=path, remedy="Name the folder that holds run.toml.")
    found = looks(rows)
    watcher = judge_log(config, rows)
    advice = advise(watcher.judgement, setup_of(config, _pictures(folder)))
    page = [*_verdict(watcher, found), *_advice(advice), *_curves(found)]
    return Diagnosis(watcher.judgement, advice, tuple(page), tuple(_notes(config, rows)))


def _verdict(watcher: Watcher, found: Sequence[dict[str, float]]) -> list[Row]:
    if not found:
        return [("verdict", "too early: the log holds nothing to judge by yet")]
    now = watcher.judgement
    rows = [("verdict", f"{now.verdict}: {WORDS[now.verdict]}"), ("at step", f"{now.step:,}, in {len(found):,} looks")]
    if now.verdict != "healthy":
        rows += [("since step", f"{now.since:,}"), *(("evidence", text) for text in now.evidence)]
    if now.failing and watcher.sound_until:
        rows.append(("last sound", f"step {watcher.sound_until:,}"))
    return rows


def _advice(advice: Advice | None) -> list[Row]:
    if advice is None:
        return []
    rows = [("likely cause", advice.cause)]
    if advice.now:
        rows.append(("try", f"{' '.join(advice.now)} --override, from the last sound checkpoint"))
    return rows + ([("or anew", ", ".join(advice.anew))] if advice.anew else [])


def _curves(found: Sequence[dict[str, float]]) -> list[Row]:
    rows = []
    for name, words in SHOWN.items():
        values = [row[name] for row in found if name in row and math.isfinite(row[name])]
        if values:
            rows.append((words, f"{bars(values)}  {values[0]:.3g} to {values[-1]:.3g}"))
    return rows


def _notes(config: RunConfig, rows: Sequence[dict[str, float]]) -> list[str]:
    notes = []
    if rows and not any(is_look(row) for row in rows):
        later = "--health warn --override watches" if config.training.health == "off" else "further training is watched"
        notes.append(
            "The log has no line of the health watch, and losses and logits alone do not show whether pictures repeat: "
            f"look at samples/; {later}."
        )
    return notes + [f"The run {words}." for words in returns(rows)]


def _pictures(folder: RunFolder) -> int:
    """Pictures in the run's set; 0 when the file that says so is not there or makes no sense."""
    try:
        number = read_json(folder.data)["pictures"]
    except (SaganError, KeyError, TypeError):
        return 0
    return number if isinstance(number, int) and number > 0 else 0


def bars(values: Sequence[float]) -> str:
    """A line of at most WIDTH bars from the least to the greatest value; of more values each bar is the mean of some."""
    count = min(len(values), WIDTH)
    edges = [round(index * len(values) / count) for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    low, high = min(means), max(means)
    if high == low:
        return BARS[0] * count
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in means)
