"""Everything that is printed: results to standard output, all else to standard error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from sagan.errors import ResourceError, SaganError, printable

REPORT = "sagan: this is a fault of ours; please report it with the lines above and the output of `sagan info`."


def say(line: object) -> None:
    """A result, one line on standard output; names of files cannot steer the terminal. Raises as `deliver` does."""
    with _taking_results():
        sys.stdout.write(printable(line) + "\n")


def say_text(text: str) -> None:
    """A result of several lines that we made ourselves."""
    for line in text.splitlines():
        say(line)


def say_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    for line in aligned(rows):
        say(line)


def aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values as lines of two columns."""
    pairs = [(str(name), str(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{name:<{width}}  {value}" for name, value in pairs]


def deliver() -> None:
    """See to it that the results have been taken. Raises ResourceError when they cannot be, as on a full disk."""
    with _taking_results():
        sys.stdout.flush()


@contextmanager
def _taking_results() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # a reader who has seen enough
        raise
    except OSError as error:
        remedy = "Free some space, or let the results go elsewhere."
        raise ResourceError(f"cannot be written: {error.strerror}", where="standard output", remedy=remedy) from error


def note(line: object) -> None:
    """Something on the way to a result, one line on standard error. Nobody there to read it is no reason to stop."""
    with suppress(OSError):  # results that cannot be written are told when the command ends
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()


def complain(error: SaganError) -> None:
    """An error raised on purpose: one line."""
    note(f"sagan: {error}")


def confess() -> None:
    """An exception nobody expected: the traceback, and the request to report it."""
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        traceback.print_exc(file=sys.stderr)
    note(REPORT)


def show_any_name() -> None:
    """Let both streams write every character: what their encoding lacks appears as \\u escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


def leave_broken_streams() -> None:
    """Point a stream that nobody takes any more at nothing, lest Python complain at its end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
