"""Every trap of the decoder, against pixels computed in NumPy."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from sagan.data.colour import parse_colour
from sagan.data.decode import Decoded, decode, strict_pillow
from sagan.data.faults import REMEDIES, Fault


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def pixels(data: bytes, **options) -> np.ndarray:
    decoded = decode(data, **options)
    assert isinstance(decoded, Decoded), decoded
    assert decoded.picture.mode == "RGB"
    return np.asarray(decoded.picture)


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_16_bit_gray_is_scaled_and_not_clipped():
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = pixels(encoded(Image.fromarray(ramp)))
    expected = np.floor(ramp / 257 + 0.5).astype(np.uint8)
    assert np.array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert np.bincount(found[..., 0].ravel()).min() >= 128  # all 256 levels, evenly used but for the two half bins


def test_palette_transparency_lies_on_the_background():
    picture = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    picture.putpalette([10, 20, 30, 200, 0, 0, 7, 8, 9] + [0] * 759)
    data = encoded(picture, transparency=1)
    assert pixels(data, background=(1, 2, 3)).tolist() == [[[10, 20, 30], [1, 2, 3], [7, 8, 9]]]
    assert decode(data).mode == "P+transparency"


def test_palette_with_partial_transparency():
    picture = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    found = pixels(encoded(picture, transparency=bytes([255, 51])), background=(255, 255, 255))
    assert found.tolist() == [[[255, 0, 0], [204, 204, 255]]]  # alpha 51/255 = 1/5


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_colour_with_alpha_hides_what_is_behind(kind):
    rgba = noise(6, 5, 4)
    rgba[..., 3] = 0
    found = pixels(
        encoded(Image.fromarray(rgba), kind, **({"lossless": True} if kind == "WEBP" else {})), background=(9, 8, 7)
    )
    assert (found == (9, 8, 7)).all()


def test_gray_with_alpha():
    gray_alpha = noise(6, 5, 2)
    found = pixels(encoded(_la(gray_alpha)), background=(0, 100, 255))
    gray, alpha = gray_alpha[..., :1].astype(float), gray_alpha[..., 1:] / 255
    expected = gray * alpha + np.array([0, 100, 255]) * (1 - alpha)
    assert np.abs(found - expected).max() <= 1


def _la(values: np.ndarray) -> Image.Image:
    return Image.merge("LA", [Image.fromarray(np.ascontiguousarray(values[..., channel])) for channel in range(2)])


def test_gray_one_bit_and_transparent_colour_key():
    gray = noise(4, 3, 1)[..., 0]
    assert np.array_equal(pixels(encoded(Image.fromarray(gray))), np.repeat(gray[..., None], 3, axis=2))
    bits = Image.fromarray((gray > 127).astype(np.uint8) * 255).convert("1")
    assert np.array_equal(pixels(encoded(bits))[..., 0], np.where(gray > 127, 255, 0))
    keyed = encoded(Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)), transparency=(4, 5, 6))
    assert pixels(keyed, background=(0, 0, 9)).tolist() == [[[1, 2, 3], [0, 0, 9]]]


@pytest.mark.parametrize("profile", [None, b"not a profile"])
def test_cmyk_without_a_usable_profile_follows_the_plain_formula(profile):
    inks = np.tile(np.array([[[0, 128, 255, 0], [40, 90, 10, 200]]], dtype=np.uint8).repeat(16, 1), (32, 1, 1))
    options = {} if profile is None else {"icc_profile": profile}
    found = pixels(encoded(_cmyk(inks), "JPEG", quality=100, **options))
    colour, black = inks[..., :3].astype(float), inks[..., 3:].astype(float)
    assert np.abs(found - (255 - colour) * (255 - black) / 255).max() <= 3


def _cmyk(values: np.ndarray) -> Image.Image:
    return Image.merge("CMYK", [Image.fromarray(np.ascontiguousarray(values[..., channel])) for channel in range(4)])


def test_a_profile_of_another_kind_of_picture_does_not_break_cmyk():
    rgb_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    inks = np.full((8, 8, 4), 0, dtype=np.uint8)
    assert pixels(encoded(_cmyk(inks), "JPEG", icc_profile=rgb_profile)).min() >= 250  # no ink is white


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation):
    upright = noise(5, 7, 3)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),  # the camera lay on its side: stored turned left, shown turned right
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(turned)), exif=exif)
    assert np.array_equal(pixels(data), upright)
    assert decode(data).size == (7, 5)


def test_broken_exif_leaves_the_picture_as_it_lies():
    data = encoded(Image.fromarray(noise(16, 16, 3)), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\x99")
    with strict_pillow():
        assert pixels(data).shape == (16, 16, 3)


def test_the_first_frame_of_an_animation():
    frames = [Image.fromarray(np.full((4, 4), level, dtype=np.uint8)) for level in (30, 200)]
    for kind in ("GIF", "WEBP"):
        data = encoded(frames[0].convert("RGB"), kind, save_all=True, append_images=[frames[1].convert("RGB")])
        assert abs(int(pixels(data)[0, 0, 0]) - 30) <= 4


def header(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds nothing."""
    bodies = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT")
    chunks = (struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in bodies)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


