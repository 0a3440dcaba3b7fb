"""Files that would keep a decoder busy are refused by a count of their pieces; everyday ones are let through as they are."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sagan.data import pieces
from sagan.data.faults import Unreadable
from sagan.data.pieces import is_cut, webp_size, without_bombs

NOISE = np.random.default_rng(7).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def encoded(kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"hello"}),
        ("JPEG", {"restart_marker_blocks": 1}),
        ("PNG", {}),
        ("WEBP", {}),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_everyday_files_pass_unchanged_at_any_length(kind, options):
    data = encoded(kind, **options)
    assert without_bombs(data) == data and not is_cut(data)
    for end in range(len(data)):
        assert without_bombs(data[:end]) == data[:end]
        is_cut(data[:end])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (b"VP8 ", {}),
        (b"VP8L", {"lossless": True}),
        (b"VP8X", {"icc_profile": b"profile"}),
        (b"VP8X", {"save_all": True}),
    ],
)
def test_the_size_of_a_webp_is_read_without_its_decoder(kind, options):
    """Pillow's asks for memory by this size as soon as it opens a file."""
    for size in ((40, 48), (1, 300), (257, 1)):
        stream = io.BytesIO()
        extra = {"append_images": [Image.new("RGB", size)]} if "save_all" in options else {}
        Image.new("RGB", size, "teal").save(stream, "WEBP", **options, **extra)
        data = stream.getvalue()
        assert data[12:16] == kind and webp_size(data) == size == Image.open(stream).size
        assert all(webp_size(data[:end]) in (None, size) for end in range(len(data)))
    assert webp_size(encoded("PNG")) is webp_size(b"") is webp_size(data[:12] + b"VP8?" + data[16:]) is None


@pytest.mark.parametrize("limit", [50, 51])
def test_the_chunks_of_a_png_are_counted(limit, monkeypatch):
    monkeypatch.setattr(pieces, "MAX_PIECES", limit)
    data = encoded("PNG")
    empty = data[:33] + chunk(b"teXt") * 48 + data[33:]  # with IHDR, IDAT and IEND 51
    if limit == 51:
        assert without_bombs(empty) == empty
    else:
        with pytest.raises(Unreadable, match="more than 50 pieces"):
            without_bombs(empty)


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\xfe\0\2", b"x", b"\xff\xd0"])
def test_the_segments_of_a_jpeg_are_counted_and_stray_bytes_too(filling, monkeypatch):
    monkeypatch.setattr(pieces, "MAX_PIECES", 100)
    data = encoded("JPEG")
    assert without_bombs(data[:2] + filling * 50 + data[2:])
    with pytest.raises(Unreadable):
        without_bombs(data[:2] + filling * 100 + data[2:])


@pytest.mark.parametrize("filling", [b"!\xfe\1.\0", b"\0", b"!\xf9\0"])
def test_the_blocks_of_a_gif_are_counted(filling, monkeypatch):
    monkeypatch.setattr(pieces, "MAX_PIECES", 100)
    data = encoded("GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    assert without_bombs(data[:start] + filling * 40 + data[start:])
    with pytest.raises(Unreadable):
        without_bombs(data[:start] + filling * 101 + data[start:])


def test_the_samples_of_all_scans_are_counted(monkeypatch):
    progressive = encoded("JPEG", progressive=True, subsampling=0)
    samples = 48 * 40 * 3
    monkeypatch.setattr(pieces, "MAX_SAMPLES", samples - 1)
    with pytest.raises(Unreadable, match="in several scans"):
        without_bombs(progressive)
    assert without_bombs(encoded("JPEG", subsampling=0))  # one scan needs no coefficients in memory
    assert without_bombs(encoded("JPEG", progressive=True, subsampling=2))  # colours at half the size: half the samples
    monkeypatch.setattr(pieces, "MAX_SAMPLES", samples)
    scans = 2 * samples + 4 * 48 * 40 + 2 * 2 * 48 * 40  # libjpeg's script: DC twice, Y four times, each colour twice
    monkeypatch.setattr(pieces, "MAX_SCANNED", scans)
    assert without_bombs(progressive)
    monkeypatch.setattr(pieces, "MAX_SCANNED", scans - 1)
    with pytest.raises(Unreadable, match="very many scans"):
        without_bombs(progressive)


def test_compressed_notes_of_a_png_are_cut_out_and_plain_ones_kept():
    data = encoded("PNG")
    plain = chunk(b"tEXt", b"key\0text") + chunk(b"iTXt", b"key\0\0\0\0\0text")
    packed = [chunk(b"zTXt", b"key\0\0abc"), chunk(b"iCCP", b"name\0\0abc"), chunk(b"iTXt", b"key\0\1\0\0\0abc")]
    for place in (33, len(data) - 12):
        expected = data[:place] + plain + plain + data[place:]
        for one in packed:
            assert without_bombs(data[:place] + plain + one + plain + data[place:]) == expected
        assert without_bombs(data[:place] + b"".join(packed) + data[place:]) == data
    assert without_bombs(data[:33] + packed[0][:-6]) == data[:33]  # a file that ends within one


def test_the_end_is_missed_before_the_pixels():
    assert all(is_cut(encoded(kind)[:40]) for kind in ("JPEG", "PNG", "WEBP", "GIF"))
    assert not is_cut(b"text") and not is_cut(b"")
