"""Which pictures: seeds in words, and lists of seeds that somebody liked, kept in a file.

A list is text that a person can edit. A line names one picture in columns that tabs part: its seed, its class (by name or
number; nothing for the one that the seed draws), its truncation (nothing for the command's own); what stands behind is a note.
A line without a tab may also be words such as 3,7,20-29. Behind # stands a remark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import ConfigError

MAX_SEEDS = 1_000_000
MAX_LIST = 64 << 20
REMEDY = "A line is a seed, then, parted by tabs, its class and its truncation; or words such as 3,7,20-29."


@dataclass(frozen=True)
class Liked:
    """One picture. label: its class, '' for the one that the seed draws.  truncation: None for the command's own; 0 is none.

    note: what the list says behind it.
    """

    seed: int
    label: str = ""
    truncation: float | None = None
    note: str = ""


def read_seeds(words: str) -> list[int]:
    """'0-63' or '3,7,20-29' -> the seeds in that order. Raises ConfigError."""
    seeds: list[int] = []
    for word in words.replace(" ", "").strip("[]").split(","):
        match = re.fullmatch(r"(\d{1,19})(?:-(\d{1,19}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last >= 2**63:
            raise ConfigError(f"seeds are {words!r}", remedy="Write numbers and ranges like 0-63 or 3,7,20-29.")
        require_count(len(seeds) + last - first + 1)
        seeds.extend(range(first, last + 1))
    return seeds


def require_count(n: int) -> int:
    """n, unless nobody would want so many. Raises ConfigError."""
    if not 1 <= n <= MAX_SEEDS:
        raise ConfigError(f"{n:,} pictures were asked for", remedy=f"Ask for 1 to {MAX_SEEDS:,}.")
    return n


def read_liked(path: Path) -> list[Liked]:
    """The pictures of a list, in its order. Raises ConfigError, with the number of the line where one is at fault."""
    with disk_errors(path):
        try:
            text = read_whole(path, max_bytes=MAX_LIST).decode("utf-8-sig")
        except FileNotFoundError:
            raise ConfigError("there is no such list of seeds", where=path, remedy="Check the path.") from None
        except (UnfitFile, UnicodeDecodeError):
            raise ConfigError("is not a list of seeds", where=path, remedy=REMEDY) from None
    found: list[Liked] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found += _read_line(line)
            require_count(max(1, len(found)))
        except (ConfigError, ValueError) as error:
            what = error.what if isinstance(error, ConfigError) else f"not a picture: {line[:60]!r}"
            raise ConfigError(f"line {number}: {what}", where=path, remedy=REMEDY) from None
    if not found:
        raise ConfigError("names no seed", where=path, remedy=REMEDY)
    return found


def _read_line(line: str) -> Iterator[Liked]:
    """Raises ConfigError, ValueError."""
    columns = [column.strip() for column in line.split("\t")]
    if columns[0].startswith("#") or not any(columns):
        return
    if len(columns) == 1:
        yield from (Liked(seed) for seed in read_seeds(columns[0].partition("#")[0].strip(" ,")))
        return
    truncation = float(columns[2]) if len(columns) > 2 and columns[2] else None
    if not re.fullmatch(r"\d{1,19}", columns[0]) or not (truncation is None or 0 <= truncation < math.inf):
        raise ValueError
    yield Liked(read_seeds(columns[0])[0], columns[1], truncation, "\t".join(columns[3:]))


def write_liked(pictures: Iterable[Liked], remarks: Iterable[str] = ()) -> str:
    """A list as text, which `read_liked` reads. A class must not hold a tab or a line's end: give its number then."""
    lines = [f"# {remark}" for remark in remarks]
    for one in pictures:
        truncation = "" if one.truncation is None else repr(one.truncation)
        lines.append("\t".join([str(one.seed), one.label, truncation, *([one.note] if one.note else [])]))
    return "\n".join(lines) + "\n"
