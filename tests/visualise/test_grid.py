from __future__ import annotations

import numpy as np
import pytest

from sagan.errors import ConfigError
from sagan.visualise.channels import as_rgb
from sagan.visualise.grid import MARGIN, render_grid, tile_factor
from sagan.visualise.palette import BACKGROUND


def flat(*values: int, side: int = 4) -> np.ndarray:
    """One even picture for each value: (n, side, side, 3)."""
    return np.stack([np.full((side, side, 3), value, dtype=np.uint8) for value in values])


def pixels(image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


def test_tiles_stand_in_reading_order_at_the_right_pixels() -> None:
    sheet = pixels(render_grid(flat(10, 20, 30, 40, 50), 3, enlarge=2, gap=3))
    assert sheet.shape == (2 * MARGIN + 2 * 8 + 3, 2 * MARGIN + 3 * 8 + 2 * 3, 3)
    for index, value in enumerate((10, 20, 30, 40, 50)):
        top, left = MARGIN + index // 3 * 11, MARGIN + index % 3 * 11
        assert (sheet[top : top + 8, left : left + 8] == value).all()
    assert (sheet[MARGIN + 11 :, MARGIN + 22 :] == BACKGROUND).all()  # the place of the missing sixth
    assert (sheet[MARGIN : MARGIN + 8, MARGIN + 8 : MARGIN + 11] == BACKGROUND).all()  # the gap
    assert (sheet[:MARGIN] == BACKGROUND).all() and (sheet[:, :MARGIN] == BACKGROUND).all()


def test_every_pixel_becomes_a_square() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3) * 20
    sheet = pixels(render_grid(picture, 1, enlarge=5))
    for row in range(2):
        for column in range(2):
            y, x = MARGIN + 5 * row, MARGIN + 5 * column
            assert (sheet[y : y + 5, x : x + 5] == picture[0, row, column]).all()


@pytest.mark.parametrize(("side", "factor"), [(16, 4), (32, 2), (64, 1), (128, 1), (24, 3)])
def test_small_pictures_are_enlarged_to_a_comfortable_size(side: int, factor: int) -> None:
    assert tile_factor(side) == factor
    assert render_grid(flat(1, side=side), 1).width == 2 * MARGIN + factor * side


def test_row_names_move_the_tiles_right_and_are_drawn_beside_their_row() -> None:
    plain = render_grid(flat(0, 0, 0, 0), 2, enlarge=16)
    named = render_grid(flat(0, 0, 0, 0), 2, enlarge=16, row_names=["crab", ""])
    shift = named.width - plain.width
    assert shift > 20 and named.height == plain.height
    assert (pixels(named)[:, shift:] == pixels(plain)).all()
    beside = (pixels(named)[:, :shift] != BACKGROUND).any(axis=(1, 2))
    assert beside[MARGIN : MARGIN + 64].any() and not beside[MARGIN + 66 :].any()


def test_a_very_long_name_cannot_push_the_pictures_aside() -> None:
    assert render_grid(flat(0), 1, row_names=["x" * 500]).width < 300


def test_a_title_is_drawn_above_and_cut_to_the_width() -> None:
    plain = render_grid(flat(7), 1)
    titled = render_grid(flat(7), 1, title="a title much longer than one single tile")
    extra = titled.height - plain.height
    assert extra > 0 and titled.width == plain.width
    assert (pixels(titled)[:extra] != BACKGROUND).any()
    assert (pixels(titled)[:, -MARGIN:] == BACKGROUND).all()


def test_more_columns_than_pictures_leave_no_empty_columns() -> None:
    assert render_grid(flat(1, 2), 9, enlarge=1, gap=0).width == 2 * MARGIN + 8


@pytest.mark.parametrize(
    ("pictures", "options"),
    [
        (flat(1).astype(np.float32), {}),
        (flat(1)[:, :, :3], {}),
        (flat(1)[:0], {}),
        (flat(1)[..., :2], {}),
        (flat(1), {"columns": 0}),
        (flat(1), {"enlarge": 0}),
        (flat(1), {"gap": -1}),
        (flat(1, 2), {"row_names": ["one", "two"]}),
    ],
)
def test_what_cannot_be_drawn_is_refused(pictures: np.ndarray, options: dict) -> None:
    with pytest.raises(ConfigError):
        render_grid(pictures, **{"columns": 2, **options})


def test_grey_and_transparent_pictures_are_shown_as_what_they_are() -> None:
    grey = pixels(render_grid(flat(70)[..., :1], 1, enlarge=1, gap=0))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert (grey == 70).all()
    clear = np.concatenate([flat(70, side=16), np.full((1, 16, 16, 1), 128, dtype=np.uint8)], axis=3)
    shown = pixels(render_grid(clear, 1, enlarge=1, gap=0))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert (shown == as_rgb(clear)[0]).all() and shown.min() > 70


def test_columns_have_names_and_breaks_make_room() -> None:
    plain = pixels(render_grid(flat(10, 20, 30, 40, side=32), 2, enlarge=1))
    named = render_grid(flat(10, 20, 30, 40, side=32), 2, enlarge=1, column_names=["-1", "+1"])
    above = named.height - plain.shape[0]
    sheet = pixels(named)
    assert above > 8 and np.array_equal(sheet[above + MARGIN :], plain[MARGIN:])
    for column in (0, 1):
        left = MARGIN + column * 34
        assert (sheet[: above + MARGIN, left : left + 32] < 128).any(), "something is written above each column"
    apart = pixels(render_grid(flat(10, 20, 30, 40, side=32), 2, enlarge=1, row_breaks=[1], column_breaks=(1,)))
    assert apart.shape == (plain.shape[0] + MARGIN, plain.shape[1] + MARGIN, 3)
    for index, value in enumerate((10, 20, 30, 40)):
        top, left = MARGIN + index // 2 * (34 + MARGIN), MARGIN + index % 2 * (34 + MARGIN)
        assert (apart[top : top + 32, left : left + 32] == value).all()
    with pytest.raises(ConfigError, match="1 column names for 2 columns"):
        render_grid(flat(10, 20), 2, column_names=["one"])
