"""A run's record as TOML. The text is data from anybody: capped before the parser sees it, and checked name by name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli_w

from sagan.config.record import SLOTS, TABLES, RunConfig, build, flatten
from sagan.config.words import Kind, kind_of, must_be, nearest, show, unknown
from sagan.errors import ConfigError

# Checked first, because Python's parser is quadratic in dotted keys and recursive in brackets.
MAX_BYTES = 64 * 1024
MAX_DOTS_IN_A_LINE = 64
MAX_DEPTH = 16

TYPES: dict[Kind, tuple[type, ...]] = {
    "switch": (bool,),
    "whole": (int,),
    "number": (int, float),
    "text": (str,),
    "choice": (str,),
    "list": (list, int),
}


def to_toml(config: RunConfig) -> str:
    """The whole record as TOML: `preset`, [data], [model], [training], [output]; `from_toml` gives it back exactly."""
    for name, value in flatten(config).items():
        if isinstance(value, str) and not _is_unicode(value):
            raise ConfigError(
                f"{name} is {show(value)}, a name that is not Unicode", remedy="Rename it, or link to it."
            )
    return tomli_w.dumps(config.model_dump())


def from_toml(source: str | Path, base: RunConfig | None = None) -> RunConfig:
    """The record in a TOML text (str) or file (Path). What it leaves out comes from `base`, else from the defaults."""
    inherited = {} if base is None else flatten(base, only_set=True)
    options = read_toml(source)
    return build(inherited | options, origin=toml_origin(options, source))


def toml_origin(options: Iterable[str], source: str | Path) -> dict[str, str]:
    """For error messages: the file and table that each option was read from."""
    return {option: _place(source, SLOTS[option].table) for option in options}


def read_toml(source: str | Path) -> dict[str, Any]:
    """The options in a TOML text or file by flat name, each of the right type; ranges are checked by `build`.

    Raises ConfigError for a file that is missing, too large or not TOML, and for names and types that do not belong.
    """
    text = _read_file(source) if isinstance(source, Path) else source
    _check_caps(text, source)
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is a number of 5,000 digits
        remedy = "Compare it with the run.toml of a run."
        raise ConfigError(f"not readable as TOML: {error}", where=_place(source), remedy=remedy) from None
    options: dict[str, Any] = {}
    for key, value in tables.items():
        inside = value.items() if key in TABLES and isinstance(value, dict) else None
        if inside is None:
            options[key] = _typed(key, value, "", source)
        else:
            options |= {name: _typed(name, item, key, source) for name, item in inside}
    return options


def _typed(name: str, value: Any, table: str, source: str | Path) -> Any:
    """`value` when an option of that name stands in that table and takes such a type; lists become tuples."""
    place, slot = _place(source, table), SLOTS.get(name)
    if slot is None:
        here = list(TABLES[table].model_fields) if table else ["preset", *TABLES]
        raise unknown("option", name, here if nearest(name, here) else SLOTS, place)
    if slot.table != table:
        raise ConfigError(f"{name} stands in the wrong place", where=place, remedy=f"It belongs in [{slot.table}].")
    kind = kind_of(slot.field)
    extra = slot.field.json_schema_extra
    if isinstance(extra, dict) and value and value == extra.get("word"):
        return value
    parts = value if isinstance(value, list) and kind == "list" else [value]
    if not isinstance(value, TYPES[kind]) or any(isinstance(part, bool) != (kind == "switch") for part in parts):
        raise ConfigError(f"{name} is {show(value)}", where=place, remedy=f"It must be {must_be(slot.field)}.")
    return tuple(value) if isinstance(value, list) else value


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_BYTES + 1)  # one more than is allowed, so that the caps notice
        return payload.decode("utf-8-sig", "strict" if len(payload) <= MAX_BYTES else "replace")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: {error.reason} at byte {error.start}"
        raise ConfigError(what, where=path, remedy="Save it as UTF-8.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(what, where=path, remedy="Check the path of the TOML file.") from None


def _check_caps(text: str, source: str | Path) -> None:
    where = _place(source)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(
            "larger than 64 KiB", where=where, remedy="A run's record has some 60 lines: is this the file?"
        )
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS_IN_A_LINE:
            what = f"more than {MAX_DOTS_IN_A_LINE} dots in line {number}"
            raise ConfigError(what, where=where, remedy="Shorten the line.")
        for bracket in re.findall(r"[\[\]{}]", line):
            depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
            if depth > MAX_DEPTH:
                what = f"brackets nested deeper than {MAX_DEPTH} in line {number}"
                raise ConfigError(what, where=where, remedy="Write options as name = value.")


def _place(source: str | Path, table: str = "") -> str:
    name = str(source) if isinstance(source, Path) else "TOML"
    return f"{name}: [{table}]" if table else name


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
