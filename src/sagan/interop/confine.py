"""What the process that reads foreign files gives up, before it looks at one. None of it can be taken back.

    kernel    memory, processor time, size of written files 0, no descriptor beyond the three it has (so no file and no
              socket can be opened), no further process, no core; no new privileges; an own network without a way out
              where the kernel lets us
    Python    an audit hook that refuses every event: opening, importing, sockets, processes, compiling

The reader runs no code of a file in the first place; this is for the day that somebody finds otherwise. Only the standard
library is used.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

MEMORY = 512 << 20  # bytes of address space, of which what lies in memory is a part
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # unshare(2)
_NO_NEW_PRIVILEGES = 38  # prctl(2)


def confine(seconds: int) -> list[str]:
    """Give everything up; the names of the protections that hold. seconds: of processor time from now on."""
    holds = _isolate() + _limit(seconds)
    sys.addaudithook(_refuse)
    return [*holds, "audit"]


def _isolate() -> list[str]:
    if sys.platform != "linux":
        return []
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    holds = ["privileges"] if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 else []
    return [*holds, "network"] if libc.unshare(_NEW_USER | _NEW_NET) == 0 else holds


def _limit(seconds: int) -> list[str]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    wanted = {
        "memory": (resource.RLIMIT_AS, MEMORY),
        "time": (resource.RLIMIT_CPU, seconds),
        "writing": (resource.RLIMIT_FSIZE, 0),
        "core": (resource.RLIMIT_CORE, 0),
        "processes": (getattr(resource, "RLIMIT_NPROC", None), 0),
        "files": (resource.RLIMIT_NOFILE, 3),
    }
    holds = []
    for name, (kind, limit) in wanted.items():
        try:
            if kind is not None:
                resource.setrlimit(kind, (limit, limit))
                holds.append(name)
        except (OSError, ValueError):  # a system that has not this one, as macOS has no limit of address space
            continue
    return holds


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("object.__getattr__", "object.__setattr__", "object.__delattr__"):  # zipfile's own, of no effect
        _stop(event)


def _stop(event: str) -> NoReturn:
    raise PermissionError(f"{event} is refused here")
