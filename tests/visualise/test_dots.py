"""The chart of rows: every number is a dot at its place, on one axis for all panels."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.visualise.dots import ABOVE, BELOW, EDGE, ROW, DotPanel, DotRow, render_dots
from sagan.visualise.palette import BACKGROUND, BLUE, VERMILION, blend


def columns_of(sheet, y, colour):
    """Where in a row of pixels the colour stands, as the middle of each stretch."""
    line = np.asarray(sheet)[y]
    found = np.flatnonzero((np.abs(line.astype(int) - colour).sum(axis=1)) < 12)
    return [float(part.mean()) for part in np.split(found, np.flatnonzero(np.diff(found) > 1) + 1) if len(part) > 3]


def middle(panel, row):
    """The pixel row of a row's middle, in panels of two rows each."""
    return EDGE // 2 + panel * (ABOVE + 2 * ROW + BELOW) + ABOVE + row * ROW + ROW // 2


def test_dots_stand_at_their_numbers_on_one_axis():
    panels = [
        DotPanel("one", (DotRow("a", (0.0, 10.0)), DotRow("b", (5.0,)))),
        DotPanel("two", (DotRow("c", (2.5,)), DotRow("d", ()))),
    ]
    sheet = render_dots(panels, "score")
    assert sheet.height == EDGE + 2 * (ABOVE + 2 * ROW + BELOW)
    dots = {
        name: columns_of(sheet, middle(*place) + 3, blend(colour, BACKGROUND, 0.75))  # beside the bar of the mean
        for name, place, colour in (("a", (0, 0), BLUE), ("b", (0, 1), VERMILION), ("c", (1, 0), BLUE))
    }
    low, high = dots["a"][0], dots["a"][-1]
    assert len(dots["a"]) == 2 and high - low > 300
    scale = (high - low) / 10
    for name, value in (("b", 5.0), ("c", 2.5)):
        assert np.mean(dots[name]) == pytest.approx(low + value * scale, abs=1.5), name


def test_the_mean_of_a_row_is_a_bar():
    sheet = render_dots([DotPanel("one", (DotRow("a", (0.0, 1.0)), DotRow("b", (0.0, 0.0, 0.9))))], "score")
    dots = columns_of(sheet, middle(0, 1), blend(VERMILION, BACKGROUND, 0.75))
    bars = np.flatnonzero((np.abs(np.asarray(sheet)[middle(0, 1) - 9].astype(int) - VERMILION).sum(axis=1)) < 12)
    assert len(bars) and bars.mean() == pytest.approx(dots[0] + (dots[-1] - dots[0]) / 3, abs=1.5)


@pytest.mark.parametrize("values", [(), (0.0,), (3.0, 3.0), (-1e-9, 1e9), (0.25,) * 9])
def test_any_numbers_can_be_drawn(values):
    panels = [DotPanel("x" * 300, (DotRow("a very long name of a row " * 9, values, "1 failed"),))]
    assert render_dots(panels, "score" * 50).width == 1100
