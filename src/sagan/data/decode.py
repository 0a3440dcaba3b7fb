"""Bytes of a picture file -> pixels, or the reason why not.

The traps this module exists for: Pillow ignores the camera's orientation and lets some ten kinds of exception out of its
decoders. The traps in the colours are those of convert.py.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image, ImageFile, UnidentifiedImageError

from sagan.data.colour import Colour
from sagan.data.convert import to_channels
from sagan.data.faults import Fault, Unreadable
from sagan.data.pieces import is_cut, webp_size, without_bombs
from sagan.data.plain_jpeg import plain_header

T = TypeVar("T")

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # a closed list: each further decoder is a further way in
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
MAX_BYTES = 256 * 2**20
MAX_PIXELS = 64_000_000
MAX_WEBP_PIXELS = 32_000_000  # its decoder holds the picture four times
MAX_ASPECT = 32  # a strip thinner than this leaves no picture in a square
DRAFT_MARGIN = 4  # JPEG may be decoded at reduced size while this many times the target remains (see `decode`)

LEVEL_STEPS = {"L;2": 85, "L;4": 17}  # grey of 2 or 4 bits -> the distance of its levels in 8 bits
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
STARTS = {b"RIFF": "WebP", b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
HARMLESS = r"(Possibly )?[Cc]orrupt EXIF|Metadata Warning|Truncated File Read|Invalid APNG|.*malformed MPO file"
SIDEWAYS = tuple(TURNS[tag] for tag in (5, 6, 7, 8))


@dataclass(frozen=True)
class Decoded:
    """picture: L, RGB or RGBA, upright.  size: (width, height) of the file, upright.  mode: the file's own, such as 'P'.

    transparent: whether the file has a pixel that is less than opaque.
    """

    picture: Image.Image
    size: tuple[int, int]
    mode: str
    transparent: bool = False


@dataclass(frozen=True)
class Header:
    """size: (width, height) as the pixels lie in the file, which may be sideways.  mode: as in Decoded."""

    size: tuple[int, int]
    mode: str


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Pillow's warnings are errors in here, but for those about metadata, which say nothing of the pixels.

    Warning filters belong to the whole process, so this is entered once around a pool of threads, never inside one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"PIL\.")
        warnings.filterwarnings("ignore", message=HARMLESS)
        yield


def decode(
    data: bytes,
    *,
    channels: int = 3,
    background: Colour = (255, 255, 255),
    at_least: int | None = None,
) -> Decoded | Fault:
    """The bytes of one JPEG, PNG, WebP, BMP or GIF file (first frame) -> pixels or the reason why not.

    channels: 1 for L, 3 for RGB, 4 for RGBA; see `convert.to_channels`.  background: colour behind transparent pixels.
    at_least: the side that the picture will be resized to. A JPEG much larger than that is decoded at 1/2, 1/4 or 1/8
        size by its own transform where that divides it evenly, with at least DRAFT_MARGIN times this side left for the
        resampling that follows: the result then differs from the full path by rounding only
        (tests/data/test_resize.py measures it).
    """
    plain = _decode_plain(data, channels, background, at_least)
    if plain is not None:
        return plain

    def unfold(image: ImageFile.ImageFile) -> Decoded:
        _settle_key(image)
        size, mode = image.size, _file_mode(image)
        image.draft(None, _draft_size(size, at_least))
        image.load()
        turn = _turn(image)
        picture, transparent = to_channels(image, channels, background)
        if turn is not None:
            picture = picture.transpose(turn)
        return Decoded(picture, upright(size, turn), mode, transparent)

    return _opened(data, unfold)


def read_header(data: bytes) -> Header | Fault:
    """What the start of a file says about its picture, without decoding any pixel: most broken files pass."""
    plain = plain_header(data)
    if plain is not None:
        return Header(plain[1], plain[0])
    return _opened(data, lambda image: Header(image.size, _file_mode(image)))


def _opened(data: bytes, use: Callable[[ImageFile.ImageFile], T]) -> T | Fault:
    """What `use` makes of a file whose header may be trusted, or the reason why there is nothing to be made of it."""
    if not data:
        return Fault("empty", "has 0 bytes")
    try:
        if (claimed := webp_size(data)) is not None:
            _check_size(claimed, MAX_WEBP_PIXELS)
        with Image.open(io.BytesIO(without_bombs(data)), formats=FORMATS) as image:
            _check_size(image.size, MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS)
            return use(image)
    except Unreadable as error:
        return error.fault
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Fault("too-large", f"has more than {MAX_PIXELS / 1e6:.0f} million pixels")
    except MemoryError:  # says nothing about the picture: with other programs closed it may be read
        raise
    except UnidentifiedImageError:
        return _not_identified(data)
    except Exception as error:  # decoders let out anything (ValueError, struct.error, ...): the reason is kept
        return _fault_of(error, data)


def upright(size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    """(width, height) after the turn."""
    return (size[1], size[0]) if turn in SIDEWAYS else size


def _decode_plain(data: bytes, channels: int, background: Colour, at_least: int | None) -> Decoded | None:
    """A plain JPEG file by the shorter way, see plain_jpeg.py; None for any other file, and for one with a fault."""
    header = plain_header(data)
    if header is None:
        return None
    mode, size = header
    drawn = _draft_size(size, at_least)
    try:
        _check_size(size, MAX_PIXELS)
        image = Image.frombytes(mode, drawn, data, "jpeg", mode, "", size[0] // drawn[0], 0)
    except (Unreadable, ValueError, OSError):  # the usual way says what is wrong
        return None
    picture, transparent = to_channels(image, channels, background)
    return Decoded(picture, size, mode, transparent)


def _check_size(size: tuple[int, int], most: int) -> None:
    """Refuse by the header alone, before any pixel is decoded. most: the number of pixels."""
    width, height = size
    if width * height > most:
        raise Unreadable("too-large", f"is {width}x{height}, more than {most / 1e6:.0f} million pixels")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise Unreadable("too-thin", f"is {width}x{height}, longer than {MAX_ASPECT} times its width")


def _settle_key(image: ImageFile.ImageFile) -> None:
    """A PNG names its transparent colour in the file's own levels; Pillow scales the pixels, but not that name."""
    key, levels = image.info.get("transparency"), image.tile[0].args if image.tile else None
    if key is None:
        return
    if levels == "RGB;16B":  # Pillow keeps 8 of the 16 bits, so that colours that differ may look alike
        raise Unreadable("mode", "has a transparent colour among 16-bit colours")
    if levels in LEVEL_STEPS:
        count = 255 // LEVEL_STEPS[levels] + 1
        image.info["transparency"] = key % count * LEVEL_STEPS[levels]


