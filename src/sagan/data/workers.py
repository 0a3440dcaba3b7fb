"""Processes that decode batches ahead of need, one pipe each.

Which task is whose is fixed by its number, so the batches come in the order of their tasks whoever is quick. A process
that dies, hangs or runs out of memory is noticed at its turn, and the picture that it had begun is known: each writes the
number of it into a slot before it touches the file. Results travel through pipes, so a small /dev/shm is no trouble.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, MutableSequence, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagan.data.image_set import ImageSet
from sagan.data.order import Order
from sagan.errors import DataError, ResourceError, SaganError

PATIENCE = 120.0  # seconds that one picture may take before its process counts as hung
LOOKS = 1.0  # seconds between two looks at the slots while waiting
AHEAD = 2  # batches asked of a process before the first is taken
ORPHANED = 5.0  # seconds between two looks of an idle process whether its parent lives
NOTHING = -1  # in a slot: no picture is being read
RESTARTS = 3  # processes that were lost are replaced this often in a row
LOSSES = 2  # processes lost at one picture before it is taken for the cause

Squares = NDArray[np.uint8]


class WorkerLost(Exception):
    """A process was lost before its batch was there. picture: its place in the set, None when none was being read."""

    def __init__(self, how: str, picture: int | None) -> None:
        super().__init__(how, picture)
        self.how = how
        self.picture = picture


class _Worker(NamedTuple):
    process: BaseProcess
    pipe: Connection


class Slot(NamedTuple):
    """Shared by a process and its parent. picture: being read, or NOTHING.  begun: how many were begun so far."""

    picture: MutableSequence[int]
    begun: MutableSequence[int]

    def begin(self, picture: int) -> None:
        """Say that a picture is being read now."""
        self.picture[0] = picture
        self.begun[0] += 1


Work = Callable[[int, Slot], Any]  # what a process does about a task; it returns what is to be sent


class Crew:
    """Processes, each with a work of its own, that are asked tasks and answer in order. works: one a process.

    Raises WorkerLost; it cannot go on then and is to be closed.
    """

    def __init__(self, works: Sequence[Work]) -> None:
        self._context = multiprocessing.get_context()
        self._workers: list[_Worker] = []
        self._slots: list[Slot] = []
        self.close = Finalize(self, _end, (self._workers,), exitpriority=10)  # before Python would wait for them
        try:
            for work in works:
                self._start(work)
        except OSError as error:
            self.close()
            raise ResourceError(
                f"a decoding process cannot be started ({error.strerror})", remedy="Use fewer --workers, or 0."
            ) from None

    @property
    def processes(self) -> list[BaseProcess]:
        """The processes, for those who watch them."""
        return [worker.process for worker in self._workers]

    def ask(self, number: int, task: int) -> None:
        """Give a task to process `number`."""
        try:
            self._workers[number].pipe.send(task)  # a number: small enough never to fill the pipe
        except OSError:
            pass  # it is dead, which shows when its answer is due

    def answer(self, number: int) -> Any:
        """The answer of process `number` to the first task that it has not answered. Raises what its work raised."""
        outcome = self._await(number)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _start(self, work: Work) -> None:
        slot = Slot(self._context.RawArray("q", [NOTHING]), self._context.RawArray("q", [0]))
        ours, theirs = self._context.Pipe()
        forked = self._context.get_start_method() == "fork"
        # A fork inherits the parent's ends of all pipes; held open there they would hide the parent's death.
        others = [worker.pipe for worker in self._workers] + [ours] if forked else []
        parent = os.getpid() if forked else None
        process = self._context.Process(target=_serve, args=(work, theirs, slot, others, parent), daemon=True)
        try:
            process.start()
        finally:
            theirs.close()  # else it would stay open when the process dies, and its death would not show
        self._slots.append(slot)
        self._workers.append(_Worker(process, ours))

    def _await(self, number: int) -> Any:
        worker, slot = self._workers[number], self._slots[number]
        begun, since = slot.begun[0], time.monotonic()
        try:
            while not worker.pipe.poll(min(LOOKS, PATIENCE)):  # which raises on Windows when the process is dead
                if slot.begun[0] != begun:
                    begun, since = slot.begun[0], time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    raise self._lost(number, f"did not get on for {PATIENCE:g} s")
            return worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(ORPHANED)
            raise self._lost(number, _how_it_ended(worker.process.exitcode)) from None

    def _lost(self, number: int, how: str) -> WorkerLost:
        picture = self._slots[number].picture[0]
        return WorkerLost(how, None if picture == NOTHING else picture)


class Workers:
    """Iterate over the batches from position `start` on, decoded by `count` processes -> (B, R, R, C) uint8.

    order: which picture stands at which position; batches of `size` positions follow each other.
    rows: which places of each batch are wanted.
    Raises WorkerLost; it cannot go on then and is to be closed. Raises what a picture raises: see ImageSet.pictures.
    """

    def __init__(
        self, images: ImageSet, count: int, order: Order, size: int, start: int, rows: NDArray[np.int64]
    ) -> None:
        self._starts = itertools.count(start, size)
        self._crew = Crew([_Decoding(images, order, rows)] * count)
        self.close = self._crew.close
        self._expected: deque[int] = deque()
        for _ in range(AHEAD):
            for number in range(count):
                self._ask(number)

    @property
    def processes(self) -> list[BaseProcess]:
        """The processes, for those who watch them."""
        return self._crew.processes

    def __next__(self) -> Squares:
        number = self._expected.popleft()
        squares: Squares = self._crew.answer(number)
        self._ask(number)
        return squares

    def _ask(self, number: int) -> None:
        self._crew.ask(number, next(self._starts))
        self._expected.append(number)


class Losses:
    """Counts the processes that were lost, and says when there is no use in trying again."""

    def __init__(self) -> None:
        self._row = 0
        self._at: Counter[int] = Counter()  # picture -> processes lost at it

    def suspect(self, loss: WorkerLost, where: Callable[[int], Path | str], position: int) -> None:
        """Take in a loss. where: the place of a picture, for messages.  position: where the batch begins.

        Raises DataError when a process was lost at this picture before, and another try would end the same way;
        ResourceError after several losses in a row.
        """
        self._row += 1
        if loss.picture is not None:
            self._at[loss.picture] += 1
            if self._at[loss.picture] >= LOSSES:
                raise DataError(
                    f"the process that decodes it {loss.how}, {LOSSES} times at this picture",
                    where=where(loss.picture),
                    remedy="Take the picture out of the set. If memory is short or the disk hangs, use fewer --workers.",
                )
        if self._row > RESTARTS:
            raise ResourceError(
                f"a decoding process {loss.how}, {RESTARTS + 1} times in a row at picture {position:,}",
                remedy="Memory may be short: use fewer --workers, or 0. `sagan data check` finds pictures that do harm.",
            )

    def forgive(self, pictures: Iterable[int]) -> None:
        """These can be read after all, and the batch is whole."""
        self._row = 0
        for picture in pictures:
            self._at.pop(picture, None)


def _end(workers: list[_Worker]) -> None:
    """They only read, so nothing is lost by ending them at once."""
    for worker in workers:
        worker.process.kill()
        worker.pipe.close()
    for worker in workers:
        worker.process.join(ORPHANED)  # one that hangs in the kernel may not even be killed
    workers.clear()


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "broke off"
    try:
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    except ValueError:  # a signal without a name
        return f"was ended by signal {-code}"


def _serve(work: Work, pipe: Connection, slot: Slot, others: list[Connection], parent: int | None) -> None:
    """What a process does: take a task, send the answer, until its parent closes the pipe or is gone.

    parent: its number, where this is a fork of it.  others: pipes to close.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # sent to the whole group; the parent ends its processes
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    for other in others:
        other.close()
    try:
        while True:
            while not pipe.poll(ORPHANED):
                if parent is not None and os.getppid() != parent:
                    return
            pipe.send(_outcome(work, pipe.recv(), slot))
    except (EOFError, OSError):
        return


def _outcome(work: Work, task: int, slot: Slot) -> Any:
    """The answer to a task, or what is to be raised about it."""
    try:
        answer = work(task, slot)
    except SaganError as error:
        return error
    except MemoryError:
        return WorkerLost("ran out of memory", None if slot.picture[0] == NOTHING else slot.picture[0])
    except Exception:  # a fault of ours: the parent shall tell it, with the place where it happened
        return RuntimeError(traceback.format_exc())
    slot.picture[0] = NOTHING
    return answer


@dataclass(frozen=True)
class _Decoding:
    """The work of `Workers`: the pictures of a batch, whose first position is the task."""

    images: ImageSet
    order: Order
    rows: NDArray[np.int64]

    def __call__(self, start: int, slot: Slot) -> Squares:
        self.images.threads = 1  # this copy of the set belongs to one of several processes
        return _decode(self.images, self.order.at(start + self.rows), slot)


def _decode(images: ImageSet, task: NDArray[np.int64], slot: Slot) -> Squares:
    squares = np.empty((len(task), images.resolution, images.resolution, images.channels), dtype=np.uint8)
    for row, picture in enumerate(task.tolist()):
        slot.begin(picture)
        squares[row] = images.pictures([picture])[0]
    return squares
