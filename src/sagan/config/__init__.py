"""One run as one record, in Python, in TOML and on the command line."""

from __future__ import annotations

from sagan.config.record import (
    SLOTS,
    TABLES,
    Change,
    RunConfig,
    Slot,
    build,
    difference,
    flatten,
    loosely,
    option_classes,
    override,
)
from sagan.config.toml import from_toml, read_toml, to_toml, toml_origin
from sagan.config.words import choices_of, config_error, kind_of, must_be, nearest, show, unknown

__all__ = [
    "SLOTS",
    "TABLES",
    "Change",
    "RunConfig",
    "Slot",
    "build",
    "choices_of",
    "config_error",
    "difference",
    "flatten",
    "from_toml",
    "kind_of",
    "loosely",
    "must_be",
    "nearest",
    "option_classes",
    "override",
    "read_toml",
    "show",
    "to_toml",
    "toml_origin",
    "unknown",
]
