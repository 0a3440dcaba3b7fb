"""Parquet and Arrow shards in the Hugging Face image layout: a column of pictures and maybe one of labels.

https://arrow.apache.org/docs/format/Columnar.html ("Encapsulated message format"): an Arrow file is a row of messages, each a
flatbuffer with the length of the body behind it. They are followed here message by message, so that record batches are found
without reading them, whether the file has the footer of the file format or, as those that `datasets` writes, has not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from sagan.data.decode import MAX_BYTES
from sagan.data.faults import Fault
from sagan.data.sources.parquet import IMAGE_COLUMNS, LABEL_COLUMNS, class_names, find_column, is_picture_type
from sagan.data.stream.shard import Damaged, Found, Piece, Record, label_of
from sagan.errors import DataError, ResourceError

ROWS = 32  # that are turned into Python's objects together
ARROW1, AGAIN, NO_MORE = b"ARROW1\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\0\0\0\0"
SCHEMA, DICTIONARY, BATCH = 1, 2, 3
MOST_METADATA = 64 << 20
MOST_ROWS = 1 << 28  # in a piece


class _Columns:
    """Which columns are wanted, by a schema. Raises DataError where there is no column of pictures."""

    def __init__(self, schema: Any, where: str) -> None:
        picture = find_column(schema.names, IMAGE_COLUMNS)
        if picture is None:
            raise DataError(
                f"has no picture column; its columns are {', '.join(schema.names[:10])}",
                where=where,
                remedy=f"Name the column of pictures {' or '.join(IMAGE_COLUMNS[:2])}.",
            )
        if not is_picture_type(schema.field(picture).type):
            raise DataError(
                f"column {picture} has the type {str(schema.field(picture).type)[:60]}, not bytes or a struct of bytes "
                "and path",
                where=where,
                remedy="Write it in the Hugging Face image layout.",
            )
        self.picture = picture
        self.label = find_column(schema.names, LABEL_COLUMNS)
        self.names = class_names(schema.metadata, self.label)
        self.wanted = [picture, *([self.label] if self.label else [])]

    def records(self, batch: Any, skip: int) -> Iterator[Record]:
        """The records of a batch, a few at a time."""
        for start in range(skip, batch.num_rows, ROWS):
            part = batch.slice(start, ROWS)
            pictures = part.column(part.schema.get_field_index(self.picture))
            labels = part.column(part.schema.get_field_index(self.label)).to_pylist() if self.label else None
            for row in range(part.num_rows):
                label = None if labels is None else label_of(labels[row])
                yield Record(_payload(pictures[row]), label)

    def labels_of(self, column: Any) -> set[Any]:
        """The different labels of a column."""
        return {label_of(value) for value in column.unique().to_pylist()}


class _Watched:
    """A file for pyarrow, which raises OSError for damaged data too: remembers whether it was the file that failed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failed: Exception | None = None

    @property
    def closed(self) -> bool:
        """Whether it is."""
        return self._file.closed

    def read(self, count: int = -1) -> bytes:
        """Some bytes."""
        try:
            return self._file.read(count)
        except Exception as error:
            self._failed = error
            raise

    def seek(self, place: int, whence: int = 0) -> int:
        """Go on elsewhere."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._file.tell()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    @contextmanager
    def faults(self, words: str) -> Iterator[None]:
        """Inside, an error of pyarrow's is Damaged, with these words, unless the file failed: then it is the file's."""
        try:
            yield
        except (ValueError, OSError) as error:
            if self._failed is not None:
                raise self._failed from None
            raise Damaged(f"{words} ({' '.join(str(error).split())[:80]})") from None


class ParquetShard:
    """One Parquet file. Its pieces are its row groups."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        parquet = _pyarrow("parquet", where)
        self._source = _Watched(file)
        with self._source.faults("is not a whole Parquet file"):
            self._file = parquet.ParquetFile(self._source, pre_buffer=False)
        self._columns = _Columns(self._file.schema_arrow, where)

    def found(self) -> Found:
        """See Reader. The label column is read where the file does not tell the names of the classes."""
        columns, pieces, labels = self._columns, list[Piece](), set[Any]()
        places = [number for number, name in enumerate(self._leaves()) if name.split(".")[0] == columns.picture]
        for group in range(self._file.num_row_groups):
            about = self._file.metadata.row_group(group)
            if not 0 <= about.num_rows <= MOST_ROWS:
                raise Damaged(f"has a row group of {about.num_rows:,} rows")
            size = sum(about.column(place).total_compressed_size for place in places)
            pieces.append(Piece(about.num_rows, (group, 0), size))
            if columns.label and not columns.names:
                with self._source.faults(f"has a damaged column {columns.label}"):
                    table = self._file.read_row_group(group, columns=[columns.label], use_threads=False)
                labels |= columns.labels_of(table.column(0))
        return Found(pieces, columns.names, labels)

    def records(self, piece: Piece, skip: int) -> Iterator[Record]:
        """See Reader."""
        with self._source.faults("lies in a damaged part of the Parquet file"):
            batches = self._file.iter_batches(
                batch_size=ROWS, row_groups=[piece.place[0]], columns=self._columns.wanted, use_threads=False
            )
            for batch in batches:
                if skip < batch.num_rows:
                    yield from self._columns.records(batch, skip)
                skip = max(0, skip - batch.num_rows)

    def close(self) -> None:
        """See Reader."""
        self._file.close(force=True)
        self._source.close()

    def _leaves(self) -> list[str]:
        schema = self._file.schema
        return [schema.column(place).path for place in range(len(schema))]


