"""Directions and latents as files: safetensors, with a record and a hash as every file of ours (`checkpoint.tensors`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from sagan.checkpoint.manifest import library_version
from sagan.checkpoint.tensors import Tensors, pack, unpack
from sagan.disk import write_atomic
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible
from sagan.latents.directions import Directions
from sagan.models.network import Generator
from sagan.records import Record

MAX_BYTES = 256 << 20
MAX_CLASSES = 100_000
Text = Annotated[str, Field(max_length=512)]


class LatentFileRecord(Record):
    """What both kinds say. generator: `fingerprint_of` the one that they belong to."""

    schema_version: Literal[1] = 1
    library: Text = Field(default_factory=library_version, description="Version of sagan that wrote it.")
    z_dim: int = Field(ge=1, le=4096)
    generator: Text
    made: Text = Field(default="", description="How, in words.")


class DirectionsRecord(LatentFileRecord):
    """Of a file of directions. layer: see `directions.stages`."""

    kind: Literal["directions"] = "directions"
    method: Literal["principal", "closed-form"]
    layer: int = Field(default=0, ge=0, le=64)


class LatentsRecord(LatentFileRecord):
    """Of a file of latents. classes: the names that its labels are numbers of; none without labels."""

    kind: Literal["latents"] = "latents"
    classes: tuple[Text, ...] = Field(default=(), max_length=MAX_CLASSES)


@dataclass(frozen=True)
class Latents:
    """latents: (n, z_dim).  labels: (n,), None without classes."""

    latents: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    record: LatentsRecord


AnyRecord = TypeVar("AnyRecord", bound=LatentFileRecord)


def fingerprint_of(generator: Generator) -> str:
    """SHA-256 over a generator's numbers: a direction of another one means nothing."""
    total = hashlib.sha256()
    for name, tensor in sorted(generator.state_dict().items()):
        total.update(name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def save_directions(path: Path, found: Directions, record: DirectionsRecord) -> None:
    """Write them, all or nothing. Raises ResourceError, NumericError."""
    tensors = {name: torch.from_numpy(np.asarray(getattr(found, name))) for name in ("vectors", "shares", "straight")}
    write_atomic(path, pack(tensors, record.model_dump(mode="json")))


def load_directions(path: Path) -> tuple[Directions, DirectionsRecord]:
    """Raises CheckpointMissing, CheckpointCorrupt, CheckpointIncompatible."""
    record, tensors = _load(path, DirectionsRecord)
    vectors = _array(tensors, "vectors", (None, record.z_dim), torch.float32, path)
    shares, straight = (_array(tensors, name, (len(vectors),), torch.float64, path) for name in ("shares", "straight"))
    return Directions(vectors, shares, straight), record


def save_latents(
    path: Path, latents: NDArray[np.float32], labels: NDArray[np.int64] | None, record: LatentsRecord
) -> None:
    """latents: (n, z_dim).  labels: (n,), None without classes. Raises as `save_directions`."""
    tensors = {"latents": torch.from_numpy(latents)}
    if labels is not None:
        tensors["labels"] = torch.from_numpy(labels)
    write_atomic(path, pack(tensors, record.model_dump(mode="json")))


def load_latents(path: Path) -> Latents:
    """Raises CheckpointMissing, CheckpointCorrupt, CheckpointIncompatible."""
    record, tensors = _load(path, LatentsRecord)
    latents = _array(tensors, "latents", (None, record.z_dim), torch.float32, path)
    if not record.classes:
        return Latents(latents, None, record)
    labels = _array(tensors, "labels", (len(latents),), torch.int64, path)
    if not ((labels >= 0) & (labels < len(record.classes))).all():
        raise CheckpointCorrupt("it has a label without a class", where=path)
    return Latents(latents, labels, record)


def _load(path: Path, kind: type[AnyRecord]) -> tuple[AnyRecord, Tensors]:
    tensors, facts = unpack(path, max_bytes=MAX_BYTES)
    word = kind.model_fields["kind"].default
    if facts is None or facts.get("kind") != word:
        raise CheckpointIncompatible(f"a safetensors file, but not one of {word} of sagan", where=path)
    if facts.get("schema_version") != 1:
        raise CheckpointIncompatible("it was written by a newer sagan", where=path, remedy="Install that version.")
    try:
        return kind.model_validate_json(json.dumps(facts), strict=True), tensors
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "record"
        raise CheckpointCorrupt(f"its record is not valid at {place}: {first['msg']}", where=path) from None


def _array(tensors: Tensors, name: str, shape: tuple[int | None, ...], dtype: torch.dtype, where: Path) -> Any:
    """One tensor as an array. shape: with None where any number above 0 will do."""
    tensor = tensors.get(name)
    sizes = () if tensor is None else tuple(tensor.shape)
    fits = len(sizes) == len(shape) and all(
        size == want or (want is None and size) for size, want in zip(sizes, shape, strict=True)
    )
    if tensor is None or not fits or tensor.dtype != dtype:
        raise CheckpointCorrupt(f"its {name} are not what the record says", where=where)
    return tensor.numpy()
