"""One, three or four channels out of every kind of picture, against values computed by hand or in NumPy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sagan.data import convert
from sagan.data.convert import fill_hidden, is_grey, to_channels
from sagan.data.decode import Decoded, decode


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def decoded(data: bytes, channels: int, **options) -> tuple[np.ndarray, bool]:
    found = decode(data, channels=channels, **options)
    assert isinstance(found, Decoded), found
    assert found.picture.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return np.asarray(found.picture), found.transparent


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), dtype=np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601, in floating point."""
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def palette_picture(transparency: int | bytes | None = None) -> bytes:
    """One row of three pixels: (10, 20, 30), (200, 0, 0), (7, 8, 9); the transparency is that of the file."""
    picture = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 200, 0, 0, 7, 8, 9] + [0] * 759)
    return encoded(picture, **({} if transparency is None else {"transparency": transparency}))


# ---- one channel


def test_grey_levels_are_kept_as_they_are():
    grey = noise(5, 7, 1)[..., 0]
    assert np.array_equal(decoded(encoded(Image.fromarray(grey)), 1)[0], grey)
    bits = Image.fromarray(np.where(grey > 127, 255, 0).astype(np.uint8)).convert("1")
    assert np.array_equal(decoded(encoded(bits), 1)[0], np.where(grey > 127, 255, 0))


def test_16_bit_grey_is_scaled_and_not_clipped():
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    assert np.array_equal(decoded(encoded(Image.fromarray(ramp)), 1)[0], np.floor(ramp / 257 + 0.5))


def test_colour_becomes_luma_and_not_the_mean():
    assert decoded(encoded(Image.new("RGB", (1, 1), (255, 0, 0))), 1)[0].tolist() == [[76]]  # 0.299 * 255; mean: 85
    rgb = noise(6, 5, 3)
    assert np.abs(decoded(encoded(Image.fromarray(rgb)), 1)[0] - luma(rgb)).max() <= 0.51


def test_palette_and_cmyk_become_luma_too():
    found, _ = decoded(palette_picture(), 1)
    assert np.abs(found[0] - luma(np.array([[10, 20, 30], [200, 0, 0], [7, 8, 9]]))).max() <= 0.51
    inks = Image.merge("CMYK", [Image.new("L", (16, 16), ink) for ink in (0, 128, 255, 40)])
    shown = luma((255 - np.array([0, 128, 255])) * (255 - 40) / 255)
    assert np.abs(decoded(encoded(inks, "JPEG", quality=100), 1)[0] - shown).max() <= 3


def test_transparency_lies_on_the_background_before_it_becomes_grey():
    rgba = np.array([[[255, 0, 0, 0], [255, 0, 0, 51], [255, 0, 0, 255]]], dtype=np.uint8)
    found, transparent = decoded(encoded(Image.fromarray(rgba)), 1, background=(0, 0, 200))
    expected = luma(np.array([[0, 0, 200], [51, 0, 160], [255, 0, 0]]))  # alpha 51/255 = 1/5
    assert np.abs(found[0] - expected).max() <= 1 and transparent


# ---- four channels


def test_alpha_and_colours_are_kept():
    rgba = noise(6, 5, 4)
    found, transparent = decoded(encoded(Image.fromarray(rgba)), 4)
    assert np.array_equal(found, rgba) and transparent
    grey, alpha = (Image.fromarray(np.ascontiguousarray(rgba[..., band])) for band in (0, 3))
    found, transparent = decoded(encoded(Image.merge("LA", (grey, alpha))), 4)
    assert np.array_equal(found, rgba[..., [0, 0, 0, 3]]) and transparent


def test_the_transparency_of_a_palette_and_of_a_colour_key():
    found, transparent = decoded(palette_picture(bytes([255, 51, 0])), 4)
    assert found.tolist() == [[[10, 20, 30, 255], [200, 0, 0, 51], [7, 8, 9, 0]]] and transparent
    keyed = encoded(Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)), transparency=(4, 5, 6))
    assert decoded(keyed, 4)[0][0, :, 3].tolist() == [255, 0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16", "CMYK"])
def test_pictures_without_alpha_are_opaque(mode):
    if mode == "I;16":
        data = encoded(Image.fromarray(np.full((4, 3), 0x8080, dtype=np.uint16)))
    else:
        data = encoded(Image.new("RGB", (3, 4), (9, 99, 199)).convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    with_alpha, transparent = decoded(data, 4)
    assert (with_alpha[..., 3] == 255).all() and not transparent
    assert np.array_equal(with_alpha[..., :3], decoded(data, 3)[0])


def test_an_alpha_that_is_255_everywhere_is_no_transparency():
    rgba = noise(4, 4, 4)
    rgba[..., 3] = 255
    for channels in (1, 3, 4):
        assert not decoded(encoded(Image.fromarray(rgba)), channels)[1]
    rgba[2, 1, 3] = 254
    for channels in (1, 3, 4):
        assert decoded(encoded(Image.fromarray(rgba)), channels)[1]


def test_hidden_colours_are_replaced_and_faint_ones_kept():
    pixels = np.array([[[255, 0, 0, 0], [255, 0, 0, 1], [1, 2, 3, 255]]], dtype=np.uint8)
    assert fill_hidden(pixels, (9, 8, 7)).tolist() == [[[9, 8, 7, 0], [255, 0, 0, 1], [1, 2, 3, 255]]]


def test_what_is_grey():
    grey = np.repeat(noise(4, 4, 1), 3, axis=2)
    assert is_grey(grey) and is_grey(grey[..., :1]) and is_grey(np.dstack([grey, noise(4, 4, 1)]))
    for band in range(3):
        tinted = grey.copy()
        tinted[3, 2, band] ^= 1
        assert not is_grey(tinted)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_strips_of_a_large_picture_join_without_a_seam(mode, channels, monkeypatch):
    rgba = Image.fromarray(noise(23, 19, 4))
    if mode == "I;16":
        picture = Image.fromarray(noise(23, 19, 1)[..., 0].astype(np.uint16) * 257)
        picture.info["transparency"] = int(np.asarray(picture)[20, 3])
    else:
        picture = rgba.convert(mode) if mode in ("LA", "RGBA") else rgba.convert("RGB").convert(mode)
    if mode == "P":
        picture.info["transparency"] = bytes(range(256))
    whole, clear = to_channels(picture, channels, (9, 99, 200))
    monkeypatch.setattr(convert, "STRIP_PIXELS", 60)
    parts, clear_too = to_channels(picture, channels, (9, 99, 200))
    assert parts.mode == whole.mode and np.array_equal(np.asarray(parts), np.asarray(whole)) and clear == clear_too
