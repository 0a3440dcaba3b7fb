"""Files made by hand, so that what is in them does not depend on the library that will read them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from bad_pictures.case import BACKGROUND, SIDE

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}


def noise(random: Generator, *shape: int, levels: int = 256) -> NDArray[np.int64]:
    """Independent levels."""
    return random.integers(0, levels, shape)


def blocks(random: Generator, channels: int) -> NDArray[np.uint8]:
    """(SIDE, SIDE, channels) of four flat squares: JPEG at its best keeps these but for rounding."""
    return np.kron(random.integers(0, 256, (2, 2, channels)), np.ones((SIDE // 2, SIDE // 2, 1))).astype(np.uint8)


def encoded(pixels: NDArray[np.generic] | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A file of Pillow's. pixels: (H, W), (H, W, 3) or (H, W, 4)."""
    picture = (
        pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8))
    )
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(pixels: NDArray[np.generic] | Image.Image, **options: object) -> bytes:
    """JPEG with as little loss as it can have."""
    return encoded(pixels, "JPEG", **{"quality": 100, "subsampling": 0, **options})


def any_format(random: Generator) -> tuple[bytes, str]:
    """An ordinary picture in one of the five formats, and its suffix."""
    kind = str(random.choice(list(SUFFIX)))
    return encoded(noise(random, SIDE, SIDE, 3), kind), SUFFIX[kind]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, depth: int = 8, colour: int = RGB, interlaced: bool = False) -> bytes:
    """Signature and IHDR."""
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    )


def png(
    samples: NDArray[np.int64],
    depth: int,
    colour: int,
    *,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    interlaced: bool = False,
    piece: int | None = None,
) -> bytes:
    """A PNG of samples (H, W, channels) of 1 to 16 bits.

    before, after: further chunks around the pixels.  piece: bytes of them in each IDAT chunk, all in one when None.
    """
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    parts = (samples[top::down, left::across] for left, top, across, down in passes)
    stream = zlib.compress(b"".join(b"\0" + _packed(row, depth) for part in parts if part.size for row in part))
    size = piece or len(stream)
    data = [chunk(b"IDAT", stream[start : start + size]) for start in range(0, len(stream), size)]
    header = png_header(samples.shape[1], samples.shape[0], depth, colour, interlaced)
    return b"".join([header, *before, *data, *after, chunk(b"IEND")])


def _packed(row: NDArray[np.int64], depth: int) -> bytes:
    if depth >= 8:
        return row.astype(f">u{depth // 8}").tobytes()
    bits = row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def laid_on_background(colours: NDArray[np.generic], alpha: NDArray[np.generic]) -> NDArray[np.float64]:
    """colours (H, W, 1 or 3) in 0..255, alpha (H, W) in 0..1 -> (H, W, 3)."""
    cover = np.asarray(alpha, dtype=np.float64)[..., None]
    return colours * cover + np.array(BACKGROUND) * (1 - cover)


def marker(data: bytes, kind: int) -> int:
    """Where a segment of a JPEG file begins; only the header is looked at."""
    position = 2
    while data[position + 1] != kind:
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return position


def resized_header(data: bytes, kind: str, side: int) -> bytes:
    """The file, claiming to be side x side."""
    if kind == "PNG":
        return png_header(side, side) + data[33:]
    if kind == "BMP":
        return data[:18] + struct.pack("<ii", side, side) + data[26:]
    if kind == "GIF":
        return data[:6] + struct.pack("<HH", side, side) + data[10:]
    if kind == "WEBP":  # lossless: 14 bits of width - 1, then of height - 1
        bits = int.from_bytes(data[21:25], "little") >> 28 << 28 | (side - 1) << 14 | (side - 1)
        return data[:21] + bits.to_bytes(4, "little") + data[25:]
    frame = marker(data, 0xC0)
    return data[: frame + 5] + struct.pack(">HH", side, side) + data[frame + 9 :]
