from __future__ import annotations

import numpy as np
import pytest

from sagan.errors import ConfigError
from sagan.visualise.points import entropy, pick_points, pixel_of, position_of


@pytest.mark.parametrize(
    ("position", "map_side", "resolution", "pixel"),
    [
        ((0, 0), 16, 32, (1, 1)),
        ((3, 5), 16, 32, (11, 7)),
        ((31, 0), 32, 32, (0, 31)),
        ((31, 2), 32, 128, (10, 126)),
        ((1, 0), 3, 10, (1, 5)),  # a side that does not divide the picture
    ],
)
def test_centre_pixels_by_hand(position, map_side, resolution, pixel) -> None:
    assert pixel_of(*position, map_side, resolution) == pixel


@pytest.mark.parametrize(("map_side", "resolution"), [(8, 32), (32, 32), (16, 128), (3, 10)])
def test_the_centre_pixel_of_every_cell_lies_in_that_cell(map_side: int, resolution: int) -> None:
    for row in range(map_side):
        for column in range(map_side):
            x, y = pixel_of(row, column, map_side, resolution)
            assert position_of(x, y, map_side, resolution) == (row, column)


def test_pixels_fall_into_cells_by_hand() -> None:
    assert position_of(x=31, y=0, map_side=16, resolution=32) == (0, 15)
    assert position_of(x=1, y=2, map_side=16, resolution=32) == (1, 0)


@pytest.mark.parametrize(("x", "y"), [(32, 0), (0, 32), (-1, 5)])
def test_a_pixel_outside_is_refused_with_the_range(x: int, y: int) -> None:
    with pytest.raises(ConfigError, match=rf"{x},{y}.*32x32.*0 to 31"):
        position_of(x, y, 16, 32)


def test_entropy_by_hand() -> None:
    rows = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])
    assert entropy(rows) == pytest.approx([0.0, np.log(2), np.log(4)])


def hand_made() -> np.ndarray:
    """A 6x6 map over 2x2 keys: uniform rows, but for four."""
    rows = np.full((6, 6, 2, 2), 0.25, dtype=np.float32)
    rows[0, 0] = [[1, 0], [0, 0]]  # the sharpest of all, but on the border
    rows[2, 3] = [[0.99, 0.01], [0, 0]]  # the sharpest inside
    rows[4, 1] = [[0, 0], [0.1, 0.9]]  # nothing in common with (2, 3): Hellinger distance 1
    rows[1, 1] = [[0.0, 0.5], [0.5, 0.0]]  # 0.1 from the first by sqrt(0.01 * 0.5), 0.22 from the second
    return rows


def test_points_of_a_hand_made_map() -> None:
    assert pick_points(hand_made(), 3) == [(2, 3), (4, 1), (1, 1)]


def test_a_small_map_uses_its_border_too() -> None:
    rows = np.full((4, 4, 2, 2), 0.25)
    rows[0, 3] = [[1, 0], [0, 0]]
    assert pick_points(rows, 1) == [(0, 3)]


def test_where_all_rows_are_alike_points_spread_over_the_picture() -> None:
    points = pick_points(np.full((10, 10, 5, 5), 0.04, dtype=np.float32), 5)
    assert len(set(points)) == 5
    assert points[0] == (4, 4)  # nearest the centre, first in reading order
    assert set(points[1:]) == {(1, 1), (1, 8), (8, 1), (8, 8)}


def test_rows_need_not_sum_to_one() -> None:
    rows = hand_made()
    scale = np.random.default_rng(0).uniform(0.5, 2, size=(6, 6, 1, 1))
    assert pick_points(rows * scale, 3) == pick_points(rows, 3)


@pytest.mark.parametrize("count", [0, 17])
def test_more_points_than_places_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="16 to choose from"):
        pick_points(hand_made(), count)


def test_all_places_can_be_asked_for() -> None:
    assert len(set(pick_points(hand_made(), 16))) == 16
