"""Parquet files in the Hugging Face image layout: a struct of bytes and path, and maybe a label.

https://huggingface.co/docs/datasets/image_dataset: the column is `image` or `img`, the class names of a ClassLabel are
in the schema's metadata under `huggingface`.
"""

from __future__ import annotations

import bisect
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.data.faults import Unreadable
from sagan.data.layout import NO_CLASS, Listing
from sagan.data.sources.base import Handles, Payload
from sagan.data.sources.folder import read_regular
from sagan.errors import DataError, ResourceError

IMAGE_COLUMNS = ("image", "img", "picture", "photo")
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "category", "target")
BLOCKS_KEPT = 3
SPLIT_PREFIXES = ("test", "validation", "valid", "val")


def training_shards(shards: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Of train-*.parquet and test-*.parquet side by side only the former, with a note. -> (shards, notes)."""
    other = [shard for shard in shards if shard.name.lower().startswith(SPLIT_PREFIXES)]
    kept = [shard for shard in shards if shard not in other]
    if not other or not kept:
        return list(shards), []
    return kept, [f"{len(other)} Parquet files of other parts of the set (such as {other[0].name}) are not used."]


class ParquetSource:
    """One Parquet file, or several with the same columns, one after another."""

    slow_at_random = True

    def __init__(self, path: Path, shards: Sequence[Path]) -> None:
        self.path = path
        self._shards = list(shards)
        self._handles = Handles()
        self._lock = threading.RLock()
        self._blocks: OrderedDict[tuple[int, int], Any] = OrderedDict()
        schema = self._file(0).schema_arrow
        self._column = find_column(schema.names, IMAGE_COLUMNS)
        if self._column is None:
            raise DataError(
                f"has no picture column; its columns are {', '.join(schema.names[:10])}",
                where=shards[0],
                remedy=f"Name the column of pictures {' or '.join(IMAGE_COLUMNS[:2])}.",
            )
        _check_type(schema.field(self._column).type, self._column, shards[0])
        self._label_column = find_column(schema.names, LABEL_COLUMNS)
        self._starts, self._places, names = self._index()
        self.listing = self._list(names, class_names(schema.metadata, self._label_column))

    def read(self, index: int) -> Payload:
        """See Source."""
        block = bisect.bisect_right(self._starts, index) - 1
        cell = _value(self._block(self._places[block])[index - self._starts[block]])
        content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if isinstance(content, str):
            content, path = None, content
        if content is not None:
            return bytes(content)
        if not path:
            raise Unreadable("no-bytes", "is empty in the Parquet file")
        return self._read_beside(str(path), self._places[block][0])

    def close(self) -> None:
        """See Source."""
        self._blocks.clear()
        self._handles.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_blocks": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def _file(self, shard: int) -> Any:
        return self._handles.get_or_open(lambda: _open(self._shards[shard]), shard)

    def _index(self) -> tuple[list[int], list[tuple[int, int]], list[str]]:
        """-> (first row of each block, its (shard, row group), a name for each row)."""
        starts: list[int] = []
        places: list[tuple[int, int]] = []
        names: list[str] = []
        for shard, path in enumerate(self._shards):
            file = self._file(shard)
            if self._column not in file.schema_arrow.names:
                raise DataError(
                    f"has no column {self._column}", where=path, remedy="Keep one kind of file in a folder."
                )
            row = 0
            for group in range(file.num_row_groups):
                starts.append(len(names))
                places.append((shard, group))
                rows = file.metadata.row_group(group).num_rows
                names.extend(f"{path.name}#{row + offset}" for offset in range(rows))
                row += rows
        return starts, places, names

    def _block(self, place: tuple[int, int]) -> Any:
        """The picture column of one row group; the last few are kept, since threads run a little apart."""
        with self._lock:
            if place not in self._blocks:
                try:
                    table = self._file(place[0]).read_row_group(place[1], columns=[self._column], use_threads=False)
                except (OSError, ValueError) as error:  # pyarrow's own errors are children of these two
                    raise Unreadable(
                        "broken", f"lies in a damaged part of the Parquet file ({str(error)[:60]})"
                    ) from None
                self._blocks[place] = table.column(0)
                while len(self._blocks) > BLOCKS_KEPT:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(place)
            return self._blocks[place]

    def _read_beside(self, name: str, shard: int) -> bytes:
        """A picture that the file only names: read from beside the file, never from elsewhere."""
        root = self._shards[shard].parent
        if Path(name).is_absolute() or ".." in Path(name).parts or ":" in name:
            raise Unreadable("unsafe-name", "names a picture outside the Parquet file's own folder")
        return read_regular(root / name)

    def _list(self, names: list[str], class_names: tuple[str, ...]) -> Listing:
        if self._label_column is None:
            return Listing(names, np.full(len(names), NO_CLASS, dtype=np.int64))
        values: list[Any] = []
        for shard in range(len(self._shards)):
            try:
                table = self._file(shard).read(columns=[self._label_column], use_threads=False)
            except (OSError, ValueError) as error:
                raise DataError(
                    f"has a damaged column {self._label_column} ({str(error)[:60]})",
                    where=self._shards[shard],
                    remedy="Copy or download it again.",
                ) from None
            values.extend(table.column(0).to_pylist())
        classes, labels = name_labels(values, class_names, where=self.path)
        return Listing(names, labels, classes)


def name_labels(
    values: Iterable[Any], names: tuple[str, ...], *, where: Path
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Labels as integers (or words) -> (class names, (n,) int64). None and -1 mean no class.

    names: the names of 0, 1, ... where the file tells them; else the integers themselves, or the words, sorted.
    """
    values = list(values)
    known = [value for value in values if value is not None and value != -1]
    if known and all(isinstance(value, str) for value in known):
        classes = tuple(sorted(set(known)))
        number = {name: index for index, name in enumerate(classes)}
        return classes, np.array([number.get(value, NO_CLASS) for value in values], dtype=np.int64)
    if not all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 for value in known):
        raise DataError("has labels that are neither whole numbers nor words", where=where, remedy="Use 0, 1, 2, ...")
    if names and known and max(known) >= len(names):
        raise DataError(f"has label {max(known)} but {len(names)} class names", where=where, remedy="Make it again.")
    labels = np.array([NO_CLASS if value is None else value for value in values], dtype=np.int64)
    if names:
        return names, labels
    used = sorted(set(known))
    labels = np.where(labels < 0, NO_CLASS, np.searchsorted(used, labels)) if used else labels
    return tuple(map(str, used)), labels.astype(np.int64)


