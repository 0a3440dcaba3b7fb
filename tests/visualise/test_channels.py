from __future__ import annotations

import numpy as np
import pytest

from sagan.visualise.channels import as_image, as_rgb, checkerboard
from sagan.visualise.palette import CHECKER


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def test_grey_has_three_equal_channels_and_rgb_is_left_alone() -> None:
    grey, colour = noise(2, 5, 5, 1), noise(2, 5, 5, 3)
    assert np.array_equal(as_rgb(grey), np.stack([grey[..., 0]] * 3, axis=-1))
    assert np.array_equal(as_rgb(colour), colour)


def test_the_board_shows_through_as_much_as_alpha_lets_it() -> None:
    pictures = np.zeros((1, 16, 16, 4), dtype=np.uint8)
    pictures[..., :3] = (200, 100, 0)
    pictures[0, :, :4, 3], pictures[0, :, 4:8, 3] = 255, 51
    shown = as_rgb(pictures)[0].astype(int)
    assert (shown[:, :4] == (200, 100, 0)).all()
    assert np.array_equal(shown[:, 8:], checkerboard(16)[:, 8:])
    mixed = 0.2 * np.array((200, 100, 0)) + 0.8 * checkerboard(16)[:, 4:8]  # 51/255 = 1/5
    assert np.abs(shown[:, 4:8] - mixed).max() <= 0.51


@pytest.mark.parametrize(("side", "cell"), [(4, 1), (16, 2), (128, 16)])
def test_the_board_is_light_and_has_squares(side: int, cell: int) -> None:
    board = checkerboard(side)
    assert board.shape == (side, side, 3) and board.min() >= 200
    assert (board[:cell, :cell] == CHECKER[0]).all() and (board[:cell, cell : 2 * cell] == CHECKER[1]).all()
    assert (board[cell : 2 * cell, cell : 2 * cell] == CHECKER[0]).all()
    assert 10 <= int(np.ptp(board[..., 0])) <= 60, "to be seen, and not to be mistaken for the picture"


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_file_gets_the_true_mode(channels: int, mode: str) -> None:
    picture = noise(6, 6, channels)
    image = as_image(picture)
    assert image.mode == mode and np.array_equal(np.asarray(image).reshape(6, 6, channels), picture)
