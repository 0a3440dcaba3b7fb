"""Pictures in a NumPy array: npy, or npz with labels beside them."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sagan.data.convert import deep_to_bytes
from sagan.data.layout import NO_CLASS, Listing
from sagan.data.sources.archive import refuse_bomb
from sagan.data.sources.base import Payload
from sagan.data.sources.parquet import name_labels
from sagan.errors import DataError, ResourceError, SaganError

PICTURE_KEYS = ("images", "x", "data", "arr_0")
LABEL_KEYS = ("labels", "y", "label", "arr_1")
CHANNELS = (1, 3, 4)
SHAPES = "(n, H, W), (n, H, W, 1|3|4) or (n, 1|3|4, H, W)"


class ArraySource:
    """An array of pictures, held in memory as it is."""

    slow_at_random = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = _read_npz(path) if path.suffix.lower() == ".npz" else {"images": _read_npy(path)}
        except MemoryError:
            raise ResourceError(
                "does not fit into memory", where=path, remedy="Split it, or save its pictures as files."
            ) from None
        except SaganError:
            raise
        except Exception as error:
            # A damaged zip or header lets out anything: zlib.error, tokenize.TokenError, RecursionError, ...
            raise DataError(
                f"cannot be read as NumPy arrays ({' '.join(str(error).split())[:80] or type(error).__name__})",
                where=path,
                remedy="Save it again with numpy.savez(images=..., labels=...).",
            ) from None
        pictures = _pick(found, PICTURE_KEYS)
        if pictures is None:
            raise DataError(
                f"has no array of pictures; its arrays are {', '.join(found) or 'none'}",
                where=path,
                remedy=f"Name it {' or '.join(PICTURE_KEYS[:2])}.",
            )
        self._pictures = channels_last(pictures, path)
        if not self._pictures.size:  # any number of pictures without pixels fits into a small file
            raise DataError(f"has no pixels: its shape is {pictures.shape}", where=path, remedy="Put pictures into it.")
        _check_values(self._pictures, path)
        names = [f"#{index}" for index in range(len(self._pictures))]
        classes, labels = self._labels(found)
        self.listing = Listing(names, labels, classes)

    def read(self, index: int) -> Payload:
        """See Source."""
        return to_bytes(self._pictures[index])

    def close(self) -> None:
        """Nothing is held open."""

    def _labels(self, found: dict[str, NDArray[Any]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        values = _pick(found, LABEL_KEYS)
        count = len(self._pictures)
        if values is None:
            return (), np.full(count, NO_CLASS, dtype=np.int64)
        values = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
        if values.shape != (count,):
            raise DataError(
                f"has labels of shape {values.shape} for {count} pictures",
                where=self.path,
                remedy="Give one label a picture.",
            )
        return name_labels(values.tolist(), (), where=self.path)


def channels_last(pictures: NDArray[Any], where: Path) -> NDArray[Any]:
    """Any of SHAPES -> (n, H, W, C), without a copy."""
    if pictures.ndim == 3:
        return pictures[..., None]
    if pictures.ndim == 4 and pictures.shape[-1] in CHANNELS:
        return pictures
    if pictures.ndim == 4 and pictures.shape[1] in CHANNELS:
        return pictures.transpose(0, 2, 3, 1)
    raise DataError(
        f"has pictures of shape {pictures.shape}", where=where, remedy=f"The shapes that are read: {SHAPES}."
    )


def to_bytes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 as it is; uint16 and floats in [0, 1] scaled to 0..255 and rounded; bool to 0 and 255."""
    if picture.dtype == np.uint8:
        return np.ascontiguousarray(picture)
    if picture.dtype.kind == "u":
        return np.ascontiguousarray(deep_to_bytes(picture))
    return np.ascontiguousarray(np.rint(picture.astype(np.float64) * 255).astype(np.uint8))


def _check_values(pictures: NDArray[Any], where: Path) -> None:
    """Refuse types and ranges that would have to be guessed."""
    if pictures.dtype in (np.uint8, np.uint16, np.bool_):
        return
    if pictures.dtype.kind == "f":
        low, high = float(pictures.min()), float(pictures.max())
        if 0 <= low and high <= 1:
            return
        raise DataError(
            f"has floating-point pixels from {low:.4g} to {high:.4g}",
            where=where,
            remedy="Bring them into 0..1, or save uint8.",
        )
    raise DataError(f"has pixels of type {pictures.dtype}", where=where, remedy="Save them as uint8.")


def _pick(found: dict[str, NDArray[Any]], keys: tuple[str, ...]) -> NDArray[Any] | None:
    return next((found[key] for key in keys if key in found), None)


def _read_npy(path: Path) -> NDArray[Any]:
    with path.open("rb") as stream:
        return read_array(stream, path.stat().st_size)


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        refuse_bomb(path, sum(entry.file_size for entry in archive.infolist()), path.stat().st_size)
        for key in (*PICTURE_KEYS, *LABEL_KEYS):
            try:
                entry = archive.getinfo(f"{key}.npy")
            except KeyError:
                continue
            with archive.open(entry) as stream:
                found[key] = read_array(stream, entry.file_size)
        if not found:
            found = {name.removesuffix(".npy"): np.empty(0) for name in archive.namelist()[:10]}
    return found


def read_array(stream: BinaryIO | Any, size: int) -> NDArray[Any]:
    """One npy file of `size` bytes -> array. The header must promise just that many bytes, and never objects: it is
    believed only after that, so that a forged shape cannot ask for all memory, and nothing is unpickled."""
    head = io.BytesIO(stream.read(10))
    version = npy.read_magic(head)
    length = int.from_bytes(head.getvalue()[8:10], "little") if version == (1, 0) else -1
    if length < 0:
        raise ValueError(f"npy version {version[0]}.{version[1]}")
    try:
        shape, fortran, dtype = npy.read_array_header_1_0(io.BytesIO(head.getvalue()[8:] + stream.read(length)))
    except (MemoryError, RecursionError):  # Python's parser says so of thousands of brackets
        raise ValueError("its header is nested too deeply") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    expected = math.prod(shape) * dtype.itemsize
    if expected != size - 10 - length:
        raise ValueError(f"its header promises {expected} bytes, there are {size - 10 - length}")
    data = stream.read(expected)
    array = np.frombuffer(bytearray(data), dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")
