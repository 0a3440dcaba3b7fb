"""Numbers over a few named places, such as settings that were tried: one chart below the other, every number a dot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from sagan.errors import ConfigError
from sagan.visualise.axes import limits, nice_step, number, spread, ticks
from sagan.visualise.lettering import draw_text, shorten, text_width
from sagan.visualise.palette import AXIS, BACKGROUND, GRID, INK, MUTED, line_colour

FINE = 2  # lines are drawn this many times larger, then reduced: smooth edges
TITLE, LABEL = 20, 16
ABOVE, BELOW, EDGE = 52, 52, 24
HEIGHT = 300


@dataclass(frozen=True)
class Series:
    """name: of the line.  values: one for each place."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class SeriesPanel:
    """Lines that share an axis."""

    title: str
    lines: tuple[Series, ...]


def render_series(places: Sequence[str], panels: Sequence[SeriesPanel], axis: str, *, width: int = 820) -> Image.Image:
    """places: names along the foot, evenly apart, whatever numbers they are.  axis: what they are.

    Raises ConfigError for lines of another length, or none.
    """
    lines = [line for panel in panels for line in panel.lines]
    if not lines or not places or any(len(line.values) != len(places) for line in lines):
        raise ConfigError("the lines do not fit their places", remedy="Give each line one value for each place.")
    right = EDGE + 28 + max(text_width(_shown(line), LABEL) for line in lines)
    scales = [_scale(panel) for panel in panels]
    left = EDGE + 14 + max(text_width(number(mark, scale.step), LABEL) for scale in scales for mark in scale.marks)
    sheet = Image.new("RGB", (width, EDGE + HEIGHT * len(panels)), BACKGROUND)
    for row, (panel, scale) in enumerate(zip(panels, scales, strict=True)):
        chart = _panel(places, panel, scale, axis, (width, left, width - right))
        sheet.paste(chart, (0, EDGE // 2 + row * HEIGHT))
    return sheet


def _shown(line: Series) -> str:
    """A name with the last value."""
    return f"{line.name}  {number(line.values[-1])}"


class _Scale(NamedTuple):
    """An axis: its ends, and the numbers beside it, `step` apart."""

    low: float
    high: float
    step: float
    marks: list[float]


def _scale(panel: SeriesPanel) -> _Scale:
    values = [np.asarray(line.values, dtype=np.float64) for line in panel.lines]
    low, high = limits(values, values)
    return _Scale(low, high, nice_step(high - low, 5), ticks(low, high, 5))


def _panel(
    places: Sequence[str], panel: SeriesPanel, scale: _Scale, axis: str, across: tuple[int, int, int]
) -> Image.Image:
    """across: the width, and where the frame begins and ends in it, which is the same for all panels."""
    low, high, step, marks = scale
    width, left, right = across
    bottom = HEIGHT - BELOW

    def x(place: int) -> float:
        return left + (place + 0.5) * (right - left) / len(places)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - ABOVE)

    canvas = Image.new("RGB", (width * FINE, HEIGHT * FINE), BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    for mark in marks:
        pen.line([(left * FINE, y(mark) * FINE), (right * FINE, y(mark) * FINE)], fill=GRID, width=FINE)
    pen.line([(left * FINE, bottom * FINE), (right * FINE, bottom * FINE)], fill=AXIS, width=FINE)
    for index, line in enumerate(panel.lines):
        path = [(x(place) * FINE, y(value) * FINE) for place, value in enumerate(line.values)]
        pen.line(path, fill=line_colour(index), width=round(2.5 * FINE), joint="curve")
        for point in path:
            pen.circle(point, 4 * FINE, fill=line_colour(index))
    chart = canvas.reduce(FINE)
    draw = ImageDraw.Draw(chart)
    draw_text(draw, (left, 24), shorten(panel.title, TITLE, right - left), TITLE, colour=INK)
    for mark in marks:
        draw_text(draw, (left - 8, y(mark)), number(mark, step), LABEL, colour=MUTED, anchor="rm")
    room = int((right - left) / len(places)) - 4
    for place, name in enumerate(places):
        draw_text(draw, (x(place), bottom + 17), shorten(name, LABEL, room), LABEL, colour=MUTED, anchor="mm")
    draw_text(draw, (right + 14, bottom + 17), axis, LABEL, colour=MUTED)
    heights = spread([y(line.values[-1]) for line in panel.lines], LABEL + 6, ABOVE, bottom)
    for index, (line, height) in enumerate(zip(panel.lines, heights, strict=True)):
        draw.line([(right + 2, height), (right + 10, height)], fill=line_colour(index), width=4)
        draw_text(draw, (right + 16, height), _shown(line), LABEL, colour=INK)
    return chart