class ArrowShard:
    """One Arrow file, with a footer or without. Its pieces are its record batches."""

    def __init__(self, file: BinaryIO, where: str, size: int) -> None:
        self._arrow = _pyarrow("ipc", where)
        self._file, self._size = file, size
        self._start = len(ARROW1) if file.read(len(ARROW1)) == ARROW1 else 0
        kind, _, end, _ = self._message(self._start)
        if kind != SCHEMA:
            raise Damaged("does not begin as an Arrow file does")
        self._after = end
        try:
            self._schema = self._arrow.open_stream(self._bytes(self._start, end) + NO_MORE).schema
        except (ValueError, OSError) as error:
            raise Damaged(f"has a schema that cannot be read ({str(error)[:60]})") from None
        self._columns = _Columns(self._schema, where)

    def found(self) -> Found:
        """See Reader. The batches are read whole where the file does not tell the names of the classes."""
        columns, pieces, labels, place = self._columns, list[Piece](), set[Any](), self._after
        while place < self._size:
            kind, rows, end, last = self._message(place)
            if last:
                break
            if kind == DICTIONARY:
                raise Damaged("has a dictionary column, which streams do not read")
            if kind == BATCH:
                pieces.append(Piece(rows, (place, end - place), end - place))
                if columns.label and not columns.names:
                    batch = self._batch(place, end - place)
                    labels |= columns.labels_of(batch.column(batch.schema.get_field_index(columns.label)))
            place = end
        return Found(pieces, columns.names, labels)

    def records(self, piece: Piece, skip: int) -> Iterator[Record]:
        """See Reader."""
        yield from self._columns.records(self._batch(*piece.place), skip)

    def close(self) -> None:
        """See Reader."""
        self._file.close()

    def _batch(self, place: int, size: int) -> Any:
        data = self._bytes(place, place + size)
        try:
            batch = self._arrow.read_record_batch(self._arrow.read_message(data), self._schema)
            batch.validate(full=True)  # or offsets in it could point anywhere
        except (ValueError, OSError) as error:
            raise Damaged(f"lies in a damaged part of the Arrow file ({str(error)[:60]})") from None
        return batch

    def _message(self, place: int) -> tuple[int, int, int, bool]:
        """The message at a place -> (its kind, its rows, where the next one begins, whether there is none)."""
        head = self._bytes(place, place + 8)
        length = int.from_bytes(head[4:8], "little", signed=True)
        if head[:4] != AGAIN or not 0 <= length <= MOST_METADATA:
            raise Damaged("is not an Arrow file, or one of before 2019")
        if length == 0:
            return 0, 0, place + 8, True
        try:
            kind, rows, body = _envelope(self._bytes(place + 8, place + 8 + length))
        except (struct.error, IndexError):
            raise Damaged("has a message that cannot be read") from None
        end = place + 8 + length + body
        if body < 0 or not 0 <= rows <= MOST_ROWS or end > self._size:
            raise Damaged("ends too early")
        return kind, rows, end, False

    def _bytes(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(end - start)
        if len(data) != end - start:
            raise Damaged("ends too early")
        return data


def _envelope(buffer: bytes) -> tuple[int, int, int]:
    """An Arrow message's flatbuffer -> (kind of header, rows of a record batch or 0, bytes of the body)."""

    def number(kind: str, place: int) -> int:
        if place < 0:
            raise IndexError
        return int(struct.unpack_from(f"<{kind}", buffer, place)[0])

    def place_of(table: int, slot: int) -> int:
        """Where a field of a table lies; 0 when it has its default, which is 0 for all that are looked at."""
        fields = table - number("i", table)
        offset = number("H", fields + 4 + 2 * slot) if 4 + 2 * slot < number("H", fields) else 0
        return table + offset if offset else 0

    message = number("I", 0)
    kind_at, header_at, body_at = (place_of(message, slot) for slot in (1, 2, 3))
    kind = number("B", kind_at) if kind_at else 0
    body = number("q", body_at) if body_at else 0
    rows_at = place_of(header_at + number("I", header_at), 0) if kind == BATCH and header_at else 0
    return kind, number("q", rows_at) if rows_at else 0, body


def _payload(cell: Any) -> bytes | Fault:
    try:
        value = cell.as_py()
    except ValueError:  # a text that is not UTF-8
        return Fault("broken", "has a path that is not text")
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        return Fault("no-bytes", "has no bytes in the shard")
    if len(content) > MAX_BYTES:
        return Fault("too-large", f"has {len(content) / 2**20:.0f} MiB, more than {MAX_BYTES / 2**20:.0f}")
    return content


def _pyarrow(part: str, where: str) -> Any:
    try:
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise ResourceError(
            "reading Parquet and Arrow needs pyarrow, which is not installed",
            where=where,
            remedy="Install the extra: pip install 'sagan-torch[stream]'.",
        ) from None
    return getattr(pyarrow, part)
