"""Whole files read into memory under a limit.

Never mapped: a mapped file that somebody truncates kills the reader with SIGBUS instead of an error that can be shown.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)


class UnfitFile(ValueError):
    """Not a regular file, or larger than its limit. Says only why; the caller knows what the file was for."""


def open_regular(path: Path, *, max_bytes: int, follow: bool = True) -> int:
    """A descriptor of a regular file of at most `max_bytes`, for reading; the caller closes it.

    follow: whether `path` may be a symbolic link. A FIFO is never waited for.
    Raises UnfitFile, and OSError as the system says it.
    """
    try:
        descriptor = os.open(path, _READ | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    except IsADirectoryError:
        raise UnfitFile("is a folder, not a file") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UnfitFile("is not a regular file")
        if facts.st_size > max_bytes:
            raise UnfitFile(f"has {facts.st_size} bytes, above the limit of {max_bytes}")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_whole(path: Path, *, max_bytes: int, follow: bool = True) -> bytes:
    """All bytes of a regular file of at most `max_bytes`. Raises as `open_regular` does."""
    with open(open_regular(path, max_bytes=max_bytes, follow=follow), "rb") as file:
        payload = file.read(max_bytes + 1)  # it may have grown since it was measured
    if len(payload) > max_bytes:
        raise UnfitFile(f"grew above the limit of {max_bytes} bytes while it was read")
    return payload
