"""Words about options: what a value must be, and the errors that say so in one line."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from sagan.errors import ConfigError

Kind = Literal["switch", "whole", "number", "text", "choice", "list"]


def kind_of(field: FieldInfo) -> Kind:
    """What sort of value an option takes."""
    annotation = _without_none(field.annotation)
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) in (tuple, list):
        return "list"
    simple: dict[Any, Any] = {bool: "switch", int: "whole", float: "number", str: "text", Path: "text"}
    return cast(Kind, simple[annotation])


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The words a choice allows; empty for other options."""
    return get_args(_without_none(field.annotation)) if kind_of(field) == "choice" else ()


def must_be(field: FieldInfo) -> str:
    """What an option's value must be, in words: 'a whole number from 2 to 65536'."""
    kind = kind_of(field)
    if kind == "choice":
        return "one of " + ", ".join(choices_of(field))
    nouns = {"switch": "true or false", "whole": "a whole number", "number": "a number", "text": "text"}
    noun = nouns.get(kind, "whole numbers such as 16 or 16,32, or 0 for none")
    low = high = ""
    for limit in field.metadata:
        if (bound := getattr(limit, "ge", None)) is not None:
            low = f"from {show(bound)}"
        elif (bound := getattr(limit, "gt", None)) is not None:
            low = f"above {show(bound)}"
        if (bound := getattr(limit, "le", None)) is not None:
            high = f"to {show(bound)}" if low.startswith("from") else f"up to {show(bound)}"
        elif (bound := getattr(limit, "lt", None)) is not None:
            high = f"and below {show(bound)}" if low else f"below {show(bound)}"
    if low.startswith("from") and not high:
        low = f"{low[5:]} or more"
    return f"{noun}{',' if low.endswith('more') else ''} {low} {high}".strip().replace("  ", " ")


def show(value: Any) -> str:
    """A value in a message: short, on one line, whatever it is."""
    if isinstance(value, (list, tuple)):
        return ",".join(show(item) for item in value[:8]) or "none"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return f"a number of {round(math.log10(2) * value.bit_length())} digits"  # str() refuses beyond 4,300 digits
    words = repr(value) if isinstance(value, str) else "a table" if isinstance(value, dict) else str(value)
    return words if len(words) <= 80 else words[:77] + "..."


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that is spelt most like `word`, or None when nothing is close."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(what: str, word: str, choices: Iterable[str], where: object = None) -> ConfigError:
    """The error for a name that does not exist, with the nearest one that does, else all of them."""
    known = list(choices)
    near = nearest(word, known)
    remedy = f"Did you mean {near}?" if near else f"There are: {', '.join(known)}." if len(known) <= 16 else None
    return ConfigError(f"unknown {what} {show(word)}", where=where, remedy=remedy)


def config_error(
    error: ValidationError,
    fields: Mapping[str, FieldInfo],
    values: Mapping[str, Any],
    origin: Mapping[str, str] | None = None,
) -> ConfigError:
    """pydantic's report as one line: the option, its value, what it must be, the nearest choice.

    fields, values: the options that were checked and what they were, by flat name.  origin: see `build`.
    """
    first = error.errors(include_url=False)[0]
    name = next((str(part) for part in reversed(first["loc"]) if part in fields and not isinstance(part, int)), "")
    reason = first.get("ctx", {}).get("error")
    name = name or (reason.what.split()[0] if isinstance(reason, ConfigError) else "")
    where = (origin or {}).get(name)
    if isinstance(reason, ConfigError):  # raised by a record's own check, whose text starts with the option's name
        return ConfigError(reason.what, where=where or reason.where, remedy=reason.remedy)
    if not name:
        return ConfigError(str(first["msg"]), where=where)
    field, value = fields[name], values.get(name)
    near = nearest(value, choices_of(field)) if isinstance(value, str) else None
    remedy = f"It must be {must_be(field)}.{f' Did you mean {near}?' if near else ''}"
    return ConfigError(f"{name} is {show(value)}", where=where, remedy=remedy)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation
