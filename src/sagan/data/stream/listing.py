"""What a stream consists of: its shards and their pieces, counted before anything is trained. No picture is read for it.

Parquet and Arrow files say how many rows they have; of a tar the headers are followed. What is kept is a few numbers for each
piece of some dozens or thousands of pictures, so memory does not grow with the pictures.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from sagan.data.faults import Fault
from sagan.data.stream.columns import ArrowShard, ParquetShard
from sagan.data.stream.files import Files, find_files, reason
from sagan.data.stream.shard import Damaged, Found, Label, Piece, Reader, Record
from sagan.data.stream.tar import TarShard
from sagan.errors import DataError, PeerError, SaganError

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each further try to reach a place that does not answer
CONNECTIONS = 16  # while a remote stream is listed
MOST_CLASSES = 100_000

Result = TypeVar("Result")
Progress = Callable[[int, int], None]


class StreamListing:
    """The pieces of a stream. Pictures have the numbers 0, 1, ... in the order of shards and records.

    starts: (pieces + 1,) int64, the number of each piece's first picture, and of all.
    classes: names; () where the shards have no labels.  labelled: whether they have any.
    fingerprint: SHA-256 (hex) over the shards' names, sizes and pieces, not over the pictures.
    """

    def __init__(self, files: Files, found: list[Found]) -> None:
        self.files = files
        pieces = [piece for one in found for piece in one.pieces]
        self._shards = np.repeat(np.arange(len(found)), [len(one.pieces) for one in found])
        self._places = np.array([piece.place for piece in pieces], dtype=np.int64).reshape(-1, 2)
        self.rows = np.array([piece.rows for piece in pieces], dtype=np.int64)
        self.sizes = np.array([piece.size for piece in pieces], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.rows)])
        self.classes, self._numbers = _classes(found, files.place)
        self.fingerprint = _fingerprint(files, found, self.classes)
        self._first = self.starts[np.searchsorted(self._shards, np.arange(len(found) + 1))]  # picture of each shard

    @property
    def pictures(self) -> int:
        """How many there are."""
        return int(self.starts[-1])

    @property
    def size(self) -> int:
        """Bytes of all pieces, about."""
        return int(self.sizes.sum())

    def name(self, picture: int) -> str:
        """'train-00003.parquet#17': the shard and the place in it."""
        shard = int(np.searchsorted(self._first, picture, side="right")) - 1
        return f"{self.files.shards[shard].name}#{picture - int(self._first[shard])}"

    def label(self, value: Label) -> int | None:
        """The class of a record, or None where it has none."""
        return None if value is None else self._numbers.get(value)

    def piece(self, number: int) -> tuple[int, Piece]:
        """-> (its shard, how to read it)."""
        first, second = self._places[number].tolist()
        return int(self._shards[number]), Piece(int(self.rows[number]), (first, second), int(self.sizes[number]))


class Shards:
    """Reads pieces one after another, and keeps the shard that was read last open. For one lane of one process."""

    def __init__(self, listing: StreamListing) -> None:
        self._listing = listing
        self._shard = -1
        self._reader: Reader | None = None

    def records(self, piece: int, skip: int, count: int) -> Iterator[Record]:
        """`count` records of a piece after the first `skip`. What lies in a damaged part has that for its fault.

        A place that does not answer is tried again for half a minute. Raises PeerError when it still does not.
        """
        shard, about = self._listing.piece(piece)
        files, done, tries, damages = self._listing.files, 0, 0, 0
        while done < count:
            try:
                for record in islice(self._opened(shard).records(about, skip + done), count - done):
                    done, tries = done + 1, 0
                    yield record
                if done < count:
                    raise Damaged("has fewer pictures than it had")
            except Damaged as damage:
                self.close()
                damages += 1
                if not files.remote or damages > 2:  # a connection that breaks off may look like it
                    fault = Fault("broken", str(damage))
                    yield from (Record(fault, None) for _ in range(count - done))
                    return
            except Exception as error:
                self.close()
                pause_or_give_up(error, tries, files, shard)
                tries += 1

    def close(self) -> None:
        """Give the open shard back."""
        if self._reader is not None:
            _close(self._reader)
        self._shard, self._reader = -1, None

    def _opened(self, shard: int) -> Reader:
        if self._reader is None or self._shard != shard:
            self.close()
            self._shard, self._reader = shard, open_shard(self._listing.files, shard)
        return self._reader


def list_stream(data: str, progress: Progress | None = None) -> StreamListing:
    """List the stream that `data` ("stream:...") names. progress: called as progress(shards done, shards).

    Raises DataError for a shard that is damaged, or when there is no picture; PeerError when a place does not answer.
    """
    files = find_files(data)

    def look(shard: int) -> Found:
        def once() -> Found:
            reader = open_shard(files, shard)
            try:
                return reader.found()
            finally:
                _close(reader)

        try:
            return patiently(once, files, shard)
        except Damaged as damage:
            raise DataError(str(damage), where=files.where(shard), remedy="Copy or download it again.") from None

    found = list[Found]()
    with ThreadPoolExecutor(CONNECTIONS if files.remote else 1, thread_name_prefix="sagan-list") as pool:
        for one in pool.map(look, range(len(files.shards))):
            found.append(one)
            if progress is not None:
                progress(len(found), len(files.shards))
    listing = StreamListing(files, found)
    if not listing.pictures:
        raise DataError("holds no picture", where=files.place, remedy="Give other shards.")
    return listing


def open_shard(files: Files, shard: int) -> Reader:
    """A shard, open. Raises Damaged; DataError for a file without a column of pictures; OSError and others."""
    file, where = files.open(shard), files.where(shard)
    try:
        if files.kind == "parquet":
            return ParquetShard(file, where)
        size = files.shards[shard].size or file.seek(0, 2)
        file.seek(0)
        return ArrowShard(file, where, size) if files.kind == "arrow" else TarShard(file, size)
    except BaseException:
        file.close()
        raise


def patiently(work: Callable[[], Result], files: Files, shard: int) -> Result:
    """What `work()` returns, tried again while the place of a shard does not answer. Raises PeerError in the end."""
    tries = 0
    while True:
        try:
            return work()
        except (SaganError, Damaged):
            raise
        except Exception as error:
            pause_or_give_up(error, tries, files, shard)
            tries += 1


def pause_or_give_up(error: Exception, tries: int, files: Files, shard: int) -> None:
    """Wait before another try to read a shard. Raises PeerError after the last; what is no trouble of reading unchanged."""
    if isinstance(error, (SaganError, MemoryError)) or not (files.remote or isinstance(error, OSError)):
        raise error
    if tries >= len(PAUSES):
        raise PeerError(
            f"cannot be read, tried {tries + 1} times ({reason(error)})",
            where=files.where(shard),
            remedy="Start the same command again when it can be reached: the run goes on from its last checkpoint.",
        ) from None
    time.sleep(PAUSES[tries])


def _close(reader: Reader) -> None:
    try:
        reader.close()
    except Exception:  # of a connection that is gone: there is nothing left to close
        pass


def _classes(found: list[Found], where: str) -> tuple[tuple[str, ...], dict[Label, int]]:
    """-> (class names, label -> class). The names that the files tell, or the labels that occur, numbers before words."""
    named = {one.names for one in found if one.names}
    if len(named) > 1:
        raise DataError("has shards with different names of classes", where=where, remedy="Stream them separately.")
    if named:
        names = named.pop()
        return names, {number: number for number in range(len(names))}
    labels = {label for one in found for label in one.labels} - {None}
    if len(labels) > MOST_CLASSES:
        raise DataError(
            f"has {len(labels):,} different labels, more than {MOST_CLASSES:,}",
            where=where,
            remedy="Train without classes, by --cond off.",
        )
    numbers = sorted(label for label in labels if isinstance(label, int))
    ordered: list[Label] = [*numbers, *sorted(label for label in labels if isinstance(label, str))]
    return tuple(map(str, ordered)), {label: number for number, label in enumerate(ordered)}


def _fingerprint(files: Files, found: list[Found], classes: tuple[str, ...]) -> str:
    total = hashlib.sha256(b"sagan-stream-1")

    def add(*words: object) -> None:
        text = "\0".join(map(str, words)).encode("utf-8", "surrogateescape")
        total.update(len(text).to_bytes(8, "little") + text)

    add(files.kind, *classes)
    for shard, one in zip(files.shards, found, strict=True):
        add(shard.name, len(one.pieces))
        total.update(np.array([(p.rows, *p.place, p.size) for p in one.pieces], dtype="<i8").tobytes())
    return total.hexdigest()
