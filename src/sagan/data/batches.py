"""Endless batches whose order is a pure function of (seed, position).

Position is the number of pictures handed out so far, and all that a resume needs; order.py says which picture stands
there. Nothing here touches a global random state, so the number of workers and what they have fetched ahead make no
difference.
"""

from __future__ import annotations

import itertools
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from sagan.data.image_set import ImageSet
from sagan.data.order import BalancedOrder, Order, PlainOrder
from sagan.errors import ConfigError, DataError, ResourceError
from sagan.randomness import Stream, uniform

RESTARTS = 3  # a worker that the system killed is replaced this often in a row


class Batch(NamedTuple):
    """pixels: (B, C, R, R) uint8 in channels_last memory.  labels: (B,) int64.  ids: (B,) int64, places in the set."""

    pixels: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor


class Batches:
    """Iterate over batches for ever; a set smaller than a batch wraps around.

    position: pictures handed out before, 0 for a new run.  workers: processes that decode, used when the set is not in
    memory.  mirror: flip each picture left to right with chance 1/2, decided by (seed, position).
    balance: show every class equally often; ConfigError for a set without classes.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        batch_size: int,
        seed: int,
        position: int = 0,
        workers: int = 0,
        mirror: bool = False,
        balance: bool = False,
    ) -> None:
        if balance and not images.classes:
            raise ConfigError("balance is on for pictures without classes", remedy="Leave it off.")
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.mirror = mirror
        self.workers = 0 if images.in_memory else workers
        self._order: Order = BalancedOrder(images.labels, seed) if balance else PlainOrder(len(images), seed)
        self._position = position
        self._arriving: Iterator[torch.Tensor | DataError] | None = None

    @property
    def position(self) -> int:
        """Pictures handed out so far; what workers fetched ahead does not count."""
        return self._position

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        positions = np.arange(self._position, self._position + self.batch_size)
        ids = self._order.at(positions)
        squares = self._from_workers() if self.workers else torch.from_numpy(self.images.pictures(ids))
        if self.mirror:
            flipped = uniform(self.seed, Stream.MIRROR, positions, 1)[:, 0] < 0.5
            chosen = torch.from_numpy(np.flatnonzero(flipped))
            squares[chosen] = squares[chosen].flip(2)
        self._position += self.batch_size
        # (B, R, R, C) seen as (B, C, R, R) is the channels_last memory format: no copy.
        return Batch(squares.permute(0, 3, 1, 2), torch.from_numpy(self.images.labels[ids]), torch.from_numpy(ids))

    def close(self) -> None:
        """End the workers."""
        self._arriving = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _from_workers(self) -> torch.Tensor:
        """(B, R, R, C) uint8 from the workers, which are replaced at this very position when one of them dies."""
        for _ in range(RESTARTS + 1):
            if self._arriving is None:
                self._arriving = self._start_workers()
            try:
                arrived = next(self._arriving)
            except RuntimeError:  # DataLoader's word for a worker that was killed
                self.close()
                continue
            if isinstance(arrived, DataError):
                self.close()
                raise arrived
            return arrived
        raise ResourceError(
            f"the decoding workers died {RESTARTS + 1} times at picture {self._position:,}",
            remedy="Memory may be short: use fewer --workers, or 0. `sagan data check` finds pictures that do harm.",
        )

    def _start_workers(self) -> Iterator[torch.Tensor | DataError]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # more workers than cores is the caller's choice
            loader = DataLoader(
                _Reader(self.images, self._order, self.batch_size),
                batch_size=None,
                sampler=_Starts(self._position, self.batch_size),
                num_workers=self.workers,
                collate_fn=_as_it_is,
                worker_init_fn=_leave_interrupts_to_the_parent,
                generator=torch.Generator().manual_seed(0),  # else the loader draws from the global one
            )
            with _own_child_signal():
                return iter(loader)


class _Starts:
    """First position of each batch, endlessly."""

    def __init__(self, position: int, step: int) -> None:
        self.position = position
        self.step = step

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.position, self.step)


class _Reader(Dataset[torch.Tensor | DataError]):
    """What a worker does: first position of a batch -> its pictures (B, R, R, C), or the error to raise."""

    def __init__(self, images: ImageSet, order: Order, batch_size: int) -> None:
        self.images = images
        self.order = order
        self.batch_size = batch_size

    def __getitem__(self, start: int) -> torch.Tensor | DataError:
        self.images.threads = 1  # this copy of the set belongs to one of several processes
        try:
            return torch.from_numpy(self.images.pictures(self.order.at(np.arange(start, start + self.batch_size))))
        except DataError as error:
            return error


@contextmanager
def _own_child_signal() -> Iterator[None]:
    """Keep the loader from installing its handler for dead children: that one raises wherever the main thread happens
    to be, in the middle of an update too. A dead worker is noticed here instead, when its batch does not come."""
    mine = hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if mine else None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _as_it_is(value: Any) -> Any:
    return value


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    """Ctrl-C reaches the whole process group; the parent finishes its step and ends the workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
