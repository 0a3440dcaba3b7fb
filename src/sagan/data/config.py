"""The record of the pictures."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from pydantic import field_validator

from sagan.data.colour import parse_colour
from sagan.errors import ConfigError
from sagan.records import Record, option

STREAM = "stream:"


def stream_path(data: str) -> str | None:
    """The place of a stream, without its prefix; None for pictures of any other kind."""
    return data.removeprefix(STREAM) if data.startswith(STREAM) else None


def stream_name(place: str) -> str:
    """'photos' for s3://bucket/photos/train-*.parquet, and 'photos' for photos.tar: its part of a run's name."""
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]+://", "", place)
    whole = [part for part in path.split("/") if part not in ("", ".", "..", "~") and not re.search(r"[*?\[{]", part)]
    return (PurePosixPath(whole[-1]).stem if whole else "") or "pictures"


class DataConfig(Record):
    """Where the pictures come from and how they are made square."""

    data: str = option(
        "emblems",
        "A folder, zip, tar, Parquet, npz or npy file of pictures; stream:PLACE for shards; or emblems, the built-in set.",
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

    shuffle_window: int = option(
        8192, "Pictures of a stream that are mixed with each other; twice as many are held in memory.", ge=1, le=2**24
    )

    @field_validator("background")
    @classmethod
    def _is_a_colour(cls, value: str) -> str:
        try:
            parse_colour(value)
        except ValueError:
            raise ConfigError(f"background is {value!r}", remedy="Write a colour like #ffffff.") from None
        return value
