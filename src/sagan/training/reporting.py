"""What a run tells whoever watches it, and its log: one JSON line an interval."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagan.disk import append_line


@dataclass(frozen=True)
class Note:
    """A sentence for the person watching."""

    text: str


@dataclass(frozen=True)
class Saved:
    """Something was written."""

    path: Path
    what: str


@dataclass(frozen=True)
class Progress:
    """How far a run is. seconds_left and steps are None while they cannot be known; share is the part done, 0 to 1."""

    step: int
    steps: int | None
    seconds: float
    seconds_left: float | None
    images: int
    images_per_second: float
    share: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)


LAST_LINES = 50

Event = Note | Saved | Progress
Watch = Callable[[Event], None]


def nobody(event: Event) -> None:
    """A watcher that does not look."""


def write_log_line(path: Path, values: Mapping[str, float]) -> None:
    """Append one line to log.jsonl. Raises ResourceError, which must not stop training."""
    append_line(path, json.dumps(as_logged(values), allow_nan=False))


def as_logged(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers with the digits that the log keeps: who decides by them decides alike after reading them back."""
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in values.items()}


def read_log(path: Path, most: int | None = None) -> list[dict[str, float]]:
    """The lines of log.jsonl; a torn last line, which a crash may leave, is passed over.

    most: of a longer log only about so many lines are parsed, evenly spread, the last ones always among them.
    """
    lines = _lines(path)
    if most is not None and len(lines) > most:
        lines = lines[: -LAST_LINES : -(-len(lines) // most)] + lines[-LAST_LINES:]
    return [{name: value for name, value in row.items() if isinstance(value, (int, float))} for row in _parsed(lines)]


def read_log_about(path: Path, *words: str) -> list[dict[str, Any]]:
    """The whole lines of log.jsonl, texts and all, in which one of `words` stands. The rest is not parsed: a log is long."""
    return list(_parsed([line for line in _lines(path) if any(word in line for word in words)]))


def _lines(path: Path) -> list[str]:
    if not path.is_file():  # what is no file may have no end
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The lines that are objects with a step."""
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            yield row
