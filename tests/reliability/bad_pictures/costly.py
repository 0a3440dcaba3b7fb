"""Files that ask much of a decoder."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from numpy.random import Generator
from PIL import Image

from bad_pictures.case import SIDE, Case, refused, used
from bad_pictures.encode import RGB, blocks, chunk, encoded, jpeg, marker, noise, png
from bad_pictures.odd import JPEG_LOSS

MIB = 2**20
PIECES = 60_000


def text_bomb(random: Generator, variant: int) -> list[Case]:
    """A note that unpacks to many megabytes says nothing about the pixels: they are used."""
    samples = noise(random, SIDE, SIDE, 3)
    packed = _zeros(8 + variant)
    note = chunk(b"iTXt", b"note\0\1\0\0\0" + packed) if variant % 2 else chunk(b"zTXt", b"note\0\0" + packed)
    places = {"before": [note] * 3} if variant % 4 < 2 else {"after": [note] * 3}
    return [used(png(samples, 8, RGB, **places), samples)]


@cache
def _zeros(mib: int) -> bytes:
    return zlib.compress(bytes(mib * MIB), 1)


def huge_profile(random: Generator, variant: int) -> list[Case]:
    pixels, size = blocks(random, 3), MIB + variant * 100_000
    if variant % 2:
        return [used(jpeg(pixels, icc_profile=random.bytes(size)), pixels, JPEG_LOSS, ".jpg")]
    profile = zlib.compress(random.bytes(1000) + bytes(4 * size))
    return [used(png(pixels.astype(int), 8, RGB, before=[chunk(b"iCCP", b"name\0\0" + profile)]), pixels)]


def many_data_chunks(random: Generator, variant: int) -> list[Case]:
    """A byte of the pixels in each, and empty ones between."""
    samples = noise(random, SIDE, SIDE, 3)
    return [used(png(samples, 8, RGB, piece=1 + variant % 3, before=[chunk(b"IDAT")] * (variant % 5)), samples)]


def many_scans(random: Generator, variant: int) -> list[Case]:
    """A small picture with a thousand scans is a strange one, but soon decoded."""
    pixels = blocks(random, 3)
    return [used(_repeat_scan(jpeg(pixels, progressive=True), 1000 + variant), pixels, JPEG_LOSS, ".jpg")]


def too_many_scans(random: Generator, variant: int) -> list[Case]:
    return [refused(_repeat_scan(_large(), 1000 + variant), "too-costly", ".jpg")]


@cache
def _large() -> bytes:
    return encoded(Image.new("RGB", (2048, 2048), (9, 90, 200)), "JPEG", progressive=True, subsampling=0)


def _repeat_scan(data: bytes, times: int) -> bytes:
    """The second scan again and again: it holds the coarse details of one layer, of which a flat square has none."""
    tables = _next_segment(data, marker(data, 0xDA))
    end = _next_segment(data, data.index(b"\xff\xda", tables))
    return data[:end] + data[tables:end] * times + data[end:]


def _next_segment(data: bytes, scan: int) -> int:
    """Behind the data of a scan, in which FF is followed by 0 or by a restart marker."""
    position = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4])
    while data[position] != 0xFF or data[position + 1] == 0 or 0xD0 <= data[position + 1] <= 0xD7:
        position += 1
    return position


def many_pieces(random: Generator, variant: int) -> list[Case]:
    """Chunks, segments and blocks that hold nothing."""
    pixels, count = noise(random, SIDE, SIDE, 3), PIECES + variant
    if variant % 3 == 0:
        return [refused(png(pixels, 8, RGB, before=[chunk(b"teXt")] * count), "too-costly")]
    if variant % 3 == 1:
        data, filling = jpeg(pixels), (b"\xff\xfe\0\2", b"\xff", b"\xff\xe1\0\2")[variant // 3 % 3]
        return [refused(data[:2] + filling * count + data[2:], "too-costly", ".jpg")]
    data = encoded(pixels[..., 0], "GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    return [refused(data[:start] + b"!\xfe" + b"\1." * count + b"\0" + data[start:], "too-costly", ".gif")]


def run_length_bmp(random: Generator, variant: int) -> list[Case]:
    """Small ones are read, large ones are refused: they are decoded pixel by pixel."""
    grey = noise(random, SIDE, SIDE)
    side, rows = (SIDE, grey[::-1]) if variant % 2 else (2100, [])
    runs = b"".join(b"".join(bytes([1, level]) for level in row) + b"\0\0" for row in rows) + b"\0\1"
    table = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(-1, 4)
    table[:, 3] = 0
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 256)
    data = b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + head + table.tobytes() + runs
    return [used(data, grey, suffix=".bmp")] if variant % 2 else [refused(data, "too-costly", ".bmp")]


KINDS = (text_bomb, huge_profile, many_data_chunks, many_scans, too_many_scans, many_pieces, run_length_bmp)
