"""Everything that is printed: results to standard output, all else to standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable

from sagan.errors import SaganError, printable

REPORT = "sagan: this is a fault of ours; please report it with the lines above and the output of `sagan info`."


def say(line: object) -> None:
    """A result, one line on standard output; names of files cannot steer the terminal."""
    sys.stdout.write(printable(line) + "\n")


def say_text(text: str) -> None:
    """A result of several lines that we made ourselves."""
    for line in text.splitlines():
        say(line)


def say_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    pairs = [(str(name), str(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        say(f"{name:<{width}}  {value}")


def note(line: object) -> None:
    """Something on the way to a result, one line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(printable(line) + "\n")
    sys.stderr.flush()


def complain(error: SaganError) -> None:
    """An error raised on purpose: one line."""
    note(f"sagan: {error}")


def confess() -> None:
    """An exception nobody expected: the traceback, and the request to report it."""
    sys.stdout.flush()
    traceback.print_exc(file=sys.stderr)
    note(REPORT)


def duration(seconds: float) -> str:
    """42 -> '42s', 600 -> '10m00s', 3725 -> '1h02m', 200000 -> '2d07h'."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
