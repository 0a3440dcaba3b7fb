"""Colours of every picture this room draws.

Two sets that differ on purpose:

- `QUERY_COLOURS`, for the dots of the attention figure, begin with the paper's five (SAGAN, arXiv:1805.08318, figures 1
  and 5: red, green, blue, cyan, magenta), so that a figure can be read beside the paper's. Red and green are hard to
  tell apart for about one man in twelve; the figure therefore never relies on colour alone: every dot carries its
  number, 1 to Q, and the panel of that point repeats it.
- `LINE_COLOURS`, for charts, are those of Okabe and Ito (2008, "Color Universal Design"), which all common forms of
  colour vision tell apart. Their yellow is left out: it cannot be seen as a thin line on a light ground.
"""

from __future__ import annotations

Colour = tuple[int, int, int]

BACKGROUND: Colour = (252, 252, 251)
INK: Colour = (28, 30, 33)
MUTED: Colour = (92, 97, 104)
AXIS: Colour = (150, 155, 162)
GRID: Colour = (229, 231, 233)
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
CHECKER: tuple[Colour, Colour] = ((255, 255, 255), (222, 224, 227))  # the squares under transparency

QUERY_COLOURS: tuple[Colour, ...] = (
    (255, 32, 32),  # red
    (0, 210, 60),  # green
    (40, 70, 255),  # blue
    (0, 224, 255),  # cyan
    (255, 32, 224),  # magenta
    (255, 150, 0),  # orange
    (250, 235, 40),  # yellow
    (140, 60, 220),  # violet
    (160, 90, 40),  # brown
    (0, 140, 130),  # teal
)

BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
GREEN: Colour = (0, 158, 115)
PURPLE: Colour = (204, 121, 167)
ORANGE: Colour = (230, 159, 0)
SKY: Colour = (86, 180, 233)
LINE_COLOURS: tuple[Colour, ...] = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)


def query_colour(index: int) -> Colour:
    """The colour of query point `index`, counted from 0; they repeat after the last."""
    return QUERY_COLOURS[index % len(QUERY_COLOURS)]


def line_colour(index: int) -> Colour:
    """The colour of line `index` of a chart, counted from 0; they repeat after the last."""
    return LINE_COLOURS[index % len(LINE_COLOURS)]


def blend(colour: Colour, ground: Colour, share: float) -> Colour:
    """`share` of `colour` over `1 - share` of `ground`, channel by channel."""
    red, green, blue = (round(share * top + (1 - share) * under) for top, under in zip(colour, ground, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance in [0, 1] (WCAG 2.2, "relative luminance")."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio in [1, 21] (WCAG 2.2); 4.5 is the least for text at level AA."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever is easier to read on `colour`."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, colour))
