"""How much memory something takes, measured inside a process that has held and freed much before."""

from __future__ import annotations

import ctypes
import gc
import re
import threading
from pathlib import Path
from types import TracebackType

MIB = 2**20
INTERVAL = 0.01  # seconds; filling half a gigabyte takes the kernel ten times as long


class MemoryWatch:
    """`with MemoryWatch() as watch:` and inside it `watch.most()`.

    Two measures, of which each may miss something and neither invents anything: the kernel's own peak, which a system that
    drops pages of files meanwhile makes too small; and looks at the memory without files, which see only what lasts.
    Linux alone tells; elsewhere nothing is measured.
    """

    def __enter__(self) -> MemoryWatch:
        self._stop = threading.Event()
        self.forget()
        self._thread = threading.Thread(target=self._look_often, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def forget(self) -> None:
        """From here on the peak is that of what follows."""
        gc.collect()
        try:
            # What was freed, and kept as our own allocator settings ask, would hide growth.
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        except (OSError, AttributeError):
            pass
        self._start = _status("VmRSS")
        self._least = _without_files()
        self._grown = 0

    def most(self) -> int:
        """Bytes that the process has held at most since, above what it held then."""
        self._look()
        return max(self._grown, _status("VmHWM") - self._start)

    def _look(self) -> None:
        now = _without_files()
        self._least = min(self._least, now)
        self._grown = max(self._grown, now - self._least)

    def _look_often(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._look()


def _status(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _without_files() -> int:
    return _status("RssAnon")
