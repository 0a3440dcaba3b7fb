"""What every kind of source has in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagan.data.layout import Listing

Payload = bytes | NDArray[np.uint8]


class Source(Protocol):
    """Pictures in some container, listed but not decoded.

    A source may be read from several threads, survives a fork, and can be sent to another process.
    """

    path: Path
    listing: Listing
    slow_at_random: bool  # True where one picture costs the reading of a whole block of its neighbours

    def read(self, index: int) -> Payload:
        """File bytes of one picture, or its pixels (H, W, 1|3|4) uint8. Raises Unreadable with the reason."""
        ...

    def close(self) -> None:
        """Give the file handles back."""
        ...


class Handles:
    """Things opened once a process, by key. After a fork or a copy each process opens its own: a file offset shared
    between processes would mix up their reads."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._held: dict[object, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_owner": 0, "_held": {}}

    def get_or_open(self, opener: Callable[[], Any], key: object = None) -> Any:
        """The thing held under `key`, opened now where this process has none. The caller holds a lock."""
        if self._owner != os.getpid():
            self._owner, self._held = os.getpid(), {}
        if key not in self._held:
            self._held[key] = opener()
        return self._held[key]

    def close(self) -> None:
        """Close what this process opened."""
        if self._owner == os.getpid():
            for value in self._held.values():
                value.close()
        self._held.clear()
