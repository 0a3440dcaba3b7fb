"""The curves of several runs in one frame: a chart for each number of the log, a line for each run, always in its colour."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from sagan.visualise.curves import Panel, Row, panels_of, render_curves
from sagan.visualise.palette import line_colour

MARK = "\x00"  # between the number of a run and a key; no key of a log holds it
LEFT_OUT = ("rate/",)


def overlaid(runs: Sequence[tuple[str, Sequence[Row]]]) -> list[Row]:
    """The logs of all runs as one log, in which every key says whose it is. What only one run has is left out.

    runs: (name, lines of log.jsonl).
    """
    keys: dict[str, int] = {}
    for _, rows in runs:
        for key in {key for row in rows for key in row if "/" in key and not key.startswith(LEFT_OUT)}:
            keys[key] = keys.get(key, 0) + 1
    shared = {key for key, count in keys.items() if count > 1}
    merged: list[Row] = []
    for number, (_, rows) in enumerate(runs):
        for row in rows:
            ours = {f"{number}{MARK}{key}": value for key, value in row.items() if key in shared}
            if ours:
                merged.append({"step": row["step"], **ours})
    return merged


def render_overlaid(merged: Sequence[Row], names: Sequence[str], *, width: int = 1600) -> Image.Image:
    """Charts of `overlaid` logs. names: of the runs, in their order."""
    every = dict.fromkeys(key.split(MARK)[1] for row in merged for key in row if MARK in key)
    keys = [key for panel in panels_of([dict.fromkeys(every, 0.0)]) for key, _ in panel.lines]  # in their usual order
    titles = {panel.lines[0][0]: _title(panel) for key in keys for panel in panels_of([{"step": 0, key: 0.0}])}
    panels = [
        Panel(titles[key], tuple((f"{number}{MARK}{key}", name) for number, name in enumerate(names))) for key in keys
    ]
    colours = {f"{number}{MARK}{key}": line_colour(number) for key in keys for number in range(len(names))}
    return render_curves(merged, panels, width=width, colours=colours)


def _title(panel: Panel) -> str:
    """'Loss: discriminator' for a panel of one line."""
    ((_, name),) = panel.lines
    return f"{panel.title}: {name}" if name else panel.title
