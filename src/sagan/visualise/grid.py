"""Pictures in rows and columns, with the names of the rows beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sagan.errors import ConfigError
from sagan.visualise.channels import Pictures, as_rgb
from sagan.visualise.lettering import draw_text, shorten, text_width
from sagan.visualise.palette import BACKGROUND, INK, MUTED

COMFORTABLE = 64  # pixels a tile should measure at least to be looked at on a screen
MARGIN = 12
NAME_WIDTH = 168  # names longer than this are shortened, so that one of them cannot push the pictures aside
TITLE_SIZE = 18
LEAST_LETTER = 9  # of the names of columns, which are made to fit their tiles


def check_pictures(pictures: Pictures) -> None:
    """Refuse anything but a uint8 array (n, R, R, C) with n and R of at least one and 1, 3 or 4 channels."""
    shape = pictures.shape
    square = len(shape) == 4 and shape[1] == shape[2] and 0 not in shape
    if pictures.dtype != np.uint8 or not square or shape[3] not in (1, 3, 4):
        raise ConfigError(
            f"pictures are {pictures.dtype} of shape {shape}",
            remedy="Give square pictures: uint8 of shape (n, R, R, 1, 3 or 4), at least one.",
        )


def tile_factor(resolution: int, wanted: int = COMFORTABLE) -> int:
    """The smallest whole factor that makes a side of `resolution` pixels at least `wanted` pixels."""
    return max(1, -(-wanted // resolution))


def enlarged(picture: Pictures, factor: int) -> Pictures:
    """(R, R, 3) -> (factor R, factor R, 3), each pixel a square: what the network drew, nothing invented between."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


@dataclass(frozen=True)
class GridLayout:
    """Where the tiles of a grid lie; all lengths in pixels. breaks: rows and columns with more room before them."""

    tile: int
    gap: int
    columns: int
    rows: int
    left: int
    top: int
    row_breaks: Collection[int] = ()
    column_breaks: Collection[int] = ()

    def corner(self, index: int) -> tuple[int, int]:
        """(x, y) of the top left pixel of picture `index`."""
        row, column = divmod(index, self.columns)
        across = sum(place <= column for place in self.column_breaks)
        down = sum(place <= row for place in self.row_breaks)
        step = self.tile + self.gap
        return self.left + column * step + across * MARGIN, self.top + row * step + down * MARGIN

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the whole picture."""
        x, y = self.corner(self.columns * self.rows - 1)
        return x + self.tile + MARGIN, y + self.tile + MARGIN


def render_grid(
    pictures: Pictures,
    columns: int,
    *,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    enlarge: int | None = None,
    gap: int = 2,
    title: str | None = None,
    row_breaks: Collection[int] = (),
    column_breaks: Collection[int] = (),
) -> Image.Image:
    """Pictures in reading order, `columns` in a row; the last row may be shorter.

    pictures: uint8 (n, R, R, C); transparency shows a checkerboard.
    row_names: one for each row (classes, usually), drawn to its left.  column_names: one for each column, above it.
    enlarge: whole factor by which each pixel is repeated; None picks one that makes a tile about 64 pixels.
    gap: pixels between tiles.  title: a line above.  row_breaks, column_breaks: the numbers of rows and columns that
    have more room before them.  Errors: ConfigError for other shapes or a wrong number of names.
    """
    check_pictures(pictures)
    if columns < 1 or gap < 0 or (enlarge is not None and enlarge < 1):
        raise ConfigError(
            f"grid of {columns} columns, gap {gap}, enlarged {enlarge} times",
            remedy="Columns and the factor are at least 1, the gap at least 0.",
        )
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    if row_names is not None and len(row_names) != rows:
        raise ConfigError(f"{len(row_names)} row names for {rows} rows", remedy="Give one name for each row.")
    if column_names is not None and len(column_names) != columns:
        raise ConfigError(
            f"{len(column_names)} column names for {columns} columns", remedy="Give one name for each column."
        )
    factor = tile_factor(pictures.shape[1]) if enlarge is None else enlarge
    tile = factor * pictures.shape[1]
    letter = min(18, max(11, tile // 4))
    names = [shorten(name, letter, NAME_WIDTH) for name in row_names or ()]
    beside = max((text_width(name, letter) for name in names), default=0)
    layout = GridLayout(
        tile=tile,
        gap=gap,
        columns=columns,
        rows=rows,
        left=MARGIN + (beside + MARGIN if names else 0),
        top=MARGIN + (TITLE_SIZE + MARGIN if title else 0) + (letter + MARGIN // 2 if column_names else 0),
        row_breaks=row_breaks,
        column_breaks=column_breaks,
    )
    sheet = Image.new("RGB", layout.size, BACKGROUND)
    for index, picture in enumerate(as_rgb(pictures)):
        sheet.paste(Image.fromarray(enlarged(picture, factor)), layout.corner(index))
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        y = layout.corner(row * columns)[1] + tile / 2
        draw_text(draw, (layout.left - MARGIN, y), name, letter, colour=INK, anchor="rm")
    fitting = [size for size in range(letter, LEAST_LETTER, -1) if _fit(column_names or (), size, tile)]
    small = fitting[0] if fitting else LEAST_LETTER
    for column, name in enumerate(column_names or ()):
        place = (layout.corner(column)[0] + tile / 2, layout.top - MARGIN // 2 - letter / 2)
        draw_text(draw, place, shorten(name, small, tile), small, colour=INK, anchor="mm")
    if title:
        shown = shorten(title, TITLE_SIZE, sheet.width - 2 * MARGIN)
        draw_text(draw, (MARGIN, MARGIN + TITLE_SIZE / 2), shown, TITLE_SIZE, colour=MUTED)
    return sheet


def _fit(names: Sequence[str], size: int, width: int) -> bool:
    """Whether all names are at most so wide."""
    return all(text_width(name, size) <= width for name in names)
