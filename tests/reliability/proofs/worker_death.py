"""The processes that decode pictures are killed, abort, hang and run out of memory, each at pictures of chance."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from proofs.outcome import Outcome
from proofs.reference import write_pictures
from sagan.data import workers
from sagan.data.batches import Batch, Batches
from sagan.data.config import DataConfig
from sagan.data.image_set import ImageSet
from sagan.data.images import open_images
from sagan.data.sources.base import Payload, Source
from sagan.errors import DataError

CLAIM = (
    "A decoding process that is killed, aborts, hangs or runs out of memory is replaced at its place, and the batches are"
    " bit-identical to the undisturbed ones; when it happens twice at one picture, the run ends with code 3 and names it;"
    " no process, shared memory or open file is left"
)
QUICK = 8
FULL = 40

STEPS = 5
PATIENCE = 1.0  # seconds until a process counts as hung, in place of two minutes


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort() -> None:
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in the workspace
    os.abort()


def hang() -> None:
    time.sleep(3600)


def run_out() -> None:
    raise MemoryError


KINDS: dict[str, Callable[[], None]] = {"SIGKILL": kill, "abort": abort, "hang": hang, "out of memory": run_out}


class Trouble:
    """A source in which something happens before one picture is read: once, while `flag` is no file, or each time."""

    slow_at_random = False

    def __init__(self, source: Source, name: str, act: Callable[[], None], flag: Path | None) -> None:
        self.path, self.listing, self._source = source.path, source.listing, source
        self._name, self._act, self._flag = name, act, flag

    def read(self, index: int) -> Payload:
        if self.listing.names[index] == self._name:
            if self._flag is None:
                self._act()
            elif not self._flag.exists():
                self._flag.touch()
                self._act()
        return self._source.read(index)

    def close(self) -> None:
        self._source.close()


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Each trial twice: where the trouble happens once, and where it happens each time."""
    chance, outcome = random.Random(seed), Outcome()
    folder = write_pictures(workspace / "photos", 24)
    with patience(PATIENCE):
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            outcome.note(attempt(folder, kind, chance, workspace / f"happened-{number}"))
            outcome.count(kind)
    return outcome


def attempt(folder: Path, kind: str, chance: random.Random, flag: Path) -> str | None:
    """One picture, one place in the order, one number of processes; None when all that was promised held."""
    images = open_images(DataConfig(data=str(folder), cache_mib=0), 16)
    whole = images._source
    assert whole is not None
    start, size, processes = chance.randrange(1000), chance.randrange(3, 8), chance.randrange(1, 3)
    settings = {"batch_size": size, "seed": chance.randrange(100), "position": start, "mirror": True}
    expected = _take(images, settings, 0)
    shown = [images.names[place] for batch in expected for place in batch.ids.tolist()]
    name = chance.choice(shown)
    undisturbed = _take(images, settings, processes)
    before = leftovers()  # after a first use, which opens the memory that all later ones share
    images._source = Trouble(whole, name, KINDS[kind], flag)
    found = _take(images, settings, processes)
    images._source = Trouble(whole, name, KINDS[kind], None)
    try:
        _take(images, settings, processes)
    except DataError as error:
        told = str(error)
    else:
        told = "nothing"
    where = f"{kind} at {name}, position {start}, {processes} processes"
    if not flag.exists():
        return f"{where}: it never happened"
    if not (_equal(undisturbed, expected) and _equal(found, expected)):
        return f"{where}: the batches differ"
    if f"/{name}: the process that decodes it" not in told or "2 times at this picture" not in told:
        return f"{where}: told {told}"
    if left := leftovers() - before:
        return f"{where}: left behind {sorted(left)}"
    return None


def leftovers() -> set[str]:
    """Children of this process, its shared memory, its open files."""
    children = {f"process {child.pid}" for child in multiprocessing.active_children()}
    shared = Path("/dev/shm")
    memory = {path.name for path in shared.iterdir() if str(os.getpid()) in path.name} if shared.exists() else set()
    return children | memory | {f"descriptor {path.name}" for path in Path("/proc/self/fd").iterdir()}


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Let a process count as hung sooner."""
    before, workers.PATIENCE = workers.PATIENCE, seconds
    try:
        yield
    finally:
        workers.PATIENCE = before


def _take(images: ImageSet, settings: dict[str, int | bool], processes: int) -> list[Batch]:
    with Batches(images, workers=processes, **settings) as batches:
        return [next(batches) for _ in range(STEPS)]


def _equal(ours: list[Batch], theirs: list[Batch]) -> bool:
    return all(
        torch.equal(one, other)
        for mine, yours in zip(ours, theirs, strict=True)
        for one, other in zip(mine, yours, strict=True)
    )
