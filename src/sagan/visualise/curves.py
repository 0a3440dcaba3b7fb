"""The log of a run as one page of small charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from sagan.visualise.axes import Values, limits, nice_step, number, smoothed, spread, thinned, ticks
from sagan.visualise.lettering import draw_text, shorten, text_width
from sagan.visualise.palette import (
    AXIS,
    BACKGROUND,
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    VERMILION,
    Colour,
    blend,
    line_colour,
)

Row = Mapping[str, object]

FINE = 2  # lines are drawn this many times larger, then reduced: smooth edges
PANEL_WIDTH, PANEL_HEIGHT = 800, 310
EDGE = 24
TITLE, LABEL = 20, 16
ABOVE, BELOW = 50, 44  # room for a panel's title; for the numbers along its foot

# Groups of keys whose members share an axis.
TOGETHER = {
    "loss": "Loss",
    "logit": "Logits of the discriminator",
    "augment": "Adaptive augmentation: probability p, sign of overfitting",
    "lecam": "LeCam's averages of the logits",
    "score": "Scores",
    "health": "Generated pictures beside real ones",
    "spectrum": "Largest singular value of the weights",
}
MEASURES = {
    "gamma": "Attention gamma",
    "branch_ratio": "Attention branch / input, ratio of norms",
    "entropy": "Attention entropy",
    "distance": "Attention distance",
}
KNOWN_COLOURS = {  # the two networks keep their colour from panel to panel
    "loss/discriminator": VERMILION,
    "loss/generator": BLUE,
    "logit/real": GREEN,
    "logit/fake": ORANGE,
    "lecam/real": GREEN,
    "lecam/fake": ORANGE,
}


@dataclass(frozen=True)
class Panel:
    """One chart: its title, and the lines in it as (key of the log, name to show)."""

    title: str
    lines: tuple[tuple[str, str], ...]


def panels_of(rows: Sequence[Row]) -> list[Panel]:
    """The charts a log calls for: losses, logits, one for each measure of attention, scores, one for each other key.

    Keys without a slash ("step", "images", "seconds") are axes, not lines. Keys that never held a number are left out.
    """
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if "/" in key and _is_number(value))
    groups: dict[str, list[tuple[str, str]]] = {}
    order = [TOGETHER["loss"], TOGETHER["logit"], *MEASURES.values(), TOGETHER["score"]]
    for key in keys:
        group, _, rest = key.partition("/")
        if group == "attention" and "/" in rest:
            layer, _, measure = rest.rpartition("/")
            title, name = MEASURES.get(measure, f"Attention {_words(measure)}"), layer
        elif group in TOGETHER:
            title, name = TOGETHER[group], _words(rest)
        else:
            title, name = f"{_words(group).capitalize()}: {_words(rest)}", ""
        groups.setdefault(title, []).append((key, name))
    titles = [title for title in order if title in groups] + [title for title in groups if title not in order]
    return [Panel(title, tuple(groups[title])) for title in titles]


def render_curves(
    rows: Sequence[Row],
    panels: Sequence[Panel] | None = None,
    *,
    width: int = 1600,
    colours: Mapping[str, Colour] = KNOWN_COLOURS,
) -> Image.Image:
    """The log as charts over the step, as many side by side as `width` holds (at 800 pixels each).

    rows: lines of log.jsonl; each has "step", any other key may be missing in any of them; what is not a finite number
    is left out.  panels: which charts; None means `panels_of(rows)`.  colours: of lines, by key; the others take turns.
    A faint line shows every value, a strong one a moving average, with its name and last value beside it. Rare spikes
    may leave the chart; it then says how many values did.
    """
    found = [(panel, _lines(rows, panel, colours)) for panel in (panels_of(rows) if panels is None else panels)]
    chosen = [panel for panel, lines in found if lines]
    drawn = [lines for _, lines in found if lines]
    if not chosen:
        sheet = Image.new("RGB", (width, 120), BACKGROUND)
        words = "The log holds no numbers yet."
        draw_text(ImageDraw.Draw(sheet), (width / 2, 60), words, TITLE, colour=MUTED, anchor="mm")
        return sheet
    columns = min(len(chosen), max(1, width // PANEL_WIDTH))
    panel_width = width // columns
    sheet = Image.new("RGB", (width, 2 * EDGE + -(-len(chosen) // columns) * PANEL_HEIGHT), BACKGROUND)
    steps = [step for lines in drawn for line in lines for step in (line.x[0], line.x[-1])]
    span = (float(min(steps)), float(max(steps)))
    charts = [_Chart(panel.title, lines, span, panel_width) for panel, lines in zip(chosen, drawn, strict=True)]
    left = max(chart.room_left for chart in charts)  # one frame for all, so that charts can be read against each other
    right = max(chart.room_right for chart in charts)
    for index, chart in enumerate(charts):
        row, column = divmod(index, columns)
        sheet.paste(chart.draw(left, right), (column * panel_width, EDGE + row * PANEL_HEIGHT))
    return sheet


@dataclass(frozen=True)
class _Line:
    name: str
    colour: Colour
    x: Values
    y: Values
    smooth: Values  # `y` itself where there are too few values to smooth

    @property
    def last(self) -> float:
        return float(self.smooth[-1])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _words(key: str) -> str:
    return key.replace("_", " ").replace("/", " ")


def _lines(rows: Sequence[Row], panel: Panel, colours: Mapping[str, Colour]) -> list[_Line]:
    lines = []
    for index, (key, name) in enumerate(panel.lines):
        pairs = [(row["step"], row[key]) for row in rows if _is_number(row.get("step")) and _is_number(row.get(key))]
        if pairs:
            values = np.array(pairs, dtype=np.float64)
            values = values[np.argsort(values[:, 0], kind="stable")]
            x, y = values[:, 0], values[:, 1]
            lines.append(_Line(name, colours.get(key, line_colour(index)), x, y, smoothed(y)))
    return lines


class _Chart:
    """One panel: lines on a finer canvas first, then text at its true size."""

    def __init__(self, title: str, lines: Sequence[_Line], span: tuple[float, float], width: int) -> None:
        self.title, self.lines, self.width = title, lines, width
        self.low, self.high = limits([line.y for line in lines], [line.smooth for line in lines])
        self.y_step = nice_step(self.high - self.low, 5)
        self.y_ticks = ticks(self.low, self.high, 5)
        self.x_ticks = ticks(*span, 6, whole=True)
        self.first, self.last = span if span[1] > span[0] else (span[0] - 1, span[1] + 1)
        self.words = [shorten(f"{line.name}  {number(line.last)}".strip(), LABEL, width // 3) for line in lines]
        self.room_left = EDGE + 10 + max(text_width(number(tick, self.y_step), LABEL) for tick in self.y_ticks)
        self.room_right = EDGE + 30 + max(text_width(words, LABEL) for words in self.words)
        self.left, self.right, self.top, self.bottom = 0, width, ABOVE, PANEL_HEIGHT - BELOW

    def x(self, step: float) -> float:
        return self.left + (step - self.first) / (self.last - self.first) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def draw(self, room_left: int, room_right: int) -> Image.Image:
        self.left, self.right = room_left, max(room_left + 1, self.width - room_right)
        canvas = Image.new("RGB", (self.width * FINE, PANEL_HEIGHT * FINE), BACKGROUND)
        self._draw_frame(ImageDraw.Draw(canvas))
        inside = canvas.copy()
        pen = ImageDraw.Draw(inside)
        for line in self.lines:
            if line.smooth is not line.y:
                pen.line(self._path(line.x, line.y), fill=blend(line.colour, BACKGROUND, 0.28), width=FINE)
        for line in self.lines:
            self._draw_smooth(pen, line)
        # Spikes end at the frame; a dot at the first or last step may reach over its side.
        window = ((self.left - 6) * FINE, self.top * FINE, (self.right + 6) * FINE, (self.bottom + 1) * FINE)
        canvas.paste(inside.crop(window), window[:2])
        chart = canvas.reduce(FINE)
        draw = ImageDraw.Draw(chart)
        self._draw_title(draw)
        self._draw_numbers(draw)
        self._draw_names(draw)
        return chart

    def _draw_frame(self, pen: ImageDraw.ImageDraw) -> None:
        for tick in self.y_ticks:
            y = round(self.y(tick)) * FINE
            pen.line([(self.left * FINE, y), (self.right * FINE, y)], fill=AXIS if tick == 0 else GRID, width=FINE)
        foot = self.bottom * FINE
        pen.line([(self.left * FINE, foot), (self.right * FINE, foot)], fill=AXIS, width=FINE)
        for tick in self.x_ticks:
            x = round(self.x(tick)) * FINE
            pen.line([(x, foot), (x, foot + 5 * FINE)], fill=AXIS, width=FINE)

    def _path(self, x: Values, y: Values) -> list[tuple[float, float]]:
        x, y = thinned(x, y, self.right - self.left)
        return [(self.x(step) * FINE, self.y(value) * FINE) for step, value in zip(x.tolist(), y.tolist(), strict=True)]

    def _draw_smooth(self, pen: ImageDraw.ImageDraw, line: _Line) -> None:
        path = self._path(line.x, line.smooth)
        width = round(2.5 * FINE)
        pen.line(path, fill=line.colour, width=width)
        for before, after in pairwise(path):  # round joints where they show: Pillow's own are slow on long lines
            if abs(after[1] - before[1]) > width:
                pen.circle(after, width / 2, fill=line.colour)
        few = line.smooth is line.y
        for place in path if few else path[-1:]:  # few values: a dot for each; many: only where the name belongs
            pen.circle(place, 4 * FINE, fill=line.colour)

    def _draw_title(self, draw: ImageDraw.ImageDraw) -> None:
        beyond = sum(int(((line.y < self.low) | (line.y > self.high)).sum()) for line in self.lines)
        note = f"{beyond:,} value{'s' * (beyond != 1)} beyond the chart" if beyond else ""
        room = self.right - self.left - text_width(note, LABEL) - EDGE
        draw_text(draw, (self.left, 22), shorten(self.title, TITLE, max(room, 0)), TITLE, colour=INK)
        draw_text(draw, (self.right, 24), note, LABEL, colour=MUTED, anchor="rm")

    def _draw_numbers(self, draw: ImageDraw.ImageDraw) -> None:
        for tick in self.y_ticks:
            words = number(tick, self.y_step)
            draw_text(draw, (self.left - 8, self.y(tick)), words, LABEL, colour=MUTED, anchor="rm")
        reached = -math.inf  # numbers that would touch the one before are left out
        for tick in self.x_ticks:
            words = number(tick, 1)
            half = text_width(words, LABEL) / 2
            if self.x(tick) - half > reached + 8:
                draw_text(draw, (self.x(tick), self.bottom + 17), words, LABEL, colour=MUTED, anchor="mm")
                reached = self.x(tick) + half
        draw_text(draw, (max(self.right + 14, reached + 10), self.bottom + 17), "step", LABEL, colour=MUTED)

    def _draw_names(self, draw: ImageDraw.ImageDraw) -> None:
        ends = [min(max(self.y(line.last), self.top), self.bottom) for line in self.lines]
        heights = spread(ends, LABEL + 6, self.top, self.bottom - 8)
        for line, words, end, height in zip(self.lines, self.words, ends, heights, strict=True):
            draw.line([(self.right + 6, end), (self.right + 14, height)], fill=blend(line.colour, BACKGROUND, 0.5))
            draw.line([(self.right + 14, height), (self.right + 22, height)], fill=line.colour, width=4)
            draw_text(draw, (self.right + 28, height), words, LABEL, colour=INK)
