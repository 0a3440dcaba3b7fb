"""Named choices of options: what `sagan train --preset NAME` and `sagan.preset(NAME)` start from."""

from __future__ import annotations

from sagan.presets.assemble import asks_for_auto, assemble, run_folder, run_of
from sagan.presets.auto import AUTO, choose
from sagan.presets.facts import Facts
from sagan.presets.making import Choice
from sagan.presets.preset import Preset
from sagan.presets.registry import PRESETS, find_preset, preset

__all__ = [
    "AUTO",
    "PRESETS",
    "Choice",
    "Facts",
    "Preset",
    "asks_for_auto",
    "assemble",
    "choose",
    "find_preset",
    "preset",
    "run_folder",
    "run_of",
]