def _open(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ResourceError(
            "reading Parquet needs pyarrow, which is not installed",
            where=path,
            remedy="Install the extra: pip install 'sagan-torch[parquet]'.",
        ) from None
    try:
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"is not a whole Parquet file ({' '.join(str(error).split())[:80]})",
            where=path,
            remedy="Copy or download it again.",
        ) from None


def _check_type(kind: Any, column: str, where: Path) -> None:
    """The picture column must be bytes, paths, or a struct of the two."""
    if not is_picture_type(kind):
        raise DataError(
            f"column {column} has the type {str(kind)[:60]}, not bytes or a struct of bytes and path",
            where=where,
            remedy="Write it in the Hugging Face image layout.",
        )


def is_picture_type(kind: Any) -> bool:
    """Whether a column of this type can hold pictures: bytes, paths, or a struct of the two."""
    import pyarrow.types as types

    tests = (types.is_binary, types.is_large_binary, types.is_string, types.is_large_string)
    struct = types.is_struct(kind) and any(kind.field(place).name == "bytes" for place in range(kind.num_fields))
    return struct or any(test(kind) for test in tests)


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except ValueError:  # a text that is not UTF-8
        raise Unreadable("broken", "has a path that is not text") from None


def find_column(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The first of the wanted names that is a column; None without any."""
    return next((name for name in wanted if name in columns), None)


def class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> tuple[str, ...]:
    """Names of a ClassLabel from the schema's metadata; () where there are none."""
    if not metadata or column is None:
        return ()
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()
