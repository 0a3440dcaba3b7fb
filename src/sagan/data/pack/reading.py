"""A pack as a source that needs no decoding.

The files of pixels are read, not mapped: a mapped file that somebody truncates, or a disk that goes away, would kill the
process instead of raising an error, and at these sizes a read costs as little. Each picture's checksum is looked at whenever
it is read.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter, OrderedDict
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.data.faults import Skipped, Unreadable
from sagan.data.found import Recipe, Scan
from sagan.data.layout import Listing
from sagan.data.pack.layout import AGAIN, Contents, Index, file_digest, pixel_file, read_contents, read_index
from sagan.disk import disk_errors
from sagan.errors import ConfigError, DataError

MOST_OPEN = 64  # files at a time


class PackSource:
    """A finished pack. Raises DataError when it is not finished, or a file of it is gone, damaged or of another size."""

    slow_at_random = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents = contents = read_contents(path)
        if len(contents.shards) != contents.made.shards:
            raise DataError("lists another number of shards than it must have", where=path, remedy=AGAIN)
        indices = [self._index(shard, contents) for shard in range(contents.made.shards)]
        labels = _joined([index.labels for index in indices], (0,), np.int64)
        if len(labels) and not (labels.min() >= -1 and labels.max() < max(1, len(contents.classes))):
            raise DataError("has labels without a class", where=path, remedy=AGAIN)
        self.listing = Listing(
            names=[name for index in indices for name in index.names],
            labels=labels,
            classes=contents.classes,
            notes=list(contents.notes),
            refused=[Skipped(*row) for row in contents.refused],
            empty_class_is_error=contents.empty_class_is_error,
        )
        self._skipped = [one for index in indices for one in index.skipped]
        self._kept = _joined([index.kept for index in indices], (0,), np.bool_)
        self._digests = _joined([index.digests for index in indices], (0, 32), np.uint8)
        self._checksums = _joined([index.checksums for index in indices], (0,), np.uint32)
        self._sizes = _joined([index.sizes for index in indices], (0, 2), np.int64)
        self._modes = [mode for index in indices for mode in index.modes]
        self._transparent = _joined([index.transparent for index in indices], (0,), np.bool_)
        self._grey = _joined([index.grey for index in indices], (0,), np.bool_)
        self._place = np.cumsum(self._kept) - 1  # of each picture of the source: its place among the usable ones
        self._first = np.cumsum([0, *(entry.kept for entry in contents.shards)])  # of each shard: its first place
        self._files = OpenFiles()

    def read(self, index: int) -> NDArray[np.uint8]:
        """See Source: the square of one picture. Raises Unreadable for one that was left out, with the old reason."""
        if not self._kept[index]:
            bad = self._reason(index)
            raise Unreadable(bad.reason_code, bad.text)
        return self.squares([index])[0]

    def squares(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """indices: (k,) of usable pictures of the source, repeats allowed -> (k, R, R, C) uint8, in that order.

        Raises DataError naming the picture whose bytes are not what was packed.
        """
        made, size = self.contents.made, self.contents.made.picture_bytes
        places = self._place[np.asarray(indices, dtype=np.int64)]
        shards = np.searchsorted(self._first, places, side="right") - 1
        squares = np.empty((len(places), size), dtype=np.uint8)
        for row in np.argsort(places, kind="stable").tolist():  # in the order of the disk
            place, shard = int(places[row]), int(shards[row])
            path = pixel_file(self.path, shard)
            with disk_errors(path):
                count = self._files.read_into(path, (place - int(self._first[shard])) * size, squares[row])
            if count != size or zlib.crc32(squares[row]) != self._checksums[place]:
                name = self.listing.names[int(np.flatnonzero(self._place == place)[0])]
                raise DataError(f"{name} is not what was packed", where=path, remedy=AGAIN)
        return squares.reshape(len(places), made.resolution, made.resolution, made.channels)

    def scanned(self, wanted: NDArray[np.int64], recipe: Recipe) -> Scan:
        """What `sagan.data.scan.scan` would find, without looking at a picture. ConfigError for another recipe."""
        self._need(recipe)
        kept = wanted[self._kept[wanted]]
        places = self._place[kept]
        return Scan(
            kept=kept,
            pixels=None,
            digests=self._digests[places],
            skipped=[self._reason(index) for index in wanted[~self._kept[wanted]].tolist()],
            sizes=Counter(map(tuple, self._sizes[places].tolist())),
            modes=Counter(self._modes[place] for place in places.tolist()),
            enlarged=int((self._sizes[places].min(axis=1, initial=2**31) < recipe.side).sum()),
            transparent=int(self._transparent[places].sum()),
            grey=int(self._grey[places].sum()),
        )

    def checked(self) -> list[tuple[str, bool]]:
        """Each file of pixels by name, and whether every byte of it is as it was written."""
        made = self.contents.made
        return [
            (
                pixel_file(self.path, shard).name,
                file_digest(pixel_file(self.path, shard), entry.kept * made.picture_bytes) == entry.pixels,
            )
            for shard, entry in enumerate(self.contents.shards)
        ]

    def close(self) -> None:
        """Give the file handles back."""
        self._files.close()

    def _index(self, shard: int, contents: Contents) -> Index:
        made, entry = contents.made, contents.shards[shard]
        index, digest = read_index(self.path, shard, made.span(shard))
        path = pixel_file(self.path, shard)
        with disk_errors(path):
            size = path.stat().st_size if path.is_file() else -1
        if digest != entry.index or int(index.kept.sum()) != entry.kept:
            raise DataError(f"shard {shard} has another index than was packed", where=self.path, remedy=AGAIN)
        if size != entry.kept * made.picture_bytes:
            found = "is gone" if size < 0 else f"has {size:,} bytes, not {entry.kept * made.picture_bytes:,}"
            raise DataError(found, where=path, remedy=AGAIN)
        return index

    def _reason(self, index: int) -> Skipped:
        """Why a picture of the source was left out."""
        return self._skipped[index - int(self._place[index]) - 1]

    def _need(self, recipe: Recipe) -> None:
        made = self.contents.made
        if made.recipe() == recipe:
            return
        wrong = {
            "--resolution": (made.resolution, recipe.side),
            "--channels": (made.channels, recipe.channels),
            "--fit": (made.fit, recipe.fit),
            "--background": (
                "#{:02x}{:02x}{:02x}".format(*made.background),
                "#{:02x}{:02x}{:02x}".format(*recipe.background),
            ),
        }
        said = [(option, has, asked) for option, (has, asked) in wrong.items() if has != asked]
        raise ConfigError(
            "was packed with " + ", ".join(f"{option} {has} where {asked} is asked for" for option, has, asked in said),
            where=self.path,
            remedy=f"Train with {' '.join(f'{option} {has}' for option, has, _ in said)}, or pack the pictures again.",
        )


class OpenFiles:
    """The files that were read last, open. Safe with threads; after a fork or a copy each process opens its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = os.getpid()
        self._open: OrderedDict[Path, FileIO] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        OpenFiles.__init__(self)

    def read_into(self, path: Path, offset: int, target: NDArray[np.uint8]) -> int:
        """Fill `target` (n,) from an offset; how many bytes there were. Raises OSError."""
        with self._lock:
            if self._owner != os.getpid():  # a position in a file that is shared with the parent would be moved by both
                self._owner, self._open = os.getpid(), OrderedDict()
            file = self._open.pop(path, None) or FileIO(path)
            self._open[path] = file
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            file.seek(offset)
            view, done = target.data, 0
            while done < len(view) and (count := file.readinto(view[done:])):
                done += count
            return done

    def close(self) -> None:
        """Close all."""
        with self._lock:
            if self._owner == os.getpid():
                for file in self._open.values():
                    file.close()
            self._open.clear()


def _joined(parts: list[Any], empty: tuple[int, ...], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(empty, dtype=kind)
