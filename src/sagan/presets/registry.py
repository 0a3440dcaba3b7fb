"""The table of presets."""

from __future__ import annotations

from typing import Any

from sagan.config import RunConfig, build, unknown
from sagan.errors import ConfigError
from sagan.presets.ancestors import GAN_32, HEYKEETAE_64, SNGAN_32, WGAN_32, WGAN_GP_32
from sagan.presets.auto import AUTO
from sagan.presets.demo import DEMO
from sagan.presets.preset import Preset
from sagan.presets.sagan import (
    SAGAN_32,
    SAGAN_32_CIFAR,
    SAGAN_32_SMALL,
    SAGAN_64,
    SAGAN_128,
    SAGAN_128_PAPER,
)

ORDER = (
    *(DEMO, SAGAN_32_SMALL, SAGAN_32, SAGAN_32_CIFAR, SAGAN_64, SAGAN_128, SAGAN_128_PAPER),
    *(GAN_32, WGAN_32, WGAN_GP_32, SNGAN_32, HEYKEETAE_64),
)
PRESETS: dict[str, Preset] = {entry.name: entry for entry in ORDER}


def find_preset(name: str) -> Preset:
    """The preset of that name; raises ConfigError with the nearest name."""
    if name == AUTO:
        raise ConfigError(
            "auto is chosen from pictures, and here there are none to look at",
            remedy=f"`sagan train PICTURES` takes it; in Python, sagan.workflows.choose. Or name one of {', '.join(PRESETS)}.",
        )
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def preset(name: str, /, **overrides: Any) -> RunConfig:
    """The complete record of a preset with some options changed: `preset("sagan-64", data="photos", steps=50_000)`.

    Sizes that neither the preset nor `overrides` set follow the resolution. Raises ConfigError for unknown names and
    impossible values.
    """
    return build({**find_preset(name).options, "preset": name, **overrides})
