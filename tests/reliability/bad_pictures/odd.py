"""Valid pictures of odd kinds, each with the pixels that it shows, by formulas of our own."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from bad_pictures.case import SIDE, Case, refused, used
from bad_pictures.encode import (
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    SUFFIX,
    blocks,
    chunk,
    encoded,
    jpeg,
    laid_on_background,
    marker,
    noise,
    png,
)

JPEG_LOSS = 4


def inks(random: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cyan, magenta, yellow and black (SIDE, SIDE, 4), 255 for full, and the colours that they show."""
    drawn = blocks(random, 4)
    drawn[..., 3] //= 2  # much black hides all else
    return drawn, (255.0 - drawn[..., :3]) * (255.0 - drawn[..., 3:]) / 255


def cmyk_file(stored: NDArray[np.generic], transform: int | None) -> bytes:
    """A JPEG with these four layers as they are. transform: the byte in Adobe's marker; no such marker when None."""
    data = jpeg(Image.fromarray(255 - np.asarray(stored, dtype=np.uint8), "CMYK"))  # Pillow inverts what it writes
    adobe = marker(data, 0xEE)
    end = adobe + 2 + int.from_bytes(data[adobe + 2 : adobe + 4])
    return data[:adobe] + (b"" if transform is None else data[adobe : end - 1] + bytes([transform])) + data[end:]


def cmyk(random: Generator, variant: int) -> list[Case]:
    """Without Adobe's marker. Such files are inverted too: 255 for no ink."""
    drawn, shown = inks(random)
    return [used(cmyk_file(255 - drawn, None), shown, JPEG_LOSS, ".jpg")]


def inverted_cmyk(random: Generator, variant: int) -> list[Case]:
    """As Adobe's programs write it."""
    drawn, shown = inks(random)
    return [used(cmyk_file(255 - drawn, 0), shown, JPEG_LOSS, ".jpg")]


