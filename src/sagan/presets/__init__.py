"""Named choices of options: what `sagan train --preset NAME` and `sagan.preset(NAME)` start from."""

from __future__ import annotations

from sagan.presets.assemble import asks_for_auto, assemble, run_folder, run_of
from sagan.presets.preset import Preset
from sagan.presets.registry import PRESETS, find_preset, preset

__all__ = ["PRESETS", "Preset", "asks_for_auto", "assemble", "find_preset", "preset", "run_folder", "run_of"]
