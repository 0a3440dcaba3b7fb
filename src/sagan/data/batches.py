"""Endless batches whose order is a pure function of (seed, position).

Position is the number of pictures handed out so far, and all that a resume needs; order.py says which picture stands
there. Nothing here touches a global random state, so the number of workers and what they have fetched ahead make no
difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sagan.data.image_set import ImageSet
from sagan.data.order import BalancedOrder, Order, PlainOrder
from sagan.data.workers import Losses, WorkerLost, Workers
from sagan.errors import ConfigError
from sagan.randomness import Stream, uniform

DRAWN = 4096  # positions drawn together, but at most an epoch: a few cost as much as a hundred


class Batch(NamedTuple):
    """pixels: (B, C, R, R) uint8 in channels_last memory.  labels: (B,) int64.  ids: (B,) int64, places in the set."""

    pixels: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor


class Endless(Protocol):
    """Batches without end that can begin anywhere: `Batches`, and `StreamBatches` of sets that are never held whole."""

    @property
    def position(self) -> int:
        """Pictures handed out so far; what was fetched ahead does not count."""
        ...

    def seek(self, position: int) -> None:
        """Go on from another position, as a run that goes back does."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...

    def __next__(self) -> Batch: ...

    def __enter__(self) -> Endless: ...

    def __exit__(self, *_: object) -> None: ...


class Batches:
    """Iterate over batches for ever; a set smaller than a batch wraps around.

    position: pictures handed out before, 0 for a new run.  workers: processes that decode, used when pictures have
    to be decoded.  mirror: flip each picture left to right with chance 1/2, decided by (seed, position).
    balance: show every class equally often; ConfigError for a set without classes.
    rows: which places of each batch are wanted here, where several processes share it; None for all. Positions and
    `batch_size` are those of the whole batch.
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
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        if balance and not images.classes:
            raise ConfigError("balance is on for pictures without classes", remedy="Leave it off.")
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.mirror = mirror
        self.rows = np.arange(batch_size) if rows is None else rows
        self.workers = 0 if images.decoded else workers
        self._order: Order = BalancedOrder(images.labels, seed) if balance else PlainOrder(len(images), seed)
        self._position = position
        self._drawn = (range(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
        self._ahead: Workers | None = None
        self._losses = Losses()

    @property
    def position(self) -> int:
        """Pictures handed out so far; what workers fetched ahead does not count."""
        return self._position

    def seek(self, position: int) -> None:
        """Go on from another position, as a run that goes back does."""
        self.close()
        self._position = position

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        ids, mirrored = self._draw()
        squares = self._from_workers(ids) if self.workers else self.images.pictures(ids)
        rows = np.flatnonzero(mirrored)
        squares[rows] = np.take(squares[rows], np.arange(squares.shape[2])[::-1], axis=2)
        self._position += self.batch_size
        # (B, R, R, C) seen as (B, C, R, R) is the channels_last memory format: no copy.
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)
        return Batch(pixels, torch.from_numpy(self.images.labels[ids]), torch.from_numpy(ids))

    def close(self) -> None:
        """End the workers."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The next batch, or the rows of it that are wanted -> (places in the set, which pictures are mirrored)."""
        span, ids, mirrored = self._drawn
        last = self._position + self.batch_size - 1
        if self._position not in span or last not in span:
            count = max(self.batch_size, min(DRAWN, len(self.images)))
            span = range(self._position, self._position + count)
            positions = np.arange(span.start, span.stop)
            ids, mirrored = self._order.at(positions), np.zeros(len(span), dtype=np.bool_)
            if self.mirror:
                mirrored = uniform(self.seed, Stream.MIRROR, positions, 1)[:, 0] < 0.5
            self._drawn = span, ids, mirrored
        rows = self._position - span.start + self.rows
        return ids[rows], mirrored[rows]

    def _from_workers(self, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(B, R, R, C) uint8 from the workers, which are replaced at this very position when one of them is lost."""
        while True:
            try:
                if self._ahead is None:
                    self._ahead = Workers(
                        self.images, self.workers, self._order, self.batch_size, self._position, self.rows
                    )
                squares = next(self._ahead)
            except WorkerLost as loss:
                self.close()
                self._losses.suspect(loss, self.images.where, self._position)
                continue
            except BaseException:
                self.close()
                raise
            self._losses.forgive(ids.tolist())
            return squares
