"""The arithmetic of a chart: ranges, round ticks, number words, smoothing. No drawing here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FEW = 24  # with fewer points than this a smoothed line would hide more than it shows
WINDOWS = 40  # half the smoothing window is this fraction of the line
OUTLIERS = 1.0  # percent at either end that may not set the range of a long raw line


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts `span` (> 0) into at most `count` parts."""
    least = span / count
    power = 10.0 ** math.floor(math.log10(least))
    for digit in (1, 2, 5, 10):
        if digit * power >= least * (1 - 1e-9):
            return digit * power
    raise AssertionError("a power of ten below `least` is at most a tenth of it")


def ticks(low: float, high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers within [low, high], evenly apart by 1, 2 or 5 times a power of ten. `whole`: integers only."""
    if not high > low:
        return [low]
    step = nice_step(high - low, count)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def number(value: float, step: float | None = None) -> str:
    """A number for reading: commas between thousands; as many decimals as `step` (default: three figures) needs."""
    if value == 0:
        return "0"
    size = step if step is not None else 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    if abs(value) >= 1e9 or size < 1e-6:
        return f"{value:.3g}"
    decimals = max(0, -math.floor(math.log10(size) + 1e-9))
    words = f"{value:,.{decimals}f}"
    return words.removeprefix("-") if float(words.replace(",", "")) == 0 else words


def limits(raw: Sequence[Values], smooth: Sequence[Values]) -> tuple[float, float]:
    """The range of an axis: every smoothed line whole, raw lines without their rare spikes, and a little air.

    A line that never moves sits in the middle of a range that is not empty.
    """
    ends: list[float] = []
    for line in smooth:
        ends += [float(line.min()), float(line.max())]
    for line in raw:
        share = OUTLIERS if len(line) >= 100 / OUTLIERS else 0.0
        ends += [float(end) for end in np.percentile(line, [share, 100 - share])]
    low, high = min(ends), max(ends)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        air = 0.1 * abs(low) or 0.1
    else:
        air = 0.06 * (high - low)
    return low - air, high + air


def smoothed(values: Values) -> Values:
    """Centred moving average (Hann weights over a twentieth of the line); short lines as they are.

    At the ends the window is cut off and its weights made to sum to one again: the ends stay calm, and lag a little.
    """
    count = len(values)
    if count < FEW:
        return values
    weights = np.hanning(2 * max(2, count // WINDOWS) + 1)
    return np.asarray(
        np.convolve(values, weights, "same") / np.convolve(np.ones(count), weights, "same"), dtype=np.float64
    )


def thinned(x: Values, y: Values, bins: int) -> tuple[Values, Values]:
    """A line with at most about 2 `bins` points that looks the same: of each stretch its lowest and highest point."""
    if len(x) <= 2 * bins:
        return x, y
    keep: set[int] = {0, len(x) - 1}
    for part in np.array_split(np.arange(len(x)), bins):
        keep |= {int(part[y[part].argmin()]), int(part[y[part].argmax()])}
    order = sorted(keep)
    return x[order], y[order]


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Heights for labels, near the `wanted` ones and in their order, `apart` from each other.

    They lie within [low, high] when they fit; otherwise they run out at `low`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    places = [0.0] * len(wanted)
    below = -math.inf
    for index in order:  # push down where two are too near
        below = places[index] = max(wanted[index], below + apart, low)
    above = math.inf
    for index in reversed(order):  # then up from the lower border
        above = places[index] = min(places[index], above - apart, high)
    return places
