"""Small picture files, and ways to damage them."""

from __future__ import annotations

import struct
import zlib
from random import Random

import numpy as np
from PIL import Image

from bad_pictures.encode import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, encoded, noise, png

WIDTH, HEIGHT = 24, 20
TELLING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def small_files() -> list[bytes]:
    """JPEG, PNG, WebP, BMP and GIF files of every kind that a decoder treats in its own way."""
    random = np.random.default_rng(11)
    colour, grey, clear = (noise(random, HEIGHT, WIDTH, bands).astype(np.uint8) for bands in (3, 1, 4))
    grey = grey[..., 0]
    soft = np.kron(noise(random, 5, 6, 3), np.ones((4, 4, 1))).astype(np.uint8)
    indexed = Image.fromarray(grey % 16, "P")
    indexed.putpalette(bytes(range(48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    inks = Image.fromarray(clear, "CMYK")
    frames = [Image.fromarray(np.roll(soft, shift, axis=0)) for shift in (1, 2)]
    deep = noise(random, HEIGHT, WIDTH, 4, levels=65536)
    table, alphas = chunk(b"PLTE", random.bytes(48)), chunk(b"tRNS", bytes(range(0, 256, 16)))
    return [
        encoded(soft, "JPEG"),
        encoded(soft, "JPEG", progressive=True, exif=exif),
        encoded(grey, "JPEG", restart_marker_blocks=2),
        encoded(inks, "JPEG"),
        encoded(soft),
        png(noise(random, HEIGHT, WIDTH, 3), 8, RGB, interlaced=True),
        png(deep[..., :1], 16, GREY, before=[chunk(b"tRNS", b"\x12\x34")]),
        png(deep, 16, RGBA),
        png(deep[..., :2] % 256, 8, GREY_ALPHA),
        png(deep[..., :1] % 16, 4, PALETTE, before=[table, alphas]),
        png(deep[..., :1] % 4, 2, GREY, before=[chunk(b"tRNS", b"\0\1")]),
        encoded(frames[0], save_all=True, append_images=frames[1:], exif=exif),
        encoded(soft, "WEBP"),
        encoded(clear, "WEBP", lossless=True),
        encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        encoded(soft, "BMP"),
        encoded(indexed, "BMP"),
        encoded(clear, "BMP"),
        _runs(grey),
        encoded(grey, "GIF"),
        encoded(indexed, "GIF", transparency=3, interlace=1),
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
    ]


def _runs(grey: np.ndarray) -> bytes:
    """A run-length coded BMP."""
    runs = b"".join(b"".join(bytes([2, level]) for level in row[::2]) + b"\0\0" for row in grey) + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + head + bytes(range(256)) * 4 + runs


def mutated(random: Random, files: list[bytes]) -> bytes:
    """One of the files after one to four changes."""
    data = bytearray(random.choice(files))
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(WAYS)(random, data, files)
    is_png = data.startswith(b"\x89PNG")
    return with_right_sums(bytes(data)) if is_png and random.random() < 0.7 else bytes(data)


def _flip(random: Random, data: bytearray, files: list[bytes]) -> None:
    for _ in range(random.choice((1, 2, 8))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _flip_in_header(random: Random, data: bytearray, files: list[bytes]) -> None:
    if data:
        data[random.randrange(min(64, len(data)))] = random.randrange(256)


def _cut(random: Random, data: bytearray, files: list[bytes]) -> None:
    del data[random.randrange(len(data) + 1) :]


def _remove(random: Random, data: bytearray, files: list[bytes]) -> None:
    start = random.randrange(len(data) + 1)
    del data[start : start + random.randrange(1, 64)]


def _insert(random: Random, data: bytearray, files: list[bytes]) -> None:
    start = random.randrange(len(data) + 1)
    data[start:start] = random.choice((bytes(8), b"\xff" * 8, random.randbytes(random.randrange(1, 32))))


def _splice(random: Random, data: bytearray, files: list[bytes]) -> None:
    other = random.choice(files)
    start, place = random.randrange(len(other)), random.randrange(len(data) + 1)
    piece = other[start : start + random.randrange(1, 256)]
    data[place : place + random.choice((0, len(piece)))] = piece


def _repeat(random: Random, data: bytearray, files: list[bytes]) -> None:
    start = random.randrange(len(data) + 1)
    data[start:start] = data[start : start + random.randrange(1, 64)] * random.choice((1, 2, 50))


def _tell_another_number(random: Random, data: bytearray, files: list[bytes]) -> None:
    """A field of 1, 2 or 4 bytes, mostly near the start, where sizes and counts stand."""
    width = random.choice((1, 2, 4))
    if len(data) > width:
        place = random.randrange(min(random.choice((32, 64, len(data))), len(data)) - width + 1 or 1)
        value = random.choice(TELLING) % 256**width
        data[place : place + width] = value.to_bytes(width, random.choice(("big", "little")))


WAYS = (_flip, _flip_in_header, _cut, _remove, _insert, _splice, _repeat, _tell_another_number)


def with_right_sums(data: bytes) -> bytes:
    """A PNG with the check sum of every chunk set right: without that a decoder looks at hardly any damage."""
    parts, position = [data[:8]], 8
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        body = data[position + 4 : position + 8 + length]
        parts.append(data[position : position + 4] + body + struct.pack(">I", zlib.crc32(body)))
        position += 12 + length
    return b"".join(parts)
