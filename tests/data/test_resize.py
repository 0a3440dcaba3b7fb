"""Squares, against resampling by another implementation and by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from sagan.data.decode import decode
from sagan.data.resize import make_square


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + phase) + np.cos(y / 23 - phase) for phase in (0, 1, 2)]
    return np.uint8(np.stack(waves, axis=-1) * 60 + 128)


def test_centre_crop_of_the_long_side():
    picture = np.zeros((4, 8, 3), dtype=np.uint8)
    picture[:, 2:6] = np.arange(48).reshape(4, 4, 3)
    assert np.array_equal(make_square(Image.fromarray(picture), 4, "crop"), picture[:, 2:6])


def test_padding_repeats_the_edge():
    picture = np.random.default_rng(0).integers(0, 256, (4, 2, 3), dtype=np.uint8)
    square = make_square(Image.fromarray(picture), 4, "pad")
    assert np.array_equal(square[:, 1:3], picture)
    assert np.array_equal(square[:, 0], picture[:, 0]) and np.array_equal(square[:, 3], picture[:, 1])


def test_stretch_shrinks_each_side_by_its_own_factor():
    columns = np.repeat(np.array([0, 255], dtype=np.uint8), 32)
    square = make_square(Image.fromarray(np.tile(columns[None, :, None], (8, 1, 3))), 8, "stretch")
    assert (square[:, 0] == 0).all() and (square[:, -1] == 255).all()


def test_it_does_not_alias():
    """A one-pixel checkerboard is gray from afar; a resampler without a widened window makes it black or white."""
    board = np.uint8((np.indices((128, 128)).sum(0) % 2) * 255)
    square = make_square(Image.fromarray(np.repeat(board[..., None], 3, axis=2)), 16, "crop")
    assert np.abs(square.astype(int) - 127).max() <= 3


def test_bicubic_by_torch_agrees():
    picture = smooth(150, 150)
    ours = make_square(Image.fromarray(picture), 32, "crop").astype(float)
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    theirs = F.interpolate(batch, (32, 32), mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).max() <= 2


def jpeg(height: int, width: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(smooth(height, width)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize(("height", "width", "divisor"), [(900, 700, 4), (1032, 1200, 8), (518, 1030, 2)])
def test_reduced_decoding_of_a_large_jpeg_changes_rounding_only(height, width, divisor):
    full, reduced = decode(jpeg(height, width)), decode(jpeg(height, width), at_least=32)
    assert reduced.picture.size == (width // divisor, height // divisor)
    assert reduced.size == full.size == (width, height)
    difference = make_square(full.picture, 32, "crop").astype(int) - make_square(reduced.picture, 32, "crop")
    assert np.abs(difference).max() <= 3 and np.abs(difference).mean() < 0.7


def test_a_jpeg_that_does_not_divide_evenly_is_decoded_in_full():
    assert decode(jpeg(517, 1033), at_least=32).picture.size == (1033, 517)


# ---- one channel, and alpha


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_grey_pictures_are_resized_like_each_channel_of_a_grey_rgb_one(fit):
    grey = Image.fromarray(smooth(50, 30)[..., 0].copy())
    square = make_square(grey, 16, fit)
    assert square.shape == (16, 16, 1)
    assert np.array_equal(np.repeat(square, 3, axis=2), make_square(grey.convert("RGB"), 16, fit))
    assert make_square(grey.resize((16, 16)), 16, fit).shape == (16, 16, 1)


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_an_opaque_picture_has_the_same_colours_with_and_without_alpha(fit):
    picture = Image.fromarray(smooth(50, 30))
    square = make_square(picture.convert("RGBA"), 16, fit)
    assert np.array_equal(square[..., :3], make_square(picture, 16, fit)) and (square[..., 3] == 255).all()


def half_hidden(hidden: tuple[int, int, int]) -> Image.Image:
    """40x40, opaque blue left of column 19, with `hidden` under alpha 0 right of it: the edge lies inside a square."""
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[:, :19] = (20, 40, 200, 255)
    pixels[:, 19:, :3] = hidden
    return Image.fromarray(pixels)


def test_colours_behind_transparency_do_not_bleed():
    square = make_square(half_hidden((255, 0, 0)), 10, "crop")
    seen = square[..., 3] > 0
    assert seen[:, :4].all() and not seen[:, 7:].any(), "blue at the left, nothing at the right"
    edge = square[0, 4, 3]
    assert 160 < edge < 220, "column 4 covers 3/4 of blue"
    assert np.abs(square[seen].astype(int)[:, :3] - (20, 40, 200)).max() <= 1, "no red, and no dark rim"
    assert np.array_equal(square[seen], make_square(half_hidden((0, 255, 0)), 10, "crop")[seen])


def test_colours_count_by_how_much_they_cover():
    """Two columns into one: red at alpha 255 beside green at alpha 85, so three parts of red to one of green."""
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[:, 0::2] = (240, 0, 80, 255)
    pixels[:, 1::2] = (0, 120, 80, 85)
    inner = make_square(Image.fromarray(pixels), 8, "stretch")[2:6, 2:6].astype(int)
    assert np.abs(inner - (180, 30, 80, 170)).max() <= 1


def test_low_alpha_keeps_its_colour():
    """In bytes, 180 * 3 / 255 would round to 2 and come back as 170."""
    square = make_square(Image.new("RGBA", (40, 40), (180, 90, 45, 3)), 10, "crop")
    assert (square == (180, 90, 45, 3)).all()


def test_padding_is_clear_where_there_is_alpha():
    picture = np.full((4, 2, 4), 255, dtype=np.uint8)
    square = make_square(Image.fromarray(picture), 4, "pad")
    assert square[..., 3].tolist() == [[0, 255, 255, 0]] * 4
    assert np.array_equal(square[:, 1:3], picture)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_large_picture_with_alpha_is_resized_in_strips_without_a_seam(fit, monkeypatch):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (47, 91, 4), dtype=np.uint8))
    whole = make_square(picture, 16, fit)
    monkeypatch.setattr("sagan.data.resize.STRIP_PIXELS", 300)
    assert np.array_equal(make_square(picture, 16, fit), whole)
