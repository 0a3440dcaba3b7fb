"""A path on the disk -> the source that reads it."""

from __future__ import annotations

import difflib
import os
import re
import zipfile
from pathlib import Path

from sagan.data.config import stream_path
from sagan.data.decode import SUFFIXES
from sagan.data.pack.layout import is_pack
from sagan.data.pack.reading import PackSource
from sagan.data.sources import tar
from sagan.data.sources.arrays import ArraySource
from sagan.data.sources.base import Source
from sagan.data.sources.folder import FolderSource, walk
from sagan.data.sources.parquet import ParquetSource, training_shards
from sagan.data.sources.zip import ZipSource
from sagan.errors import DataError

KINDS = "a folder of pictures, a pack, or a .zip, .tar (also .tar.gz), .parquet, .npz or .npy file"

FILES = (".zip", ".npz", ".npy", *tar.SUFFIXES)

__all__ = ["KINDS", "Source", "open_source"]


def open_source(path: Path) -> Source:
    """List the pictures at `path` without decoding any. Raises DataError where there is nothing that can be read."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise DataError("is in the home of a user who is not known", where=path, remedy="Check the path.") from None
    _must_exist(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise DataError("is neither a folder nor an ordinary file", where=path, remedy=f"Give {KINDS}.")
    suffix = path.suffix.lower()
    if suffix in (".npz", ".npy"):
        return ArraySource(path)
    if suffix in (".parquet", ".pq"):
        return ParquetSource(path, [path])
    if path.name.lower().endswith(tar.SUFFIXES):
        return tar.TarSource(path)
    if suffix == ".zip" or (suffix not in SUFFIXES and zipfile.is_zipfile(path)):
        return ZipSource(path)
    if suffix in SUFFIXES:
        raise DataError("is a single picture", where=path, remedy="Give the folder that holds your pictures.")
    raise DataError(
        f"is a file of a kind that is not read ({suffix or 'no suffix'})", where=path, remedy=f"Give {KINDS}."
    )


def _open_folder(path: Path) -> Source:
    if is_pack(path):
        return PackSource(path)
    found = walk(path)
    shards = sorted(path / name for name in found.others if name.lower().endswith(".parquet"))
    loose = any("/" not in name for name in found.pictures)
    tables_on_top = not loose and any(shard.parent == path for shard in shards)
    if shards and (tables_on_top or not found.pictures):  # pictures in folders below are then what the tables name
        shards, notes = training_shards(shards)
        source = ParquetSource(path, shards)
        source.listing.notes.extend(notes)
        return source
    if not found.pictures and not found.refused:
        inside = next((name for name in found.others if name.lower().endswith(FILES)), None)
        remedy = f"Name the file itself: {path / inside}." if inside else f"Give {KINDS}."
        raise DataError(f"holds no picture ({', '.join(sorted(SUFFIXES))})", where=path, remedy=remedy)
    return FolderSource(path, found)


def _must_exist(path: Path) -> None:
    if os.path.lexists(path) and path.exists():
        return
    text = str(path)
    if stream_path(text) is not None:
        raise DataError(
            "is a stream, and only training reads streams", where=text, remedy="Name a part of its pictures as files."
        )
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|hf:", text):  # two letters or more: C:/ is a drive
        raise DataError(
            "is an address, and only local files are read",
            where=text,
            remedy=f"Train on its shards as stream:{re.sub(r'(?<=:)/(?!/)', '//', text)}; or download it, then give {KINDS}.",
        )
    raise DataError("does not exist", where=path, remedy=_suggestion(path))


def _suggestion(path: Path) -> str:
    """The nearest name that does exist, looked for in the deepest folder of the path that does."""
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    try:
        names = os.listdir(missing.parent)
    except OSError:
        names = []
    close = difflib.get_close_matches(missing.name, [*names, "emblems"], n=1)
    if not close:
        return f"Give {KINDS}, or emblems for the built-in set."
    near = close[0] if close[0] not in names else missing.parent / close[0]
    return f"Did you mean {near}?"