def ycck(random: Generator, variant: int) -> list[Case]:
    """The same, with the three colours turned into luma and chroma (JFIF's formulas)."""
    drawn, shown = inks(random)
    red, green, blue = (drawn[..., band].astype(float) for band in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = [128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402]
    stored = np.rint(np.stack([luma, *chroma, 255.0 - drawn[..., 3]], axis=-1)).clip(0, 255)
    return [used(cmyk_file(stored, 2), shown, JPEG_LOSS + 2, ".jpg")]


def rounded(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """16 bits -> 8."""
    return np.floor(samples / 257 + 0.5)


def grey_16(random: Generator, variant: int) -> list[Case]:
    samples = noise(random, SIDE, SIDE, 1, levels=65536)
    return [used(png(samples, 16, GREY, interlaced=variant % 2 == 1), rounded(samples[..., 0]))]


def grey_16_keyed(random: Generator, variant: int) -> list[Case]:
    """One level is transparent: it alone, and not its neighbours that round to the same."""
    samples = noise(random, SIDE, SIDE, 1, levels=65536)
    key = int(samples[0, 0, 0])
    samples[::2, 1] = key
    samples[1::2, 1] = key ^ 1
    data = png(samples, 16, GREY, before=[chunk(b"tRNS", key.to_bytes(2))])
    return [used(data, laid_on_background(rounded(samples), samples[..., 0] != key))]


def rgb_16(random: Generator, variant: int) -> list[Case]:
    """Its decoder keeps the upper eight bits: at most one level from the nearest."""
    samples = noise(random, SIDE, SIDE, 3, levels=65536)
    return [used(png(samples, 16, RGB), rounded(samples), 1)]


def rgb_16_keyed(random: Generator, variant: int) -> list[Case]:
    samples = noise(random, SIDE, SIDE, 3, levels=65536)
    return [refused(png(samples, 16, RGB, before=[chunk(b"tRNS", samples[0, 0].astype(">u2").tobytes())]), "mode")]


def alpha_16(random: Generator, variant: int) -> list[Case]:
    colour, channels = ((GREY_ALPHA, 2), (RGBA, 4))[variant % 2]
    samples = noise(random, SIDE, SIDE, channels, levels=65536)
    shown = laid_on_background(samples[..., :-1] / 257, samples[..., -1] / 65535)
    return [used(png(samples, 16, colour), shown, 3)]


def palette(random: Generator, variant: int) -> list[Case]:
    depth = (1, 2, 4, 8)[variant % 4]
    colours = noise(random, 1 << depth, 3)
    samples = noise(random, SIDE, SIDE, 1, levels=len(colours))
    table = chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    return [used(png(samples, depth, PALETTE, before=[table]), colours[samples[..., 0]])]


def palette_of_other_formats(random: Generator, variant: int) -> list[Case]:
    kind = ("GIF", "BMP")[variant % 2]
    colours, samples = noise(random, 256, 3), noise(random, SIDE, SIDE)
    picture = Image.fromarray(samples.astype(np.uint8), "P")
    picture.putpalette(colours.astype(np.uint8).tobytes())
    return [used(encoded(picture, kind), colours[samples], suffix=SUFFIX[kind])]


def palette_with_transparency(random: Generator, variant: int) -> list[Case]:
    colours, samples, alpha = noise(random, 16, 3), noise(random, SIDE, SIDE, 1, levels=16), noise(random, 16)
    if variant % 2:
        alpha = np.where(np.arange(16) == variant % 16, 0, 255)  # one clear colour, as in a GIF
    tables = [chunk(name, table.astype(np.uint8).tobytes()) for name, table in ((b"PLTE", colours), (b"tRNS", alpha))]
    shown = laid_on_background(colours[samples[..., 0]], alpha[samples[..., 0]] / 255)
    return [used(png(samples, 4, PALETTE, before=tables), shown, 1)]


def grey_with_alpha(random: Generator, variant: int) -> list[Case]:
    samples = noise(random, SIDE, SIDE, 2)
    return [used(png(samples, 8, GREY_ALPHA), laid_on_background(samples[..., :1], samples[..., 1] / 255), 1)]


def colour_with_alpha(random: Generator, variant: int) -> list[Case]:
    samples = noise(random, SIDE, SIDE, 4)
    shown = laid_on_background(samples[..., :3], samples[..., 3] / 255)
    if variant % 2:
        return [used(encoded(samples, "WEBP", lossless=True, exact=True), shown, 1, ".webp")]
    return [used(png(samples, 8, RGBA), shown, 1)]


def keyed(random: Generator, variant: int) -> list[Case]:
    """One colour or level is transparent, in files of 1 to 8 bits."""
    depth, colour, channels = ((8, RGB, 3), (1, GREY, 1), (2, GREY, 1), (4, GREY, 1), (8, GREY, 1))[variant % 5]
    samples = noise(random, SIDE, SIDE, channels, levels=1 << depth)
    key = samples[0, 0]
    data = png(samples, depth, colour, before=[chunk(b"tRNS", key.astype(">u2").tobytes())])
    shown = samples * (255 // ((1 << depth) - 1))
    return [used(data, laid_on_background(shown, (samples != key).any(axis=-1)))]


def few_levels(random: Generator, variant: int) -> list[Case]:
    depth = (1, 2, 4)[variant % 3]
    samples = noise(random, SIDE, SIDE, 1, levels=1 << depth)
    return [used(png(samples, depth, GREY), samples[..., 0] * (255 // ((1 << depth) - 1)))]


def turned_by_exif(random: Generator, variant: int) -> list[Case]:
    """Orientations 1 to 8, as the standard draws them: where row 0 and column 0 of the file lie in the picture."""
    orientation, kind = variant % 8 + 1, ("PNG", "WEBP", "JPEG")[variant // 8 % 3]
    upright = blocks(random, 3) if kind == "JPEG" else noise(random, SIDE, SIDE, 3).astype(np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "PNG": {}}[kind]
    tolerance = JPEG_LOSS if kind == "JPEG" else 0
    return [used(encoded(stored, kind, exif=exif, **options), upright, tolerance, SUFFIX[kind])]


def broken_exif(random: Generator, variant: int) -> list[Case]:
    pixels, damage = blocks(random, 3), random.bytes(40 + variant)
    exif = b"Exif\0\0" + (b"II*\0", b"MM\0*", b"", b"II*\0\x08\0\0\0\xff\xff")[variant % 4] + damage
    return [used(jpeg(pixels, exif=exif), pixels, JPEG_LOSS, ".jpg")]


def broken_profile(random: Generator, variant: int) -> list[Case]:
    damage = random.bytes(10 + 200 * variant)
    if variant % 3 == 0:
        drawn, shown = inks(random)
        data = jpeg(Image.fromarray(drawn, "CMYK"), icc_profile=damage)
        return [used(data, shown, JPEG_LOSS, ".jpg")]
    pixels = blocks(random, 3)
    if variant % 3 == 1:
        return [used(jpeg(pixels, icc_profile=damage), pixels, JPEG_LOSS, ".jpg")]
    return [used(png(pixels.astype(int), 8, RGB, before=[chunk(b"iCCP", b"name\0\0" + damage)]), pixels)]


def animation(random: Generator, variant: int) -> list[Case]:
    """The first frame counts."""
    kind = ("GIF", "WEBP", "PNG")[variant % 3]
    frames = [noise(random, SIDE, SIDE).astype(np.uint8) for _ in range(2 + variant % 4)]
    if kind == "WEBP":
        frames = [np.dstack([frame] * 3) for frame in frames]
    first, *others = (Image.fromarray(frame) for frame in frames)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=others, **options)
    return [used(data, frames[0], suffix=SUFFIX[kind])]


def one_pixel(random: Generator, variant: int) -> list[Case]:
    kind = ("PNG", "BMP", "GIF")[variant % 3]
    colour = noise(random, 1, 1) if kind == "GIF" else noise(random, 1, 1, 3)
    return [used(encoded(colour, kind), np.broadcast_to(colour, (SIDE, SIDE, *colour.shape[2:])), suffix=SUFFIX[kind])]


def narrow(random: Generator, variant: int) -> list[Case]:
    """One pixel wide or high, and not too long for a picture."""
    colour, long = noise(random, 1, 1, 3), 2 + variant % 31
    shape = (1, long) if variant % 2 else (long, 1)
    data = encoded(np.broadcast_to(colour, (*shape, 3)))
    return [used(data, np.broadcast_to(colour, (SIDE, SIDE, 3)))]


def interlaced(random: Generator, variant: int) -> list[Case]:
    samples = noise(random, SIDE, SIDE, 3)
    return [used(png(samples, 8, RGB, interlaced=True), samples)]


KINDS = (
    cmyk, inverted_cmyk, ycck, grey_16, grey_16_keyed, rgb_16, rgb_16_keyed, alpha_16, palette, palette_of_other_formats,
    palette_with_transparency, grey_with_alpha, colour_with_alpha, keyed, few_levels, turned_by_exif, broken_exif,
    broken_profile, animation, one_pixel, narrow, interlaced,
)  # fmt: skip
