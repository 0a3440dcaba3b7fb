from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sagan.errors import ConfigError
from sagan.visualise.attention import CAPTION, GAP, overlay, render_attention, stack, upsample
from sagan.visualise.channels import as_rgb
from sagan.visualise.palette import BACKGROUND, WHITE, query_colour


def one_hot(row: int, column: int, height: int, width: int) -> np.ndarray:
    weights = np.zeros((height, width), dtype=np.float32)
    weights[row, column] = 1
    return weights


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 3), (3, 2)])
def test_the_brightest_region_is_the_cell_of_the_key(row: int, column: int) -> None:
    bright = upsample(one_hot(row, column, 4, 4), 32, 32)
    ys, xs = np.nonzero(bright > 0.5)  # half way to the neighbour is the border of the cell
    top, left = row * 8, column * 8
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (top, top + 7, left, left + 7)
    inside = bright[top : top + 8, left : left + 8]
    assert bright.max() == 1.0 == inside.max()
    assert inside.sum() > 0.5 * bright.sum()
    if 0 < row < 3 and 0 < column < 3:
        assert np.allclose(inside, inside[::-1]) and np.allclose(inside, inside[:, ::-1])


def test_upsampling_agrees_with_pillows_bilinear_filter() -> None:
    weights = np.random.default_rng(3).random((4, 8)).astype(np.float32)
    theirs = np.asarray(Image.fromarray(weights).resize((32, 32), Image.Resampling.BILINEAR))
    assert upsample(weights, 32, 32) == pytest.approx(theirs / theirs.max(), abs=1e-5)


def test_the_blend_by_hand() -> None:
    picture = np.full((2, 2, 3), 100, dtype=np.uint8)
    mixed = overlay(picture, np.array([[0.2, 0.1], [0.0, 0.05]]))
    assert mixed[..., 0].tolist() == [[201, 118], [35, 76]]  # 0.35 * 100 + 0.65 * 255 * (1, 1/2, 0, 1/4), rounded


def test_white_under_the_brightest_place_does_not_overflow_and_no_attention_is_no_light() -> None:
    white = np.full((2, 2, 3), 255, dtype=np.uint8)
    assert (overlay(white, np.ones((1, 1))) == 255).all()
    assert (overlay(white, np.zeros((2, 2))) == 89).all()


def draw(points, side: int = 32, **options) -> np.ndarray:
    picture = np.full((side, side, 3), 40, dtype=np.uint8)
    maps = np.full((len(points), 4, 4), 1 / 16)
    return np.asarray(render_attention(picture, maps, points, **options))


def find(figure: np.ndarray, colour) -> tuple[float, float]:
    """Centre (x, y) of the box around all pixels of `colour`."""
    ys, xs = np.nonzero((figure == colour).all(axis=2))
    return (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2


def test_the_figure_has_the_picture_and_one_panel_for_each_point() -> None:
    figure = draw([(3, 4), (20, 10), (7, 30)])
    assert figure.shape == (2 * GAP + 256 + CAPTION, 2 * GAP + 4 * 256 + 3 * GAP, 3)
    for panel in range(4):
        left = GAP + panel * (256 + GAP)
        expected = 40 if panel == 0 else 14 + 166  # even attention is as bright as can be, everywhere
        assert (figure[GAP + 130, left + 200] == expected).all()
        assert (figure[GAP : GAP + 256, left - 4 : left] == BACKGROUND).all()


def test_dots_sit_on_the_centre_of_their_pixel() -> None:
    figure = draw([(3, 4), (20, 10)])
    left_panel = figure[:, : GAP + 256]
    for index, (x, y) in enumerate([(3, 4), (20, 10)]):
        centre = GAP + (x + 0.5) * 8 - 0.5, GAP + (y + 0.5) * 8 - 0.5
        assert find(left_panel, query_colour(index)) == pytest.approx(centre, abs=1)
        own = figure[:, GAP + (index + 1) * (256 + GAP) :][:, :256]
        assert find(own, query_colour(index)) == pytest.approx((centre[0] - GAP, centre[1]), abs=1)
        assert not (own == query_colour(1 - index)).all(axis=2).any()  # a panel shows its own point only


def test_a_dot_has_a_white_ring_and_its_number() -> None:
    one, two = draw([(15, 15)]), draw([(2, 2), (15, 15)])
    around = slice(GAP + 112, GAP + 136)
    for figure in (one, two):
        assert (figure[around, around] == WHITE).all(axis=2).sum() > 20
    ink = [(figure[around, around].sum(axis=2) < 60) for figure in (one, two)]
    assert (ink[0] != ink[1]).any()  # "1" and "2" are different shapes, whatever their colours


def test_a_dot_on_the_border_is_whole() -> None:
    corner, inner = draw([(0, 0)]), draw([(10, 10)])
    count = [int((figure[:, : GAP + 256] == query_colour(0)).all(axis=2).sum()) for figure in (corner, inner)]
    assert count[0] == pytest.approx(count[1], abs=12)


def test_more_points_than_colours_and_a_chosen_size() -> None:
    figure = draw([(index, index) for index in range(12)], enlarge=2)
    assert figure.shape[1] == 2 * GAP + 13 * 64 + 12 * GAP


@pytest.mark.parametrize(
    ("maps", "points", "word"),
    [
        (np.ones((2, 4, 4)), [(1, 1)], "1 points"),
        (np.ones((1, 4, 4)), [(32, 0)], "32,0"),
        (np.ones((1, 4, 4)), [(0, -1)], "0,-1"),
        (np.full((1, 4, 4), np.nan), [(0, 0)], "not finite"),
        (-np.ones((1, 4, 4)), [(0, 0)], "negative"),
    ],
)
def test_what_cannot_be_drawn_is_refused(maps: np.ndarray, points: list, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        render_attention(np.zeros((32, 32, 3), dtype=np.uint8), maps, points)


def test_rows_are_stacked_whole_below_their_titles() -> None:
    rows = [Image.new("RGB", (300, 50), (9, 9, 9)), Image.new("RGB", (200, 40), (7, 7, 7))]
    sheet = np.asarray(stack(rows, ["G.attention@16  gamma +0.12  seed 7", "second"]))
    assert sheet.shape[1] == 300
    first, second = ((sheet == value).all(axis=2) for value in (9, 7))
    assert first.sum() == 300 * 50 and second[:, :200].sum() >= 200 * 40
    top = int(np.nonzero(first.all(axis=1))[0][0])
    assert (sheet[:top] != BACKGROUND).any()


def test_a_row_without_a_title_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 rows and 0 titles"):
        stack([Image.new("RGB", (10, 10))], [])


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_have_figures(channels: int) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (16, 16, channels), dtype=np.uint8)
    maps = np.random.default_rng(3).random((2, 4, 4))
    figure = render_attention(picture, maps, [(1, 2), (9, 9)])
    assert figure.tobytes() == render_attention(as_rgb(picture[None])[0], maps, [(1, 2), (9, 9)]).tobytes()
