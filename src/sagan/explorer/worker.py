"""The one thread that computes, and the queue before it.

One thread, because torch shares the processor among its own; a queue with an end, because whoever waits longer than the
deadline has waited in vain. Pictures that are asked for at the same time are drawn in one batch, whoever asked.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sagan.sampling import INNER_BATCH

Result = TypeVar("Result")
Pixels = NDArray[np.uint8]
Numbers = NDArray[np.int64]
MOST_WAITING = 48  # three inner batches of single pictures: while one is drawn, those who had the last ask for the next
DEADLINE = 30.0


class QueueFull(Exception):
    """As many wait as may. after: seconds until it is worth trying again."""

    def __init__(self, after: int) -> None:
        super().__init__(after)
        self.after = after


class TooLate(Exception):
    """The deadline passed before the work was begun, or ended."""


@dataclass(eq=False)
class _Job:
    future: Future[Any]
    deadline: float


@dataclass(eq=False)
class _Call(_Job):
    call: Callable[[], Any]


@dataclass(eq=False)
class Drawing:
    """Pictures to draw. kind: drawings of the same kind share batches, so each must do for the others' `paint`.

    paint: (seeds, labels) of at most INNER_BATCH rows -> their pictures and labels.  seeds, labels: (n,).
    """

    kind: tuple[object, ...]
    paint: Callable[[Numbers, Numbers], tuple[Pixels, Numbers]]
    seeds: Numbers
    labels: Numbers


@dataclass(eq=False)
class _Pictures(_Job):
    drawing: Drawing
    done: list[tuple[Pixels, Numbers]] = field(default_factory=list)
    begun: int = 0  # rows that were drawn

    @property
    def left(self) -> int:
        return len(self.drawing.seeds) - self.begun


class Worker:
    """Does what is asked of it, one thing after another. noted: told each batch's number of pictures and its seconds."""

    def __init__(self, noted: Callable[[int, float], None] = lambda pictures, seconds: None) -> None:
        self._jobs: deque[_Job] = deque()
        self._change = threading.Condition()
        self._open = True
        self.noted = noted
        self._pace = 0.05  # seconds a job took of late
        self._thread = threading.Thread(target=self._work, name="sagan-worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that are not finished."""
        return len(self._jobs)

    def call(self, call: Callable[[], Result], seconds: float = DEADLINE) -> Future[Result]:
        """Have something computed. Raises QueueFull; the future raises TooLate."""
        future: Future[Result] = Future()
        self._add(_Call(future, time.monotonic() + seconds, call))
        return future

    def draw(self, drawing: Drawing, seconds: float = DEADLINE) -> Future[tuple[Pixels, Numbers]]:
        """Have pictures drawn: (n, R, R, C), and their labels (n,). Raises QueueFull; the future raises TooLate."""
        future: Future[tuple[Pixels, Numbers]] = Future()
        self._add(_Pictures(future, time.monotonic() + seconds, drawing))
        return future

    def close(self) -> None:
        """Finish the batch in hand, drop the others; whoever asks from now on is told at once that it is too late."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(DEADLINE)
        for job in self._jobs:
            job.future.cancel()

    def _add(self, job: _Job) -> None:
        with self._change:
            if not self._open:
                raise TooLate()
            wait = self._pace * len(self._jobs)
            if len(self._jobs) >= MOST_WAITING or (self._jobs and wait > DEADLINE):
                raise QueueFull(max(1, round(wait)))
            self._jobs.append(job)
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._jobs or not self._open)
                if not self._open:
                    return
                batch = self._next()
            start = time.perf_counter()
            if batch and isinstance(batch[0], _Pictures):
                self._draw([job for job in batch if isinstance(job, _Pictures)])
            elif batch and isinstance(batch[0], _Call):
                _settle(batch[0].future, batch[0].call)
            finished = [job for job in batch if job.future.done()]
            if finished:
                self._pace += 0.2 * ((time.perf_counter() - start) / len(finished) - self._pace)
            with self._change:
                self._jobs = deque(job for job in self._jobs if not job.future.done())

    def _next(self) -> list[_Job]:
        """The first job, and with it the others that fit into its batch; those that nobody waits for any more are dropped."""
        for job in self._jobs:
            if time.monotonic() > job.deadline:
                _fail(job.future, TooLate())
        alive = [job for job in self._jobs if not job.future.done()]
        self._jobs = deque(alive)
        if not alive or not isinstance(first := alive[0], _Pictures):
            return alive[:1]
        chosen: list[_Job] = []
        room = INNER_BATCH
        for job in alive:
            if room and isinstance(job, _Pictures) and job.drawing.kind == first.drawing.kind:
                chosen.append(job)
                room -= min(room, job.left)
        return chosen

    def _draw(self, jobs: list[_Pictures]) -> None:
        """One batch of the rows that come first."""
        taken, room = [], INNER_BATCH
        for job in jobs:
            count = min(room, job.left)
            taken.append((job, slice(job.begun, job.begun + count)))
            room -= count
        seeds = np.concatenate([job.drawing.seeds[rows] for job, rows in taken])
        labels = np.concatenate([job.drawing.labels[rows] for job, rows in taken])
        start = time.perf_counter()
        try:
            pixels, labels = jobs[0].drawing.paint(seeds, labels)
        except BaseException as error:
            for job in jobs:
                _fail(job.future, error)
            return
        self.noted(len(seeds), time.perf_counter() - start)
        place = 0
        for job, rows in taken:
            job.begun = rows.stop
            mine = slice(place, place + rows.stop - rows.start)
            job.done.append((pixels[mine], labels[mine]))
            place = mine.stop
            if not job.left:
                _settle(job.future, partial(_joined, job.done))


def _joined(parts: list[tuple[Pixels, Numbers]]) -> tuple[Pixels, Numbers]:
    pictures, labels = zip(*parts, strict=True)
    return np.concatenate(pictures), np.concatenate(labels)


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    """Give a future its result, unless whoever asked has left."""
    if future.done() or not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


def _fail(future: Future[Any], error: BaseException) -> None:
    """The same with an error."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_exception(error)
