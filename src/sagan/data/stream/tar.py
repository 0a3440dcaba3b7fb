"""Tar shards as WebDataset lays them out: members of one name but for its ending, one after another, are one sample.

    00017.jpg  00017.cls  00017.json        https://github.com/webdataset/webdataset

The ending begins at the first dot of the last part. A sample's picture is its first member that a picture's name has; its class
the text of its member .cls, a number or a word. What else it has is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from sagan.data.decode import SUFFIXES
from sagan.data.faults import Fault
from sagan.data.layout import is_junk
from sagan.data.sources.archive import fault_of_size
from sagan.data.sources.tar_format import BLOCK, FILES, Forward, TarEntry, TarFault, read_entries
from sagan.data.stream.shard import Damaged, Found, Label, Piece, Record, label_of

ROWS, BYTES = 64, 8 << 20  # a piece ends at whichever comes first
MOST_LABEL = 4096  # bytes of a .cls member


class _Sample(NamedTuple):
    """start, end: where its members lie in the tar.  payload: None when it was not asked for."""

    start: int
    end: int
    payload: bytes | Fault | None
    label: Label


class TarShard:
    """One plain tar. Its pieces are stretches of some samples."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def found(self) -> Found:
        """See Reader. Follows the headers; of the contents only the classes are read."""
        pieces, labels = list[Piece](), set[Any]()
        rows, start = 0, 0
        for sample in self._samples(0, wanted=False):
            labels.add(sample.label)
            start = sample.start if not rows else start
            rows += 1
            if rows == ROWS or sample.end - start >= BYTES:
                pieces.append(Piece(rows, (start, sample.end), sample.end - start))
                rows = 0
        if rows:
            pieces.append(Piece(rows, (start, sample.end), sample.end - start))
        return Found(pieces, labels=labels if labels != {None} else set())

    def records(self, piece: Piece, skip: int) -> Iterator[Record]:
        """See Reader."""
        samples = self._samples(piece.place[0], wanted=True)
        for _ in range(piece.rows):
            sample = next(samples, None)
            if sample is None:
                raise Damaged("is no longer whole in the tar")
            if skip:
                skip -= 1
                continue
            assert sample.payload is not None
            yield Record(sample.payload, sample.label)

    def close(self) -> None:
        """See Reader."""
        self._file.close()

    def _samples(self, place: int, *, wanted: bool) -> Iterator[_Sample]:
        """Every sample with a picture, from a header on."""
        self._file.seek(0)
        stream = Forward(self._file, self._size, lambda position: None)
        try:
            stream.skip_to(place)
            key, start, end = None, place, place
            payload: bytes | Fault | None = None
            label: Label = None
            seen = False
            for entry in read_entries(stream):
                if is_junk(entry.name.removeprefix("./").rstrip("/")):
                    end = _end(entry)
                    continue
                name = _key(entry.name)
                if name != key:
                    if seen:
                        yield _Sample(start, end, payload, label)
                    key, start, payload, label, seen = name, end, None, None, False
                if _is_picture(entry) and not seen:
                    seen, payload = True, _content(stream, entry) if wanted else None
                elif entry.name.endswith(".cls") and entry.kind in FILES:
                    label = label_of(stream.read(min(entry.size, MOST_LABEL)))
                end = _end(entry)
            if seen:
                yield _Sample(start, end, payload, label)
        except (TarFault, EOFError) as error:
            raise Damaged(f"is not a whole tar file ({str(error)[:80]})") from None


def _key(name: str) -> str:
    """The name without its ending: 'cats/00017' for 'cats/00017.seg.png'."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.split(".", 1)[0]


def _is_picture(entry: TarEntry) -> bool:
    suffix = PurePosixPath(entry.name).suffix.lower()
    return suffix in SUFFIXES and not entry.is_folder


def _end(entry: TarEntry) -> int:
    """Where the next header may begin."""
    return entry.offset + -(-entry.size // BLOCK) * BLOCK


def _content(stream: Forward, entry: TarEntry) -> bytes | Fault:
    if entry.sparse:
        return Fault("sparse", "is stored with holes (sparse)")
    if entry.kind not in FILES:
        return Fault("not-a-file", "is a link" if entry.kind in b"12" else "is not an ordinary file")
    return fault_of_size(entry.size) or stream.read(entry.size)