def _draft_size(size: tuple[int, int], at_least: int | None) -> tuple[int, int]:
    """The size to ask a JPEG decoder for, see `decode`. Only whole divisions: else the last column would stand for padding
    too, and the picture would shift by a part of a pixel."""
    if at_least is None:
        return size
    width, height = size
    for divisor in (8, 4, 2):
        enough = min(size) >= divisor * DRAFT_MARGIN * at_least
        if enough and width % divisor == 0 and height % divisor == 0:
            return width // divisor, height // divisor
    return size


def _file_mode(image: Image.Image) -> str:
    """The mode for reports; a palette or gray picture with a transparent colour is told apart."""
    alpha = image.has_transparency_data and not image.mode.endswith(("A", "a"))
    return f"{image.mode}+transparency" if alpha else image.mode


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How to turn the picture upright, from its EXIF orientation."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata says nothing about the pixels: the picture is used as it lies
        return None


def _not_identified(data: bytes) -> Fault:
    """Of bytes that no decoder takes for its own."""
    if is_cut(data):
        return Fault("truncated", "ends too early")
    for start, kind in STARTS.items():
        if data.startswith(start):
            return Fault("broken", f"begins like a {kind} file, but its header cannot be read")
    return Fault("not-a-picture", _what_it_looks_like(data))


def _what_it_looks_like(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        return "is a web page or an SVG drawing, not pixels"
    if data.startswith(b"PK\x03\x04"):
        return "is a zip archive under a picture's name"
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "is a TIFF file, which is not read"
    return "holds no JPEG, PNG, WebP, BMP or GIF picture"


def _fault_of(error: Exception, data: bytes) -> Fault:
    text = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError) or is_cut(data):
        return Fault("truncated", "ends too early")
    return Fault("broken", f"cannot be decoded ({text[:80]})")
