"""G8, its part about archives and arrays: whatever lies in the file, the answer is pictures or an error of ours."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from proofs.archive_corpus import Case, cases
from proofs.memory import MIB, MemoryWatch
from proofs.outcome import Outcome
from sagan.data.decode import decode, strict_pillow
from sagan.data.faults import Unreadable
from sagan.data.sources import open_source
from sagan.errors import SaganError
from sagan.runtime import tune_allocator

CLAIM = (
    "A zip, tar or NumPy file that is damaged, forged or made to do harm is read, or refused with an error of ours, within"
    " two seconds and 512 MiB; nothing is written anywhere and no connection is opened"
)
QUICK = 1_500
FULL = 100_000

MOST_SECONDS = 2.0  # of processor time: a busy machine is no fault of the file
MOST_MEMORY = 512 * MIB
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EFFECTS = (
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "os.system",
    "os.exec", "os.posix_spawn", "shutil.", "socket.", "subprocess.", "pickle.",
)  # fmt: skip


class TooSlow(BaseException):
    """Raised by the timer; no `except Exception` takes it for something else."""


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Open each input and read all that it lists."""
    tune_allocator()  # as every command does: memory that is asked for and not used is then really taken
    chance, outcome = random.Random(seed), Outcome()
    following = cases(chance)
    folder = workspace / "outer" / "inner"
    folder.mkdir(parents=True)
    with MemoryWatch() as memory:
        for number in range(count):
            case = following()
            found = attempt(folder / f"case{case.suffix}", case, outcome)
            outcome.note(None if found is None else f"input {number} ({case.kind}, {case.suffix}): {found}")
            outcome.count(case.kind)
        grown = memory.most()
    outcome.facts["MiB of memory at most"] = round(grown / MIB)
    if grown > MOST_MEMORY:
        outcome.failures.append(f"memory grew by {grown / MIB:.0f} MiB")
    return outcome


def attempt(path: Path, case: Case, outcome: Outcome) -> str | None:
    """None when only pictures and errors of ours came out, in time, and the disk is as it was."""
    path.write_bytes(case.payload)
    start, wrong = time.process_time(), ""
    with watched() as effects, time_limit(2 * MOST_SECONDS), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            outcome.count("pictures read", _read_all(path))
        except SaganError as error:
            outcome.count("refused")
            wrong = (
                "" if "\n" not in str(error) and error.remedy else f"the error is not one line with a remedy: {error}"
            )
        except TooSlow:
            wrong = "took too long"
        except BaseException as error:
            wrong = f"{type(error).__name__} came out: {' '.join(str(error).split())[:200]}"
    took = time.process_time() - start
    path.unlink()
    left = [str(found.relative_to(path.parents[2])) for found in path.parents[1].rglob("*")]
    if wrong:
        return wrong
    if took > MOST_SECONDS:
        return f"took {took:.1f} s"
    if effects:
        return f"did {effects[:3]}"
    return None if left == ["outer/inner"] else f"left {left}"


def _read_all(path: Path) -> int:
    """How many of the listed pictures could be read and decoded."""
    source, count = open_source(path), 0
    try:
        with strict_pillow():
            for index in range(len(source.listing.names)):
                try:
                    payload = source.read(index)
                except Unreadable:
                    continue
                count += 1
                if isinstance(payload, bytes):
                    decode(payload)
    finally:
        source.close()
    return count


_watching: list[list[str]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    """Python's own record of what a program does to the world outside."""
    if not _watching:
        return
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITING):
            _watching[-1].append(f"open {arguments[0]!r}")
    elif event.startswith(EFFECTS):
        _watching[-1].append(event)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Effects on the disk or the network inside the block."""
    if not hasattr(sys, "_sagan_audit"):  # a hook cannot be taken away again: one for the life of the process
        sys.addaudithook(_audit)
        sys._sagan_audit = True  # type: ignore[attr-defined]
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow after so much processor time; the tests' own limit, which counts real time, stays in force."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
