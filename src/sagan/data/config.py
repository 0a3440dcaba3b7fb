"""The record of the pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from sagan.data.colour import parse_colour
from sagan.errors import ConfigError
from sagan.records import Record, option


class DataConfig(Record):
    """Where the pictures come from and how they are made square."""

    data: str = option(
        "emblems",
        "A folder, zip, tar, Parquet, npz or npy file of pictures; or emblems, the built-in set.",
        resume="free",
    )
    fit: Literal["crop", "pad", "stretch"] = option(
        "crop", "How a picture becomes square: centre crop, padding with its edge colour, or stretching."
    )
    mirror: bool = option(False, "Show every picture also mirrored left to right.")
    cond: Literal["auto", "on", "off"] = option(
        "auto", "Use class labels: auto means when there are two classes or more."
    )
    balance: bool = option(False, "Show every class equally often; rare ones repeat.")
    background: str = option("#ffffff", "Colour behind transparent pictures, as #rrggbb.")
    on_bad: Literal["skip", "stop", "quarantine"] = option(
        "skip",
        "A picture that cannot be read: skip leaves it out, stop ends, quarantine moves it to a folder beside the set.",
        resume="free",
    )
    max_bad: float = option(
        0.01, "Stop when more than this share of the pictures cannot be read.", resume="free", ge=0, le=1
    )
    workers: int = option(
        0, "Processes that decode pictures for sets too large for memory.", resume="free", ge=0, le=64
    )
    cache_mib: int = option(2048, "Pictures are kept decoded in memory up to this many MiB.", resume="free", ge=0)

    @field_validator("background")
    @classmethod
    def _is_a_colour(cls, value: str) -> str:
        try:
            parse_colour(value)
        except ValueError:
            raise ConfigError(f"background is {value!r}", remedy="Write a colour like #ffffff.") from None
        return value
