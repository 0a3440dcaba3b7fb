"""A few numbers a row, every one of them drawn: a dot for each, a bar for their mean. Of three numbers a box would lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from sagan.visualise.axes import nice_step, number, ticks
from sagan.visualise.lettering import draw_text, shorten, text_width
from sagan.visualise.palette import AXIS, BACKGROUND, BLUE, GRID, INK, MUTED, VERMILION, blend

FINE = 2  # dots are drawn this many times larger, then reduced: smooth edges
ROW, TITLE, LABEL = 34, 20, 16
ABOVE, BELOW, EDGE = 56, 48, 24
NAMES = 330  # the widest a row's name may be


@dataclass(frozen=True)
class DotRow:
    """name: beside the row.  values: its numbers, none where there is none yet.  note: behind them, such as a failure."""

    name: str
    values: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True)
class DotPanel:
    """Rows under one title that share an axis. The first row's mean is drawn through all of them, to compare with."""

    title: str
    rows: tuple[DotRow, ...]


def render_dots(panels: Sequence[DotPanel], axis: str, *, width: int = 1100) -> Image.Image:
    """The panels one below the other, all on one axis, so that they can be read against each other.

    axis: what the numbers are. Rows without numbers keep their place, with their note.
    """
    found = [value for panel in panels for row in panel.rows for value in row.values]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    air = 0.08 * (high - low) or 0.1 * abs(low) or 0.1
    left = (
        EDGE + min(NAMES, max((text_width(row.name, LABEL) for panel in panels for row in panel.rows), default=0)) + 16
    )
    notes = max((text_width(row.note, LABEL) for panel in panels for row in panel.rows), default=0)
    scale = _Scale(low - air, high + air, left, max(left + 100, width - EDGE - min(notes + 16, 300)))
    parts = [_panel(panel, scale, axis, width) for panel in panels]
    sheet = Image.new("RGB", (width, EDGE + sum(part.height for part in parts)), BACKGROUND)
    top = EDGE // 2
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    left: float
    right: float

    def x(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


def _panel(panel: DotPanel, scale: _Scale, axis: str, width: int) -> Image.Image:
    height = ABOVE + ROW * len(panel.rows) + BELOW
    canvas = Image.new("RGB", (width * FINE, height * FINE), BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    bottom = ABOVE + ROW * len(panel.rows)
    marks = ticks(scale.low, scale.high, 6)
    for mark in marks:
        x = round(scale.x(mark)) * FINE
        pen.line([(x, ABOVE * FINE), (x, bottom * FINE)], fill=GRID, width=FINE)
    if panel.rows and panel.rows[0].values:
        x = round(scale.x(sum(panel.rows[0].values) / len(panel.rows[0].values))) * FINE
        pen.line([(x, ABOVE * FINE), (x, bottom * FINE)], fill=AXIS, width=2 * FINE)
    for index, row in enumerate(panel.rows):
        _row(pen, row, scale, ABOVE + ROW * index + ROW // 2, first=index == 0)
    pen.line([(scale.left * FINE, bottom * FINE), (scale.right * FINE, bottom * FINE)], fill=AXIS, width=FINE)
    chart = canvas.reduce(FINE)
    draw = ImageDraw.Draw(chart)
    draw_text(draw, (EDGE, 24), shorten(panel.title, TITLE, width - 2 * EDGE), TITLE, colour=INK)
    for index, row in enumerate(panel.rows):
        y = ABOVE + ROW * index + ROW // 2
        draw_text(draw, (scale.left - 12, y), shorten(row.name, LABEL, NAMES), LABEL, colour=INK, anchor="rm")
        draw_text(draw, (scale.right + 12, y), row.note, LABEL, colour=MUTED)
    step = nice_step(scale.high - scale.low, 6)
    for mark in marks:
        draw_text(draw, (scale.x(mark), bottom + 16), number(mark, step), LABEL, colour=MUTED, anchor="mm")
    draw_text(
        draw,
        (scale.right + 12, bottom + 16),
        shorten(axis, LABEL, round(width - scale.right - EDGE)),
        LABEL,
        colour=MUTED,
    )
    return chart


def _row(pen: ImageDraw.ImageDraw, row: DotRow, scale: _Scale, y: float, *, first: bool) -> None:
    if not row.values:
        return
    colour = BLUE if first else VERMILION  # the row compared with stands out
    ends = scale.x(min(row.values)) * FINE, scale.x(max(row.values)) * FINE
    pen.line([(ends[0], y * FINE), (ends[1], y * FINE)], fill=blend(colour, BACKGROUND, 0.4), width=2 * FINE)
    mean = round(scale.x(sum(row.values) / len(row.values))) * FINE
    pen.line([(mean, (y - 11) * FINE), (mean, (y + 11) * FINE)], fill=colour, width=3 * FINE)
    for value in row.values:
        pen.circle(
            (scale.x(value) * FINE, y * FINE), 5 * FINE, fill=blend(colour, BACKGROUND, 0.75), outline=BACKGROUND
        )
