"""Reading lanes of a stream from any place on, with as many pictures decoded ahead as were handed out.

A lane holds two windows of decoded squares: one that is handed out, shuffled, and the next one, of which as much is decoded
as is handed out of the first. So each batch costs the same, and memory is what two windows take, from the first batch on.
A picture that cannot be used leaves a gap, which another one of its window fills: positions stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagan.data.decode import strict_pillow
from sagan.data.faults import Fault
from sagan.data.found import Recipe
from sagan.data.scan import SMALL, Prepared, prepare
from sagan.data.stream.listing import Shards, StreamListing
from sagan.data.stream.mixing import Mixing
from sagan.data.stream.shard import Record
from sagan.data.workers import Slot
from sagan.errors import DataError

CHUNK = 32  # records decoded together


class Answer(NamedTuple):
    """Some pictures of a batch, (k, R, R, C) uint8, (k,), (k,) int64. seen: pictures that were looked at for it.

    faults: those of them that cannot be used, by number.
    """

    squares: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    seen: int
    faults: list[tuple[int, Fault]]


Decode = Callable[[list[tuple[int, Record]]], list[tuple[Prepared | Fault, int]]]


class Making(NamedTuple):
    """How records become pictures. conditional: whether a picture needs a class."""

    listing: StreamListing
    recipe: Recipe
    conditional: bool

    def prepared(self, record: Record) -> tuple[Prepared | Fault, int]:
        """-> (the square or why there is none, its class)."""
        if isinstance(record.payload, Fault):
            return record.payload, 0
        label = self.listing.label(record.label) if self.conditional else 0
        if label is None:
            return Fault("no-class", "has no class"), 0
        return prepare(record.payload, self.recipe), label


class _Window:
    """A window while it is filled and handed out."""

    def __init__(self, making: Making, count: int) -> None:
        side = making.recipe.side
        self.key: tuple[int, int] | None = None  # (epoch, window)
        self.size = self.filled = 0
        self.squares = np.full((count, side, side, making.recipe.channels), 0, dtype=np.uint8)  # takes its memory now
        self.labels = np.zeros(count, dtype=np.int64)
        self.ids = np.zeros(count, dtype=np.int64)
        self.good = np.zeros(count, dtype=np.bool_)
        self.order = np.zeros(0, dtype=np.int64)

    def begin(self, key: tuple[int, int] | None, size: int) -> None:
        """Make it empty."""
        self.key, self.size, self.filled, self.order = key, size, 0, self.order[:0]


class Lane:
    """One lane of a stream, for one thread."""

    def __init__(self, making: Making, mixing: Mixing, number: int) -> None:
        self.making, self.mixing, self.number = making, mixing, number
        self._shards = Shards(making.listing)
        self._now, self._next = _Window(making, mixing.largest), _Window(making, mixing.largest)
        self._walk: Iterator[tuple[int, Record]] = iter(())

    def take(self, turn: int, decode: Decode) -> Answer:
        """The pictures of one batch, from the lane's picture `turn` on."""
        mixing, side = self.mixing, self.making.recipe.side
        squares = np.empty((mixing.each, side, side, self.making.recipe.channels), dtype=np.uint8)
        labels, ids = np.empty(mixing.each, dtype=np.int64), np.empty(mixing.each, dtype=np.int64)
        seen, faults = 0, list[tuple[int, Fault]]()

        def fill(window: _Window, count: int) -> None:
            nonlocal seen
            while window.filled < count:
                seen += self._fill(window, min(CHUNK, count - window.filled), decode, faults)

        for row in range(mixing.each):
            epoch, number, place = mixing.window(turn + row)
            if self._now.key != (epoch, number):
                self._turn_to(epoch, number)
                fill(self._now, self._now.size)
                self._settle(self._now)
            at = self._now.order[place]
            squares[row], labels[row], ids[row] = self._now.squares[at], self._now.labels[at], self._now.ids[at]
        fill(self._next, -(-(place + 1) * self._next.size // self._now.size))
        return Answer(squares, labels, ids, seen, faults)

    def close(self) -> None:
        """Give the open shard back."""
        self._shards.close()

    def _turn_to(self, epoch: int, number: int) -> None:
        """Make a window the one that is handed out; it may have been filled already."""
        mixing = self.mixing
        self._now, self._next = self._next, self._now
        if self._now.key != (epoch, number):
            self._now.begin((epoch, number), mixing.size(number))
            self._walk = self._records(epoch, mixing.begin(number))
        following = (epoch, number + 1) if number + 1 < mixing.windows else (epoch + 1, 0)
        self._next.begin(following, mixing.size(following[1]))

    def _records(self, epoch: int, start: int) -> Iterator[tuple[int, Record]]:
        """(number, record) without end."""
        listing = self.making.listing
        while True:
            for piece, skip, rows in self.mixing.stretches(self.number, epoch, start):
                first = int(listing.starts[piece]) + skip
                for row, record in enumerate(self._shards.records(piece, skip, rows)):
                    yield first + row, record
            epoch, start = epoch + 1, 0

    def _fill(self, window: _Window, count: int, decode: Decode, faults: list[tuple[int, Fault]]) -> int:
        """Decode the next `count` pictures into a window; returns how many they were."""
        try:
            records = list(islice(self._walk, count))
            outcomes = decode(records)
        except BaseException:  # what was read is lost, and a generator that raised is at its end: begin anew next time
            self._now.begin(None, 0)
            self._next.begin(None, 0)
            raise
        for (number, _), (outcome, label) in zip(records, outcomes, strict=True):
            at = window.filled
            window.ids[at], window.labels[at] = number, label
            window.good[at] = not isinstance(outcome, Fault)
            if isinstance(outcome, Fault):
                faults.append((number, outcome))
            else:
                window.squares[at] = outcome.pixels
            window.filled += 1
        return len(records)

    def _settle(self, window: _Window) -> None:
        """The order in which a full window is handed out; the place of a bad picture gets the next good one."""
        assert window.key is not None
        order = self.mixing.shuffled(self.number, *window.key)
        good = window.good[order]
        if not good.any():
            where = self.making.listing.name(int(window.ids[0]))
            raise DataError(
                f"none of {window.size:,} pictures from {where} on can be used",
                where=self.making.listing.files.place,
                remedy="Copy or download the shard again.",
            )
        if not good.all():
            usable = np.flatnonzero(good)
            order = order[usable[np.searchsorted(usable, np.arange(len(order))) % len(usable)]]
        window.order = order


class Part:
    """Some lanes of a stream, read by one process: the work of a `Crew`, and of training that has none.

    rows: (k,) places of the whole batch that are wanted, all of them in these lanes.  threads: that decode.
    """

    def __init__(self, making: Making, mixing: Mixing, rows: NDArray[np.int64], threads: int = 1) -> None:
        self._making, self._mixing, self._threads = making, mixing, threads
        lanes, self._within = mixing.places(rows)
        self._numbers, self._of = np.unique(lanes, return_inverse=True)
        self._lanes: list[Lane] = []  # made by the process that reads
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, batch: int, slot: Slot | None = None) -> Answer:
        """The wanted pictures of batch number `batch`. slot: is told which picture is being decoded."""
        if not self._lanes:
            self._lanes = [Lane(self._making, self._mixing, number) for number in self._numbers.tolist()]
        side, channels = self._making.recipe.side, self._making.recipe.channels
        squares = np.empty((len(self._of), side, side, channels), dtype=np.uint8)
        labels, ids = np.empty(len(self._of), dtype=np.int64), np.empty(len(self._of), dtype=np.int64)
        seen, faults = 0, list[tuple[int, Fault]]()

        def decode(records: list[tuple[int, Record]]) -> list[tuple[Prepared | Fault, int]]:
            return self._decode(records, slot)

        with strict_pillow():
            for number, lane in enumerate(self._lanes):
                found = lane.take(batch * self._mixing.each, decode)
                rows = np.flatnonzero(self._of == number)
                chosen = self._within[rows]
                squares[rows], labels[rows], ids[rows] = found.squares[chosen], found.labels[chosen], found.ids[chosen]
                seen, faults = seen + found.seen, faults + found.faults
        return Answer(squares, labels, ids, seen, faults)

    def close(self) -> None:
        """Give files and threads back."""
        for lane in self._lanes:
            lane.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._lanes, self._pool = [], None

    def _decode(self, records: list[tuple[int, Record]], slot: Slot | None) -> list[tuple[Prepared | Fault, int]]:
        sizes = sum(len(record.payload) for _, record in records if isinstance(record.payload, bytes))
        if slot is None and self._threads > 1 and sizes > SMALL * len(records):  # of small ones threads have no gain
            self._pool = self._pool or ThreadPoolExecutor(self._threads, thread_name_prefix="sagan-stream")
            return list(self._pool.map(lambda one: self._making.prepared(one[1]), records))
        outcomes = []
        for number, record in records:
            if slot is not None:
                slot.begin(number)
            outcomes.append(self._making.prepared(record))
        return outcomes
