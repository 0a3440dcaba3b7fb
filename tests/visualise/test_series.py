from __future__ import annotations

import numpy as np
import pytest

from sagan.errors import ConfigError
from sagan.visualise.palette import line_colour
from sagan.visualise.series import EDGE, HEIGHT, Series, SeriesPanel, render_series


def dots(sheet, panel, index):
    """The middles (x, y) of a level line's dots, left to right: where its colour stands higher than the line is thick."""
    part = np.asarray(sheet).astype(int)[EDGE // 2 + panel * HEIGHT : EDGE // 2 + (panel + 1) * HEIGHT, :700]
    here = np.abs(part - line_colour(index)).sum(axis=2) < 30
    columns = np.flatnonzero(here.sum(axis=0) >= 6)
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 3) + 1)
    return [(float(group.mean()), float(np.nonzero(here[:, group])[0].mean())) for group in groups]


def test_each_number_is_a_dot_at_its_place():
    lines = tuple(Series(name, (value,) * 3) for name, value in (("a", 1.0), ("b", 2.0), ("c", 4.0)))
    panels = [SeriesPanel("one", (Series("x", (5.0, 6.0, 7.0)),)), SeriesPanel("two", lines)]
    sheet = render_series(["0.5", "1", "none"], panels, "truncation")
    assert sheet.height == EDGE + 2 * HEIGHT
    a, b, c = (dots(sheet, 1, index) for index in range(3))
    assert len(a) == len(b) == len(c) == 3
    assert a[1][0] - a[0][0] == pytest.approx(a[2][0] - a[1][0], abs=1.5), "places are evenly apart"
    assert [x for x, _ in a] == pytest.approx([x for x, _ in c], abs=1)
    assert (b[0][1] - c[0][1]) / (a[0][1] - b[0][1]) == pytest.approx(2, abs=0.1), "up is more, in proportion"


def test_lines_of_another_length_are_refused():
    for places, values in ((["a", "b"], (1.0,)), ([], ())):
        with pytest.raises(ConfigError, match="do not fit their places"):
            render_series(places, [SeriesPanel("one", (Series("a", values),))], "x")
    with pytest.raises(ConfigError, match="do not fit"):
        render_series(["a"], [], "x")
