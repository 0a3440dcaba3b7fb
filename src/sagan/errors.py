"""The errors this library raises on purpose, and the exit code each one ends a command with.

    SaganError                      1   our own fault: please report it
    ├── ConfigError                 2   a setting, or words on the command line, that cannot work
    ├── DataError                   3   pictures that are missing, unreadable or too few
    ├── CheckpointError             4
    │   ├── CheckpointMissing           no checkpoint where one was asked for
    │   ├── CheckpointCorrupt           a file that differs from its manifest, or cannot be parsed
    │   └── CheckpointIncompatible      whole, but made for another structure or a newer version
    ├── ResourceError               5   disk, memory or permission
    ├── NumericError                6   training left the finite numbers
    ├── HealthError                 6   training went wrong in finite numbers
    ├── BusyError                   7   another process owns the run folder
    ├── RefusedError                8   refused for safety
    ├── PeerError                  75   a peer, a device or the place of a stream was lost: try again
    └── Interrupted           130/143   stopped by a signal, with a checkpoint saved

A message has three parts: what is wrong, where, and the remedy. It is one line, fit for a terminal.
"""

from __future__ import annotations


def printable(text: object) -> str:
    """`text` with control characters escaped, so that a file name cannot steer a terminal or break the line."""
    shown = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


class SaganError(Exception):
    """Base of every error raised on purpose.

    what: what is wrong, with the offending value.  where: the file, option or place.  remedy: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, remedy: str | None = None) -> None:
        self.what = printable(what)
        self.where = None if where is None else printable(where)
        self.remedy = None if remedy is None else printable(remedy)
        super().__init__(self.what)

    def __str__(self) -> str:
        line = self.what if self.where is None else f"{self.where}: {self.what}"
        if self.remedy is None:
            return line
        return f"{line}{'' if line.endswith(('.', '?', '!')) else '.'} {self.remedy}"


class ConfigError(SaganError, ValueError):
    """A setting, or a combination of settings, that cannot work."""

    exit_code = 2


class DataError(SaganError):
    """Pictures that are missing, unreadable, too few or not what was promised."""

    exit_code = 3


class CheckpointError(SaganError):
    """Something is wrong with a checkpoint."""

    exit_code = 4


class CheckpointMissing(CheckpointError):
    """There is no checkpoint where one was asked for."""


class CheckpointCorrupt(CheckpointError):
    """A checkpoint file differs from its manifest, or cannot be parsed."""


class CheckpointIncompatible(CheckpointError):
    """A whole checkpoint, made for another structure or by a newer version."""


class ResourceError(SaganError):
    """The disk, the memory or a permission does not allow it."""

    exit_code = 5


class NumericError(SaganError):
    """Training left the finite numbers."""

    exit_code = 6


class HealthError(SaganError):
    """Training collapsed, saturated or diverged, and was asked to stop for it."""

    exit_code = 6


class BusyError(SaganError):
    """Another process owns the run folder."""

    exit_code = 7


class RefusedError(SaganError):
    """Refused for safety."""

    exit_code = 8


class PeerError(SaganError):
    """A peer process, a device or the place of a stream was lost; the same command may be tried again."""

    exit_code = 75


class Interrupted(SaganError):
    """Stopped by a signal; a checkpoint was saved first."""

    def __init__(self, what: str, *, exit_code: int, remedy: str | None = None) -> None:
        super().__init__(what, remedy=remedy)
        self.exit_code = exit_code
