"""The one file that sampling needs: the averaged generator's tensors, with its record in the header.

It can be copied away from its run and stays complete: sizes, class names, where it came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from torch import Tensor

from sagan.checkpoint import migration
from sagan.checkpoint.manifest import library_version
from sagan.checkpoint.migration import latest, migrate
from sagan.checkpoint.tensors import Tensors, pack, unpack, unpack_bytes
from sagan.disk import DISK, Disk, write_atomic
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible
from sagan.models.config import ModelConfig
from sagan.records import Record

SCHEMA = latest(migration.GENERATOR)
MAX_FILE_BYTES = 4 << 30
MAX_CLASSES = 100_000

ShortText = Annotated[str, Field(max_length=512)]


class GeneratorRecord(Record):
    """What a generator is, apart from its numbers."""

    kind: Literal["generator"] = "generator"
    schema_version: int = Field(default=SCHEMA, ge=SCHEMA, le=SCHEMA)
    library: ShortText = Field(default_factory=library_version, description="Version of sagan that wrote it.")
    model: ModelConfig
    classes: tuple[ShortText, ...] = Field(default=(), max_length=MAX_CLASSES, description="Empty: unconditional.")
    step: int = Field(ge=0, description="Training step it was taken at.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of the run.")
    data_name: ShortText = ""
    data_fingerprint: ShortText = ""


def pack_generator(tensors: Mapping[str, Tensor], record: GeneratorRecord) -> bytes:
    """The bytes of a generator file. Raises NumericError when a tensor is not finite."""
    return pack(tensors, record.model_dump(mode="json"))


def save_generator(path: Path, tensors: Mapping[str, Tensor], record: GeneratorRecord, disk: Disk = DISK) -> None:
    """Write a generator file, all of it or nothing. Raises ResourceError, NumericError."""
    write_atomic(Path(path), pack_generator(tensors, record), disk)


def read_generator(path: Path, *, allow_nonfinite: bool = False) -> tuple[GeneratorRecord, Tensors]:
    """The record and the tensors (CPU, contiguous) of a generator file; the caller builds, then assigns.

    Raises CheckpointMissing, CheckpointCorrupt; CheckpointIncompatible when it is newer, or no generator of ours.
    """
    tensors, facts = unpack(Path(path), allow_nonfinite=allow_nonfinite, max_bytes=MAX_FILE_BYTES)
    return _record(facts, path), tensors


def parse_generator(payload: bytes, where: object, *, allow_nonfinite: bool = False) -> tuple[GeneratorRecord, Tensors]:
    """As `read_generator`, of bytes that were read and verified already."""
    tensors, facts = unpack_bytes(payload, where, allow_nonfinite=allow_nonfinite)
    return _record(facts, where), tensors


def _record(facts: dict[str, Any] | None, where: object) -> GeneratorRecord:
    if facts is None or facts.get("kind") != "generator":
        raise CheckpointIncompatible(
            "a safetensors file, but not a generator of sagan", where=where, remedy="Name a run, or its generator file."
        )
    facts = migrate(facts, "schema_version", migration.GENERATOR, where)
    try:
        return GeneratorRecord.model_validate_json(json.dumps(facts), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "record"
        raise CheckpointCorrupt(f"its record is not valid at {place}: {first['msg']}", where=where) from None
