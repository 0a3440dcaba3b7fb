"""Which picture of a stream comes when: pure functions of (seed, position), so that a resume needs one integer.

Shuffling a whole set needs every picture within reach. A stream's pictures are within reach piece by piece, so they are
mixed in three ways instead, each of which is rebuilt from numbers alone:

1. Each epoch takes the pieces in an order of its own.
2. The row of pictures that this makes is cut into as many equal stretches as there are lanes, and every batch takes as
   many pictures from each lane: from places of the set that are far apart. A process that has some of the lanes reads
   nothing else.
3. Within a lane pictures are shuffled window by window.

The places of a batch belong to lanes by their number in the whole batch, so the order is the same for any number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagan.randomness import Stream, permutation

MOST_LANES = 16


class Stretch(NamedTuple):
    """Some records of a piece, in order."""

    piece: int
    skip: int
    rows: int


class Mixing:
    """The order of a stream whose pieces have `rows` (n,) pictures.

    batch_size, parts: of the whole batch, and in how many parts of gradient accumulation it is worked through.
    window: pictures that are mixed with each other, in all lanes together.
    """

    def __init__(self, rows: NDArray[np.int64], seed: int, batch_size: int, parts: int, window: int) -> None:
        self.seed, self.batch_size, self.parts = seed, batch_size, parts
        self._rows = rows
        total = int(rows.sum())
        self.lanes = math.gcd(batch_size // parts, MOST_LANES)
        while self.lanes > total:
            self.lanes //= 2
        self.each = batch_size // self.lanes  # pictures of a batch from each lane
        self.length = total // self.lanes  # pictures of a lane in an epoch; up to lanes - 1 of the set wait for another
        self.windows = max(1, round(self.length * self.lanes / window))  # of a lane in an epoch, equal but for rounding
        self.windows = min(self.windows, self.length)
        self._epoch: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None

    @property
    def largest(self) -> int:
        """Pictures in the largest window of a lane."""
        return -(-self.length // self.windows)

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """rows: places in the whole batch -> (the lane of each, which of the batch's pictures of that lane it is)."""
        part = self.batch_size // self.parts
        share = part // self.lanes
        number, offset = np.divmod(rows, part)
        return offset // share, number * share + offset % share

    def window(self, turn: int) -> tuple[int, int, int]:
        """turn: how many pictures a lane gave before -> (epoch, window, place in that)."""
        epoch, place = divmod(turn, self.length)
        window = ((place + 1) * self.windows - 1) // self.length  # the last one that begins at `place` or before
        return epoch, window, place - self.begin(window)

    def begin(self, window: int) -> int:
        """Where a window begins in its lane's stretch of an epoch."""
        return window * self.length // self.windows

    def size(self, window: int) -> int:
        """How many pictures are in it."""
        return self.begin(window + 1) - self.begin(window)

    def shuffled(self, lane: int, epoch: int, window: int) -> NDArray[np.int64]:
        """The order of a window's pictures -> (size,) places in it."""
        index = (epoch * self.lanes + lane) * self.windows + window
        return permutation(self.seed, Stream.WINDOW, index, self.size(window))

    def stretches(self, lane: int, epoch: int, start: int) -> Iterator[Stretch]:
        """What a lane reads of an epoch, from its picture `start` on."""
        order, ends = self._pieces(epoch)
        first, last = lane * self.length + start, (lane + 1) * self.length
        for place in range(int(np.searchsorted(ends, first, side="right")), len(order)):
            piece = int(order[place])
            begin = int(ends[place]) - int(self._rows[piece])
            if begin >= last:
                return
            skip, until = max(0, first - begin), min(int(ends[place]), last) - begin
            if until > skip:
                yield Stretch(piece, skip, until - skip)

    def _pieces(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """-> (the pieces in the order of an epoch, the pictures up to the end of each)."""
        if self._epoch is None or self._epoch[0] != epoch:
            order = permutation(self.seed, Stream.ORDER, epoch, len(self._rows))
            self._epoch = epoch, order, np.cumsum(self._rows[order])
        return self._epoch[1:]
