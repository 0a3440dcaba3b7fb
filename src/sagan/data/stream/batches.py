"""Endless batches of a stream, of which this process takes its share; positions and promises are those of `Batches`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from sagan.data.batches import Batch
from sagan.data.stream.lane import Answer, Making, Part
from sagan.data.stream.mixing import Mixing
from sagan.data.stream.opening import StreamedSet
from sagan.data.workers import AHEAD, Crew, Losses, WorkerLost
from sagan.randomness import Stream, uniform


class StreamBatches:
    """Iterate over batches of a stream for ever.

    parts: of gradient accumulation.  window: pictures that are mixed with each other.  workers: processes that read and
    decode, each its own lanes.  The rest: see `Batches`; positions are multiples of the batch size.
    Raises DataError when more pictures cannot be used than the set allows; PeerError when a place does not answer.
    """

    def __init__(
        self,
        images: StreamedSet,
        *,
        batch_size: int,
        seed: int,
        window: int,
        parts: int = 1,
        position: int = 0,
        workers: int = 0,
        mirror: bool = False,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.images, self.batch_size, self.seed, self.mirror = images, batch_size, seed, mirror
        self.rows = np.arange(batch_size) if rows is None else rows
        self.mixing = Mixing(images.listing.rows, seed, batch_size, parts, window)
        making = Making(images.listing, images.recipe, bool(images.classes))
        lanes, _ = self.mixing.places(self.rows)
        used = np.unique(lanes)
        processes = min(workers, len(used))
        hands = np.searchsorted(used, lanes) % max(1, processes)  # lanes are dealt to the processes in turn
        self._rows_of = [np.flatnonzero(hands == number) for number in range(max(1, processes))]
        self._parts = [Part(making, self.mixing, self.rows[rows], images.threads) for rows in self._rows_of]
        self._crew: Crew | None = None
        self._alone = not processes
        self._asked = position // batch_size
        self._position = position
        self._losses = Losses()

    @property
    def position(self) -> int:
        """Pictures handed out so far; what was read ahead does not count."""
        return self._position

    def seek(self, position: int) -> None:
        """Go on from another position, as a run that goes back does."""
        self.close()
        self._position = position

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        number = self._position // self.batch_size
        answers = [self._parts[0](number)] if self._alone else self._from_crew(number)
        squares = np.empty((len(self.rows), *answers[0].squares.shape[1:]), dtype=np.uint8)
        labels, ids = np.empty(len(self.rows), dtype=np.int64), np.empty(len(self.rows), dtype=np.int64)
        for rows, answer in zip(self._rows_of, answers, strict=True):
            squares[rows], labels[rows], ids[rows] = answer.squares, answer.labels, answer.ids
            self.images.tally(answer.seen, answer.faults)
        if self.mirror:
            chance = uniform(self.seed, Stream.MIRROR, self._position + self.rows, 1)[:, 0]
            turned = np.flatnonzero(chance < 0.5)
            squares[turned] = squares[turned][:, :, ::-1]
        self._position += self.batch_size
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)  # channels_last, without a copy
        return Batch(pixels, torch.from_numpy(labels), torch.from_numpy(ids))

    def close(self) -> None:
        """End the processes and give the files back."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None
        for part in self._parts:
            part.close()

    def __enter__(self) -> StreamBatches:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _from_crew(self, number: int) -> list[Answer]:
        """The answers of all processes, which are replaced at this very place when one of them is lost."""
        while True:
            try:
                if self._crew is None:
                    self._crew, self._asked = Crew(self._parts), number
                    for _ in range(AHEAD):
                        self._ask()
                answers: list[Answer] = [self._crew.answer(hand) for hand in range(len(self._parts))]
            except WorkerLost as loss:
                self.close()
                self._losses.suspect(loss, self.images.where, self._position)
                continue
            except BaseException:
                self.close()
                raise
            self._ask()
            self._losses.forgive(np.concatenate([answer.ids for answer in answers]).tolist())
            return answers

    def _ask(self) -> None:
        assert self._crew is not None
        for hand in range(len(self._parts)):
            self._crew.ask(hand, self._asked)
        self._asked += 1