PHOTO = encoded(Image.fromarray(noise(64, 48, 3)), "JPEG")
DRAWING = encoded(Image.fromarray(noise(64, 48, 3)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\xff", "not-a-picture"),
        (b"hello, this is text", "not-a-picture"),
        (b"<html><body>404 not found</body></html>", "not-a-picture"),
        (b"PK\x03\x04" + bytes(40), "not-a-picture"),
        (encoded(Image.fromarray(noise(4, 4, 3)), "TIFF"), "not-a-picture"),
        (encoded(Image.fromarray(noise(16, 16, 3)), "ICO"), "not-a-picture"),
        (PHOTO[: len(PHOTO) // 2], "truncated"),
        (PHOTO[: len(PHOTO) * 99 // 100], "truncated"),
        (DRAWING[: len(DRAWING) // 2], "truncated"),
        (header(20000, 20000), "too-large"),
        (header(30000, 1), "too-thin"),
    ],
)
def test_faults(data, code):
    with strict_pillow():
        found = decode(data)
    assert isinstance(found, Fault), found
    assert found.code == code
    assert found.code in REMEDIES and "\n" not in found.text


def test_no_cut_or_flipped_byte_lets_an_exception_out():
    random = np.random.default_rng(3)
    seeds = [
        PHOTO,
        DRAWING,
        encoded(Image.fromarray(noise(9, 9, 4)), "WEBP"),
        encoded(Image.fromarray(noise(9, 9, 3)), "GIF"),
    ]
    with strict_pillow():
        for round in range(400):
            data = bytearray(seeds[round % len(seeds)])
            for _ in range(1 + round % 4):
                data[random.integers(len(data) if round % 2 else 40)] = random.integers(256)
            assert isinstance(decode(bytes(data[: random.integers(1, len(data) + 1)])), Decoded | Fault)


def test_colours():
    assert parse_colour("#0a10ff") == (10, 16, 255)
    for wrong in ("white", "#fff", "0a10ff0", "#0a10f ", "#gggggg"):
        with pytest.raises(ValueError):
            parse_colour(wrong)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def small_png(depth: int, colour: int, row: bytes, width: int, before: bytes = b"") -> bytes:
    """A PNG of one row of packed samples."""
    header_chunk = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0))
    body = before + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header_chunk + body


@pytest.mark.parametrize(
    ("depth", "row", "key", "levels"),
    [
        (16, struct.pack(">4H", 0, 1000, 1001, 65535), 1000, [0, None, 4, 255]),  # 1001 rounds to the same level
        (8, bytes([0, 7, 8, 255]), 7, [0, None, 8, 255]),
        (4, bytes([0x01, 0x5F]), 5, [0, 17, None, 255]),
        (2, bytes([0b00011011]), 1, [0, None, 170, 255]),
        (1, bytes([0b01010000]), 1, [0, None, 0, None]),
    ],
)
def test_a_transparent_level_of_any_depth(depth, row, key, levels):
    data = small_png(depth, 0, row, 4, chunk(b"tRNS", struct.pack(">H", key)))
    found = decode(data, background=(9, 8, 7))
    assert found.transparent
    assert np.asarray(found.picture).tolist() == [[[9, 8, 7] if one is None else [one] * 3 for one in levels]]
    assert np.asarray(decode(data, channels=4).picture)[0, :, 3].tolist() == [
        0 if one is None else 255 for one in levels
    ]


def test_a_transparent_colour_of_16_bits_is_refused_and_not_guessed():
    data = small_png(16, 2, struct.pack(">3H", 1, 2, 3), 1, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    assert decode(data).code == "mode"


def test_broken_facts_about_further_frames_do_not_harm_the_first():
    apng = encoded(Image.fromarray(noise(4, 4, 3)))
    apng = apng[:33] + chunk(b"acTL", struct.pack(">II", 0, 0)) + apng[33:]
    mpo = PHOTO[:2] + b"\xff\xe2\0\x10MPF\0II*\0\x08\0\0\0\xff\xff" + PHOTO[2:]
    with strict_pillow():
        assert pixels(apng).shape == (4, 4, 3) and pixels(mpo).shape == (64, 48, 3)


def test_a_header_that_is_damaged_is_not_called_another_kind_of_file():
    damaged = DRAWING[:8] + b"\0\0\0\x0djunk" + DRAWING[16:]
    found = decode(damaged)
    assert (found.code, found.text) == ("broken", "begins like a PNG file, but its header cannot be read")


def test_webp_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr("sagan.data.decode.MAX_WEBP_PIXELS", 63)
    assert decode(encoded(Image.fromarray(noise(8, 8, 3)), "WEBP")).code == "too-large"
    assert isinstance(decode(encoded(Image.fromarray(noise(8, 8, 3)))), Decoded)


def test_the_size_of_a_webp_is_checked_before_its_decoder_takes_memory_by_it(monkeypatch):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "WEBP", icc_profile=b"profile")
    data = stream.getvalue()
    forged = data[:24] + (10_000).to_bytes(3, "little") + (9_000).to_bytes(3, "little") + data[30:]
    monkeypatch.setattr(Image, "open", lambda *arguments, **options: pytest.fail("its decoder saw it"))
    assert decode(forged).text == "is 10001x9001, more than 32 million pixels"


def test_too_little_memory_is_no_fault_of_the_picture(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("sagan.data.decode.to_channels", full)
    with pytest.raises(MemoryError):
        decode(DRAWING)
