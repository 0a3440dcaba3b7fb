"""Time several ways of doing one thing, interleaved, so that what a shared machine does meanwhile meets all of them alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.2  # of the machine taken by other processes: such samples are left out where enough others remain
ENOUGH = 3


@dataclass(frozen=True)
class Sample:
    """seconds: of one call.  foreign: the share of all cores that other processes took meanwhile; 0 where unknown."""

    seconds: float
    foreign: float


def interleave(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Sample]]:
    """Call each side once unmeasured, then `rounds` times in the order A B C, C B A, A B C ..."""
    for call in sides.values():
        call()
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            samples[name].append(timed(sides[name]))
    return samples


def timed(call: Callable[[], object]) -> Sample:
    """One call, with what other processes did meanwhile."""
    busy, own, start = _busy_seconds(), time.process_time(), time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    others = (_busy_seconds() - busy) - (time.process_time() - own)
    return Sample(seconds, max(0.0, others / (seconds * (os.cpu_count() or 1))))


def quiet(samples: Sequence[Sample]) -> list[float]:
    """Seconds of the samples that other processes did not disturb; of all where too few are left."""
    undisturbed = [sample.seconds for sample in samples if sample.foreign <= BUSY]
    return undisturbed if len(undisturbed) >= ENOUGH else [sample.seconds for sample in samples]


def median(samples: Sequence[Sample]) -> float:
    """Seconds."""
    return statistics.median(quiet(samples))


def spread(samples: Sequence[Sample]) -> str:
    """Such as '1.02 to 1.10 s, 5 samples, others took at most 3 % of the machine'."""
    seconds = quiet(samples)
    foreign = max(sample.foreign for sample in samples)
    count = f"{len(seconds)} of {len(samples)}" if len(seconds) < len(samples) else f"{len(seconds)}"
    return (
        f"{min(seconds):.4g} to {max(seconds):.4g} s, {count} samples, others took at most {foreign:.0%} of the machine"
    )


def ratio(slow: Sequence[Sample], fast: Sequence[Sample]) -> tuple[float, float, float]:
    """How many times faster: (median, least, most) of the rounds' own ratios."""
    ratios = [a.seconds / b.seconds for a, b in zip(slow, fast, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def _busy_seconds() -> float:
    """Processor time that everything on this machine has used so far; only Linux tells."""
    try:
        numbers = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0.0
    idle = numbers[3] + numbers[4]
    return (sum(numbers[:8]) - idle) / os.sysconf("SC_CLK_TCK")
