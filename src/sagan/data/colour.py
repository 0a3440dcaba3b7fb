"""Colours as people write them. Apart from convert.py so that reading a record does not load the decoders."""

from __future__ import annotations

Colour = tuple[int, int, int]


def parse_colour(text: str) -> Colour:
    """'#rrggbb' -> (r, g, b), each in 0..255. Raises ValueError for anything else."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(text)
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
