"""What a run's files say besides its curves: scores with their protocols, what its health watch noticed, its leak test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagan.checkpoint.retention import read_best
from sagan.errors import SaganError
from sagan.training.reporting import read_log_about
from sagan.workflows.run_folder import RunFolder, read_json

SCORE, HEALTH = "score/", "health/"
NOT_SAID = "not recorded"
MOST_EVENTS = 50


@dataclass(frozen=True)
class Score:
    """One number about the pictures, with what it needs to be compared.  step: the one that it is of."""

    name: str
    value: float
    step: int
    protocol: str


def scores_of(folder: RunFolder) -> list[Score]:
    """The last value of every score, one for each protocol; and the best, where another step had it.

    A line of the log may name its protocol; scores without one are those of the loop, whose protocol stands in best.json.
    """
    try:
        best = read_best(folder.path)
    except SaganError:
        best = None
    usual = best.protocol if best is not None else NOT_SAID
    last: dict[tuple[str, str], Score] = {}
    for row in read_log_about(folder.log, f'"{SCORE}'):
        protocol = str(row.get("protocol", usual))
        for name, value in row.items():
            if name.startswith(SCORE) and _is_number(value):
                short = name.removeprefix(SCORE)
                last[short, protocol] = Score(short, float(value), row["step"], protocol)
    found = list(last.values())
    if best is not None and not any(score.step == best.step and score.protocol == best.protocol for score in found):
        found.append(Score("the best", best.value, best.step, best.protocol))
    return found


def health_of(folder: RunFolder) -> list[str]:
    """What went wrong and was noticed, oldest first, a line each: numbers that left the finite, events of the health watch.

    Numbers that the watch measures are drawn with the curves; texts and raised flags are events. One that repeats itself is
    told once, with how often.
    """
    told: dict[str, list[int]] = {}
    for row in read_log_about(folder.log, f'"{HEALTH}', '"broke_at"'):
        for words in _events_of(row):
            told.setdefault(words, []).append(row["step"])
    lines = [f"{_steps(steps)}: {words}" for words, steps in sorted(told.items(), key=lambda entry: entry[1][0])]
    more = len(lines) - MOST_EVENTS
    return lines[:MOST_EVENTS] + ([f"and {more} more, in log.jsonl"] if more > 0 else [])


def _events_of(row: Mapping[str, Any]) -> Iterable[str]:
    if "broke_at" in row:
        what = row.get("what", "a number left the finite")
        yield f"{what} at step {row['broke_at']}; the run went back and on with other noise"
    for name, value in row.items():
        short = name.removeprefix(HEALTH).replace("_", " ")
        if name.startswith(HEALTH) and isinstance(value, str) and value:
            yield f"{short}: {value}"
        elif name.startswith(HEALTH) and value is True:
            yield short


def _steps(steps: list[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]:,}"
    return f"steps {steps[0]:,} to {steps[-1]:,}, {len(steps)} times"


def leak_of(folder: RunFolder) -> list[tuple[str, str]]:
    """leak.json in rows, the verdict first; none where no leak test was made, or where its file cannot be read."""
    path = folder.path / "leak.json"
    if not path.is_file():
        return []
    try:
        facts = read_json(path)
    except SaganError as error:
        return [("verdict", f"cannot be read: {error.what}")]
    if not isinstance(facts, dict):
        return [("verdict", NOT_SAID)]
    shown = {name: value for name, value in facts.items() if isinstance(value, (str, int, float))}
    rows = [("verdict", _words(shown.pop("verdict", NOT_SAID)))]
    return rows + [(name.replace("_", " "), _words(value)) for name, value in shown.items()]


def _words(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
