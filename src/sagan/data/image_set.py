"""A set of pictures ready for training: squares of one size, labels, and a fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.faults import Fault, Skipped
from sagan.data.found import Recipe
from sagan.data.pack.reading import PackSource
from sagan.data.scan import read_pictures
from sagan.data.sources import Source
from sagan.errors import DataError


@dataclass(frozen=True)
class Facts:
    """The pictures before they were made square. sizes: (width, height) -> count.  modes: mode -> count."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class ImageSet:
    """Square pictures with labels.

    channels: 1 grey, 3 RGB, 4 RGB with alpha.
    classes: names, () when the set is used without labels.  labels: (n,) int64, zeros then.
    fingerprint: SHA-256 (hex) of the pictures' names, bytes and classes; the same wherever the set lies and however it
    is packed.  skipped: what was left out, with reasons.  moved: those of them that are in quarantine now, name -> name
    there.  names: one a picture.  notes: what a person should know.
    digests: (n, 32) uint8, SHA-256 of each picture's bytes.
    """

    name: str
    resolution: int
    channels: int = 3
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    fingerprint: str
    digests: NDArray[np.uint8]
    skipped: list[Skipped] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    notes: list[str] = field(default_factory=list)
    threads: int = 2
    _pixels: NDArray[np.uint8] | None = None
    _source: Source | None = None
    _kept: NDArray[np.int64] | None = None
    _recipe: Recipe | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def total(self) -> int:
        """Pictures that training has; more than are here where this is the sample of a stream."""
        return len(self)

    @property
    def in_memory(self) -> bool:
        """Whether the decoded pictures are all held in memory."""
        return self._pixels is not None

    @property
    def decoded(self) -> bool:
        """Whether a picture costs no decoding: it is held in memory, or read from a pack."""
        return self.in_memory or isinstance(self._source, PackSource)

    def where(self, index: int) -> Path | str:
        """The place of one picture, for messages."""
        return self.names[index] if self._source is None else self._source.path / self.names[index]

    def name_of(self, index: int) -> str:
        """One picture by its number, as batches have it."""
        return self.names[index]

    def class_counts(self) -> tuple[int, ...]:
        """How many pictures each class has, in the order of `classes`, each at least 1; () without classes."""
        if not self.classes:
            return ()
        return tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist())

    def pictures(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """indices: (k,) in 0..n-1, repeats allowed -> (k, R, R, C) uint8, a fresh array that the caller may change.

        Raises DataError when a picture on the disk is gone or differs from what it was when the set was opened.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if self._pixels is not None:
            return np.take(self._pixels, wanted, axis=0)
        assert self._source is not None and self._kept is not None and self._recipe is not None
        if isinstance(self._source, PackSource):
            return self._source.squares(self._kept[wanted])
        found = read_pictures(self._source, self._kept[wanted].tolist(), self._recipe, self.threads)
        squares = np.empty((len(wanted), self.resolution, self.resolution, self.channels), dtype=np.uint8)
        for row, (index, outcome) in enumerate(zip(wanted.tolist(), found, strict=True)):
            fault = outcome if isinstance(outcome, Fault) else None
            if not isinstance(outcome, Fault):
                squares[row] = outcome.pixels
                if outcome.digest != self.digests[index].tobytes():
                    fault = Fault("broken", "is not the picture that it was")
            if fault is not None:
                raise DataError(
                    f"changed since the set was opened: now it {fault.text}",
                    where=self.where(index),
                    remedy="Put the picture back; or, if the change is meant, start a new run.",
                )
        return squares

    def close(self) -> None:
        """Give file handles back."""
        if self._source is not None:
            self._source.close()
