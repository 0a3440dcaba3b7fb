"""What the commands share: words to records and paths, paths to the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from sagan.cli.options import default_hint, read_words
from sagan.cli.printing import say
from sagan.errors import ConfigError


def words_of(
    argv: list[str], verb: str, about: str, record: Any, positionals: Sequence[str], needed: int | None = None
) -> dict[str, Any]:
    """The words of a verb. needed: how many of its positionals, from the first, must be there; all without."""
    fields: dict[str, FieldInfo] = record.model_fields
    words = read_words(
        argv,
        prog=f"sagan {verb}",
        about=about,
        positionals={name: fields[name] for name in positionals},
        groups={"": {name: field for name, field in fields.items() if name not in positionals}},
        hint=default_hint,
    )
    for name in positionals[:needed]:
        need(words, name, f"sagan {verb}")
    return words


def need(words: dict[str, Any], name: str, prog: str) -> None:
    if name not in words:
        raise ConfigError(f"{name.upper()} is missing", remedy=f"Write {prog} {name.upper()}; see {prog} --help.")


def pixels(numbers: tuple[int, ...] | None) -> list[tuple[int, int]] | None:
    """(20, 31, 5, 7) -> [(20, 31), (5, 7)]: X,Y of each point."""
    if numbers is None:
        return None
    if len(numbers) % 2 or not numbers:
        raise ConfigError(f"at is {','.join(map(str, numbers))}", remedy="Write pixels as X,Y: --at 20,31 --at 5,7.")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def path_of(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def say_paths(paths: Sequence[Path | None]) -> None:
    for path in paths:
        if path is not None:
            say(path)
