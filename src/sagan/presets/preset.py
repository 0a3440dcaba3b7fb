"""What a preset is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named, documented choice of options.

    summary: what it trains, on what, for how long.  source: the paper or code that its numbers come from.
    result: where its measured result is recorded; empty while there is none.
    options: flat names; what they leave out is filled in for the resolution, so that `sagan-32 --resolution 64` has the
    published sizes of 64.
    """

    name: str
    summary: str
    source: str
    result: str
    options: Mapping[str, Any]
