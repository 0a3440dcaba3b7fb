"""Pairs of pictures on one page: what a generator drew beside the training picture that is nearest to it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.visualise.channels import as_rgb
from sagan.visualise.grid import enlarged, tile_factor
from sagan.visualise.page import image, note, whole_page

TILE = 128
LOOK = """
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(17.5rem, 1fr)); gap: 1.25rem; }
.pairs figure { padding: .75rem; border: 1px solid var(--line); border-radius: .6rem; }
.pairs .marked { border: 3px solid var(--accent); }
.pairs img { max-width: 100%; image-rendering: pixelated; }
""".rstrip()


@dataclass(frozen=True)
class Pair:
    """sample, other: (R, R, C) uint8 of one size.  marked: whether it is called a copy."""

    sample: NDArray[np.uint8]
    other: NDArray[np.uint8]
    caption: str
    detail: str
    marked: bool


def render_pairs(title: str, verdict: str, pairs: Sequence[Pair]) -> str:
    """The page as text, one file that loads nothing. In each pair the sample is on the left."""
    figures = "".join(_figure(pair) for pair in pairs)
    body = note(
        "Left: drawn. Right: the training picture nearest to it, which may be moved or mirrored against it. Framed pairs are"
        " called copies. The usual distance is that of other training pictures that look like the sample."
    )
    sections = [("pairs", "The nearest pairs", f'{body}<div class="pairs">\n{figures}</div>\n')]
    return whole_page(kind="leak test", title=title, verdict=verdict, sections=sections, style=LOOK)


def _figure(pair: Pair) -> str:
    both = as_rgb(np.stack([pair.sample, pair.other]))
    factor = tile_factor(both.shape[1], TILE)
    gap = np.full((both.shape[1] * factor, 8, 3), 255, dtype=np.uint8)
    joined = np.concatenate([enlarged(both[0], factor), gap, enlarged(both[1], factor)], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(joined).save(buffer, format="PNG", optimize=True)
    kind = ' class="marked"' if pair.marked else ""
    words = f"{pair.caption}: {pair.detail}" + (" (copy)" if pair.marked else "")
    drawn = image(buffer.getvalue(), words)
    return f"<figure{kind}>{drawn}<figcaption>{escape(pair.caption)}<br>{escape(pair.detail)}</figcaption></figure>\n"
