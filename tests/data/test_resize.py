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
