"""Pairs of pictures on one page: what a generator drew beside the training picture that is nearest to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.visualise.channels import as_rgb
from sagan.visualise.grid import enlarged, tile_factor
from sagan.visualise.page import POLICY
from sagan.visualise.report_style import style_sheet

TILE = 128
LOOK = """
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(17.5rem, 1fr)); gap: 1.25rem; }
.pairs figure { padding: .75rem; border: 1px solid var(--line); border-radius: .6rem; }
.pairs .marked { border: 3px solid var(--accent); }
.pairs img { max-width: 100%; image-rendering: pixelated; }
""".strip()


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
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} · sagan</title>
<style>
{style_sheet()}
{LOOK}
</style>
</head>
<body>
<div class="page">
<header>
<p class="kind">sagan · leak test</p>
<h1>{escape(title)}</h1>
<p class="verdict">{escape(verdict)}</p>
</header>
<main>
<section aria-labelledby="pairs-title">
<h2 id="pairs-title">The nearest pairs</h2>
<p class="note">Left: drawn. Right: the training picture nearest to it, which may be moved or mirrored against it. Framed
pairs are called copies. The usual distance is that of other training pictures that look like the sample.</p>
<div class="pairs">
{figures}</div>
</section>
</main>
<footer>Made by sagan, a self-attention GAN. This page is one file: it loads nothing and can be sent to anyone.</footer>
</div>
</body>
</html>
"""


def _figure(pair: Pair) -> str:
    both = as_rgb(np.stack([pair.sample, pair.other]))
    factor = tile_factor(both.shape[1], TILE)
    gap = np.full((both.shape[1] * factor, 8, 3), 255, dtype=np.uint8)
    joined = np.concatenate([enlarged(both[0], factor), gap, enlarged(both[1], factor)], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(joined).save(buffer, format="PNG", optimize=True)
    source = base64.b64encode(buffer.getvalue()).decode("ascii")
    kind = ' class="marked"' if pair.marked else ""
    words = f"{pair.caption}: {pair.detail}" + (" (copy)" if pair.marked else "")
    return (
        f'<figure{kind}><img src="data:image/png;base64,{source}" alt="{escape(words)}" width="{joined.shape[1]}" '
        f'height="{joined.shape[0]}"><figcaption>{escape(pair.caption)}<br>{escape(pair.detail)}</figcaption></figure>\n'
    )
