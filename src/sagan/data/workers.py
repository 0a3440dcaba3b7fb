"""Processes that decode batches ahead of need, one pipe each.

Which batch is whose is fixed by its number, so the batches come in the order of their tasks whoever is quick. A process
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
from collections import deque
from collections.abc import MutableSequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagan.data.image_set import ImageSet
from sagan.data.order import Order
from sagan.errors import ResourceError, SaganError

PATIENCE = 120.0  # seconds that one picture may take before its process counts as hung
LOOKS = 1.0  # seconds between two looks at the slots while waiting
AHEAD = 2  # batches asked of a process before the first is taken
ORPHANED = 5.0  # seconds between two looks of an idle process whether its parent lives
NOTHING = -1  # in a slot: no picture is being read

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


class _Slot(NamedTuple):
    """Shared by a process and its parent. picture: being read, or NOTHING.  begun: how many were begun so far."""

    picture: MutableSequence[int]
    begun: MutableSequence[int]


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
        self._work = (images, order, rows)
        self._context = multiprocessing.get_context()
        self._workers: list[_Worker] = []
        self._slots: list[_Slot] = []
        self._expected: deque[int] = deque()
        self.close = Finalize(self, _end, (self._workers,), exitpriority=10)  # before Python would wait for them
        try:
            for _ in range(count):
                self._start()
        except OSError as error:
            self.close()
            raise ResourceError(
                f"a decoding process cannot be started ({error.strerror})", remedy="Use fewer --workers, or 0."
            ) from None
        for _ in range(AHEAD):
            for number in range(count):
                self._ask(number)

    @property
    def processes(self) -> list[BaseProcess]:
        """The processes, for those who watch them."""
        return [worker.process for worker in self._workers]

    def __next__(self) -> Squares:
        number = self._expected.popleft()
        outcome = self._await(number)
        if isinstance(outcome, BaseException):
            raise outcome
        self._ask(number)
        return outcome

    def _start(self) -> None:
        slot = _Slot(self._context.RawArray("q", [NOTHING]), self._context.RawArray("q", [0]))
        ours, theirs = self._context.Pipe()
        forked = self._context.get_start_method() == "fork"
        # A fork inherits the parent's ends of all pipes; held open there they would hide the parent's death.
        others = [worker.pipe for worker in self._workers] + [ours] if forked else []
        parent = os.getpid() if forked else None
        process = self._context.Process(target=_work, args=(self._work, theirs, slot, others, parent), daemon=True)
        try:
            process.start()
        finally:
            theirs.close()  # else it would stay open when the process dies, and its death would not show
        self._slots.append(slot)
        self._workers.append(_Worker(process, ours))

    def _ask(self, number: int) -> None:
        try:
            self._workers[number].pipe.send(next(self._starts))  # a number: small enough never to fill the pipe
        except OSError:
            pass  # it is dead, which shows when its batch is due
        self._expected.append(number)

    def _await(self, number: int) -> Squares | BaseException:
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


def _work(
    work: tuple[ImageSet, Order, NDArray[np.int64]],
    pipe: Connection,
    slot: _Slot,
    others: list[Connection],
    parent: int | None,
) -> None:
    """What a process does: take the first position of a batch, send its pictures, until its parent closes the pipe or is
    gone.

    parent: its number, where this is a fork of it.  others: pipes to close.
    """
    images, order, rows = work
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # sent to the whole group; the parent ends its processes
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    for other in others:
        other.close()
    images.threads = 1  # this copy of the set belongs to one of several processes
    try:
        while True:
            while not pipe.poll(ORPHANED):
                if parent is not None and os.getppid() != parent:
                    return
            start = pipe.recv()
            pipe.send(_decode(images, order.at(start + rows), slot))
    except (EOFError, OSError):
        return


def _decode(images: ImageSet, task: NDArray[np.int64], slot: _Slot) -> Squares | BaseException:
    """One batch, or what is to be raised about it."""
    squares = np.empty((len(task), images.resolution, images.resolution, images.channels), dtype=np.uint8)
    try:
        for row, picture in enumerate(task.tolist()):
            slot.picture[0] = picture
            slot.begun[0] += 1
            squares[row] = images.pictures([picture])[0]
    except SaganError as error:
        return error
    except MemoryError:
        return WorkerLost("ran out of memory", picture)
    except Exception:  # a fault of ours: the parent shall tell it, with the place where it happened
        return RuntimeError(traceback.format_exc())
    slot.picture[0] = NOTHING
    return squares
