"""Files that are damaged, or no pictures at all."""

from __future__ import annotations

import io
import zipfile

from numpy.random import Generator
from PIL import Image

from bad_pictures.case import SIDE, Case, refused, used
from bad_pictures.encode import (
    SUFFIX,
    any_format,
    blocks,
    chunk,
    encoded,
    jpeg,
    marker,
    noise,
    png_header,
    resized_header,
)

HEADER_BYTES = {"JPEG": 20, "PNG": 33, "WEBP": 25, "GIF": 13, "BMP": 54}


def zero_bytes(random: Generator, variant: int) -> list[Case]:
    return [refused(b"", "empty", list(SUFFIX.values())[variant % 5])]


def one_byte(random: Generator, variant: int) -> list[Case]:
    return [refused(bytes([int(random.integers(256))]), "not-a-picture")]


def header_only(random: Generator, variant: int) -> list[Case]:
    kind = list(SUFFIX)[variant % 5]
    data = encoded(noise(random, SIDE, SIDE, 3), kind)
    return [refused(data[: HEADER_BYTES[kind]], "truncated", SUFFIX[kind])]


def cut(random: Generator, variant: int) -> list[Case]:
    kind, share = list(SUFFIX)[variant % 5], (25, 50, 75, 99)[variant // 5 % 4]
    data = encoded(noise(random, SIDE, SIDE, 3), kind)
    return [refused(data[: len(data) * share // 100], "truncated", SUFFIX[kind])]


def flipped_bits(random: Generator, variant: int) -> list[Case]:
    data, suffix = any_format(random)
    damaged = bytearray(data)
    for place in random.integers(0, len(data) * 8, 1 + variant % 8):
        damaged[place // 8] ^= 1 << place % 8
    return [Case(bytes(damaged), "either", suffix=suffix)]


def text(random: Generator, variant: int) -> list[Case]:
    return [refused(b"This is no picture.\n" * (variant + 1), "not-a-picture", list(SUFFIX.values())[variant % 5])]


def web_page(random: Generator, variant: int) -> list[Case]:
    start = (b"<!DOCTYPE html>\n<html>", b"\n  <HTML lang='en'>", b"<html>")[variant % 3]
    return [refused(start + b"<body>404 not found</body></html>" * (variant + 1), "not-a-picture", ".jpg")]


def zip_archive(random: Generator, variant: int) -> list[Case]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("inside.png"), encoded(noise(random, SIDE, SIDE, 3)))
    return [refused(stream.getvalue(), "not-a-picture")]


def svg_drawing(random: Generator, variant: int) -> list[Case]:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="9"><path d="M0 0h9v9"/></svg>' % (
        variant + 9
    )
    if variant % 2:
        return [refused(b'<?xml version="1.0"?>\n' + drawing, "not-a-picture")]
    return [Case(drawing, "left alone", suffix=".svg")]


def float_tiff(random: Generator, variant: int) -> list[Case]:
    data = encoded(Image.fromarray(random.random((SIDE, SIDE)).astype("f4")), "TIFF")
    if variant % 2:
        return [refused(data, "not-a-picture")]
    return [Case(data, "left alone", suffix=".tif")]


def other_format(random: Generator, variant: int) -> list[Case]:
    kind = ("ICO", "TGA", "PPM", "PCX", "TIFF")[variant % 5]
    return [refused(encoded(noise(random, SIDE, SIDE, 3), kind), "not-a-picture")]


def wrong_suffix(random: Generator, variant: int) -> list[Case]:
    pixels, other = noise(random, SIDE, SIDE, 3), list(SUFFIX.values())[variant % 5]
    return [used(encoded(pixels, "BMP" if other == ".png" else "PNG"), pixels, suffix=other)]


def arithmetic_jpeg(random: Generator, variant: int) -> list[Case]:
    """No encoder at hand writes the arithmetic code: ordinary data under its header, which no decoder should trust."""
    data = bytearray(jpeg(blocks(random, 3), progressive=variant % 2 == 1))
    frame = marker(data, 0xC2 if variant % 2 else 0xC0)
    data[frame + 1] = 0xCA if variant % 2 else 0xC9
    return [Case(bytes(data), "either", suffix=".jpg")]


def huge_header(random: Generator, variant: int) -> list[Case]:
    kind = list(SUFFIX)[variant % 5]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(noise(random, SIDE, SIDE, 3), kind, **options)
    side = 16383 if kind == "WEBP" else 20_000 + variant  # 16383 is the most that WebP can say
    return [refused(resized_header(data, kind, side), "too-large", SUFFIX[kind])]


def thin_strip(random: Generator, variant: int) -> list[Case]:
    long = 30_000 - variant
    width, height = (long, 1) if variant % 2 else (1, long)
    if variant % 4 < 2:
        return [refused(png_header(width, height) + chunk(b"IDAT"), "too-thin")]
    return [refused(encoded(noise(random, height, width)), "too-thin")]


KINDS = (
    zero_bytes, one_byte, header_only, cut, flipped_bits, text, web_page, zip_archive, svg_drawing, float_tiff,
    other_format, wrong_suffix, arithmetic_jpeg, huge_header, thin_strip,
)  # fmt: skip
