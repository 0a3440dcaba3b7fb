"""The files of a pack, and what each must hold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sagan.data.faults import Skipped
from sagan.data.found import Recipe
from sagan.data.layout import Listing
from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import DataError

FORMAT: Literal[1] = 1
DONE, BEGUN = "pack.json", "packing.json"
PACK_SUFFIX = ".pack"  # of the folder's name, by habit only
SHARD_BYTES = 32 << 20  # of pixels: two shards are held in memory, and are what is lost by a kill
MAX_INDEX_BYTES = 1 << 30
MAX_RECORD_BYTES = 256 << 20
AGAIN = "Make the pack again with `sagan data pack`."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


R = TypeVar("R", bound=_Strict)


class Making(_Strict):
    """How a pack is made, and of what: two packs with the same of it are the same.

    listing: SHA-256 over names and labels of the source.  rows: pictures of the source in each shard but the last.
    """

    format: Literal[1]
    name: str
    resolution: int = Field(ge=1, le=1 << 14)
    channels: int = Field(ge=1, le=4)
    fit: Literal["crop", "pad", "stretch"]
    background: tuple[int, int, int]
    listing: str
    pictures: int = Field(ge=0)
    rows: int = Field(ge=1)

    @property
    def shards(self) -> int:
        return -(-self.pictures // self.rows)

    @property
    def picture_bytes(self) -> int:
        return self.resolution**2 * self.channels

    def recipe(self) -> Recipe:
        """How the squares were made."""
        return Recipe(self.resolution, self.fit, self.background, self.channels)

    def span(self, shard: int) -> range:
        """The pictures of the source that a shard is about."""
        return range(shard * self.rows, min((shard + 1) * self.rows, self.pictures))


class Entry(_Strict):
    """One shard of a finished pack. kept: usable pictures.  pixels, index: SHA-256 of the two files."""

    kept: int = Field(ge=0)
    pixels: str
    index: str


class Contents(_Strict):
    """pack.json: what `sagan.data.layout.Listing` has besides names and labels, and the shards."""

    made: Making
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    refused: tuple[tuple[str, str, str], ...]
    empty_class_is_error: bool
    shards: tuple[Entry, ...]


@dataclass(frozen=True)
class Index:
    """What a shard knows of its stretch of the source, n pictures, of which k can be used.

    names: n.  labels: (n,) int64.  kept: (n,) bool.  Of the usable ones: digests (k, 32) uint8; checksums (k,) uint32,
    CRC-32 of each one's pixels; sizes (k, 2) int64, width and height in the file; modes: k; transparent, grey: (k,) bool.
    skipped: the others, in order.  pixels: SHA-256 of the file of pixels.
    """

    names: list[str]
    labels: NDArray[np.int64]
    kept: NDArray[np.bool_]
    digests: NDArray[np.uint8]
    checksums: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    modes: list[str]
    transparent: NDArray[np.bool_]
    grey: NDArray[np.bool_]
    skipped: list[Skipped]
    pixels: str


def pixel_file(folder: Path, shard: int) -> Path:
    """Where the squares of a shard are."""
    return folder / f"{shard:05d}.pixels"


def index_file(folder: Path, shard: int) -> Path:
    """Where what is known of them is."""
    return folder / f"{shard:05d}.index"


def file_digest(path: Path, size: int) -> str:
    """SHA-256 of a file of so many bytes; '' when it is gone or of another size."""
    with disk_errors(path):
        if not path.is_file() or path.stat().st_size != size:
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def is_pack(folder: Path) -> bool:
    """Whether a folder is a pack, or was to become one."""
    return (folder / DONE).is_file() or (folder / BEGUN).is_file()


def making(listing: Listing, recipe: Recipe, name: str) -> Making:
    """The record of a pack of this source by this recipe."""
    total = hashlib.sha256(b"sagan-listing-1")
    for text, label in zip(listing.names, listing.labels.tolist(), strict=True):
        total.update(f"{label} {len(text)} {text}\n".encode("utf-8", "surrogateescape"))
    return Making(
        format=FORMAT,
        name=name,
        resolution=recipe.side,
        channels=recipe.channels,
        fit=recipe.fit,
        background=recipe.background,
        listing=total.hexdigest(),
        pictures=len(listing.names),
        rows=max(1, SHARD_BYTES // (recipe.side**2 * recipe.channels)),
    )


def index_bytes(index: Index) -> bytes:
    """An index as a safetensors file."""
    encoded = [name.encode("utf-8", "surrogateescape") for name in index.names]
    kinds = sorted(set(index.modes))
    arrays: dict[str, NDArray[Any]] = {
        "names": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "name_lengths": np.array([len(name) for name in encoded], dtype=np.int64),
        "labels": index.labels,
        "kept": index.kept.view(np.uint8),
        "digests": index.digests,
        "checksums": index.checksums,
        "sizes": index.sizes,
        "modes": np.array([kinds.index(mode) for mode in index.modes], dtype=np.int64),
        "transparent": index.transparent.view(np.uint8),
        "grey": index.grey.view(np.uint8),
    }
    words = {"modes": kinds, "skipped": [[one.where, one.reason_code, one.text] for one in index.skipped]}
    facts = {**words, "pixels": index.pixels}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"sagan": json.dumps(facts)})


def read_index(folder: Path, shard: int, span: range) -> tuple[Index, str]:
    """The index of a shard, and its SHA-256. Raises DataError naming the file when it is gone or not what it must be."""
    path = index_file(folder, shard)
    payload = _read(path, MAX_INDEX_BYTES)
    try:
        return _parsed(payload, len(span)), hashlib.sha256(payload).hexdigest()
    except (SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"is damaged ({' '.join(str(error).split())[:80]})", where=path, remedy=AGAIN) from None


def _parsed(payload: bytes, count: int) -> Index:
    arrays = load(payload)
    length = int.from_bytes(payload[:8], "little")
    facts = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["sagan"])
    ends = np.cumsum(arrays["name_lengths"])
    names = arrays["names"].tobytes()
    kept = arrays["kept"].astype(np.bool_)
    good = int(kept.sum())
    shapes = {"name_lengths": (count,), "labels": (count,), "kept": (count,), "digests": (good, 32)}
    shapes |= {"checksums": (good,), "sizes": (good, 2), "modes": (good,), "transparent": (good,), "grey": (good,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
    if len(facts["skipped"]) != count - good:
        raise ValueError("the reasons of what was left out do not fit")
    if count and (ends[-1] != len(names) or arrays["name_lengths"].min() < 0):
        raise ValueError("the names do not fit")
    starts = [0, *ends[:-1].tolist()]
    return Index(
        names=[names[a:b].decode("utf-8", "surrogateescape") for a, b in zip(starts, ends.tolist(), strict=False)],
        labels=arrays["labels"].astype(np.int64),
        kept=kept,
        digests=arrays["digests"].astype(np.uint8),
        checksums=arrays["checksums"].astype(np.uint32),
        sizes=arrays["sizes"].astype(np.int64),
        modes=[facts["modes"][number] for number in arrays["modes"].tolist()],
        transparent=arrays["transparent"].astype(np.bool_),
        grey=arrays["grey"].astype(np.bool_),
        skipped=[Skipped(*map(str, row)) for row in facts["skipped"]],
        pixels=str(facts["pixels"]),
    )


def read_contents(folder: Path) -> Contents:
    """pack.json. Raises DataError when packing was not finished, or the file is damaged or of a later version."""
    if not (folder / DONE).is_file():
        raise DataError(
            "is a pack that was not finished", where=folder, remedy="Run the same `sagan data pack` again: it goes on."
        )
    return _read_record(folder / DONE, Contents)


def read_making(folder: Path) -> Making | None:
    """How a pack was begun or made; None where there is none. Raises DataError when that is damaged."""
    if (folder / DONE).is_file():
        return read_contents(folder).made
    return _read_record(folder / BEGUN, Making) if (folder / BEGUN).is_file() else None


def _read_record(path: Path, kind: type[R]) -> R:
    text = _read(path, MAX_RECORD_BYTES)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        later = "format" in place
        raise DataError(
            "is of another version of sagan" if later else f"is damaged ({place}: {first['msg']})",
            where=path,
            remedy=AGAIN,
        ) from None


def _read(path: Path, most: int) -> bytes:
    with disk_errors(path):
        try:
            return read_whole(path, max_bytes=most)
        except FileNotFoundError:
            raise DataError("is gone", where=path, remedy=AGAIN) from None
        except UnfitFile as error:
            raise DataError(str(error), where=path, remedy=AGAIN) from None
