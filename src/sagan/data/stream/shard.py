"""What every kind of shard has in common: pieces that can be reached, and the records in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sagan.data.faults import Fault

Label = int | str | None  # None: the picture has no class


class Piece(NamedTuple):
    """A stretch of a shard that can be read from its start. rows: records in it.

    place: two numbers by which the shard's reader finds it.  size: bytes to be read for it, about.
    """

    rows: int
    place: tuple[int, int]
    size: int


@dataclass
class Found:
    """What is in a shard. names: class names that it tells.  labels: the labels of its records, where none are told."""

    pieces: list[Piece]
    names: tuple[str, ...] = ()
    labels: set[Any] = field(default_factory=set)


class Record(NamedTuple):
    """One picture. payload: the bytes of its file, or why there are none."""

    payload: bytes | Fault
    label: Label


class Damaged(Exception):
    """A shard, or a part of it, is not what its kind must be. Says why, without the file's name."""


class Reader(Protocol):
    """An open shard. Raises Damaged; OSError and others where the file cannot be read now."""

    def found(self) -> Found:
        """Look at the whole shard, without reading pictures."""
        ...

    def records(self, piece: Piece, skip: int) -> Iterator[Record]:
        """The records of a piece, without the first `skip`."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


def label_of(value: Any) -> Label:
    """A cell of a label column, or the text of a .cls member. -1 and nothing at all mean no class. Raises Damaged."""
    if value is None or value == -1:
        return None
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip()
        return label_of(int(text)) if re.fullmatch("-?[0-9]{1,18}", text) else text[:256] or None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise Damaged(f"has a label that is neither a whole number nor a word ({str(value)[:40]})")
