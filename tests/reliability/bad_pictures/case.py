"""One file of the corpus, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # most pictures are squares of this side, and are opened at it: their pixels then come back as they are
BACKGROUND = (32, 64, 96)

Action = Literal["used", "refused", "left alone", "either"]
Content = bytes | Callable[[bytes], None]


@dataclass(frozen=True)
class Case:
    """content: the bytes of the file, or what puts something else at a path.

    action: what must become of it; `either` of used and refused where the damage decides.  code: why it is refused.
    pixels: (SIDE, SIDE, 3) that must come back, within `tolerance`; None where nothing is known of them.
    name: of the file, when the kind's own will not do.  folder: of the class, when any will not do.
    """

    content: Content
    action: Action
    code: str = ""
    pixels: NDArray[np.float64] | None = None
    tolerance: float = 0.0
    suffix: str = ".png"
    name: bytes = b""
    folder: bytes = b""


def used(content: Content, pixels: NDArray[np.generic], tolerance: float = 0.0, suffix: str = ".png") -> Case:
    """pixels: (H, W) or (H, W, 3)."""
    expected = np.asarray(pixels, dtype=np.float64)
    expected = np.repeat(expected[..., None], 3, axis=2) if expected.ndim == 2 else expected
    return Case(content, "used", pixels=expected, tolerance=tolerance, suffix=suffix)


def refused(content: Content, code: str, suffix: str = ".png") -> Case:
    """A file that is named in the report with this code."""
    return Case(content, "refused", code, suffix=suffix)
