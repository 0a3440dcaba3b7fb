"""Memory of a benchmark's own process."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_mib() -> float:
    """Peak resident memory of this process so far, in MiB.

    On Linux from /proc: getrusage starts a child at the peak of the process that started it, and hides what lies below.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
