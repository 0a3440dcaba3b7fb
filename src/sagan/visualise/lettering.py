"""Text in pictures, with a font that is always there.

Pillow's built-in font (Aileron) draws the same letters on every machine, but knows little beyond ASCII. Class names
are written in every script, so a text it cannot draw goes to the system font that knows most of it; of what that one
lacks, accents are dropped and the rest becomes "?". A box for a missing glyph is never drawn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from sagan.errors import printable
from sagan.visualise.palette import INK, Colour

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "…"
NEVER_A_CHARACTER = "\uffff"  # a Unicode noncharacter: what a font draws for it is its sign for "missing"

# Looked for by file name in the system's font folders, the widest coverage that is common on each system.
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "arial.ttf",
)


@lru_cache(maxsize=64)
def font(size: int) -> Face:
    """The built-in font at `size` pixels."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _system_fonts(size: int) -> Iterator[ImageFont.FreeTypeFont]:
    for name in SYSTEM_FONTS:
        face = _system_font(name, size)
        if face is not None:
            yield face


@lru_cache(maxsize=4096)
def _knows(face: Face, char: str) -> bool:
    if char.isspace():
        return True
    drawn, missing = face.getmask(char), face.getmask(NEVER_A_CHARACTER)
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def _known(face: Face, text: str) -> int:
    return sum(_knows(face, char) for char in text)


def _nearest(face: Face, char: str) -> str:
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    return next((known for known in (char, bare) if known and _known(face, known) == len(known)), "?")


@lru_cache(maxsize=1024)
def letters(text: str, size: int) -> tuple[Face, str]:
    """A font that can draw all of the returned text, which is `text` unless no font here can draw it."""
    text = printable(text)
    if _known(font(size), text) == len(text):
        return font(size), text
    best = max([font(size), *_system_fonts(size)], key=lambda face: _known(face, text))
    return best, "".join(_nearest(best, char) for char in text)


def text_width(text: str, size: int) -> int:
    """Width in pixels of `text` as `draw_text` draws it, rounded up."""
    face, shown = letters(text, size)
    return int(-(-face.getlength(shown) // 1))


def shorten(text: str, size: int, width: int) -> str:
    """`text`, cut and ended with an ellipsis when it is wider than `width` pixels; at least the ellipsis remains."""
    text = printable(text)
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)  # the longest beginning that fits, by halving: width grows with length
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + ELLIPSIS, size) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def draw_text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    *,
    colour: Colour = INK,
    anchor: str = "lm",
) -> None:
    """Draw one line of text; `anchor` is Pillow's two letters (l, m, r; then a, t, m, s, b, d)."""
    face, shown = letters(text, size)
    draw.text(place, shown, fill=colour, font=face, anchor=anchor)
