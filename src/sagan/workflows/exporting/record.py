"""What stands beside the numbers of every export: what was exported, from what, and how near it came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from sagan.checkpoint.generator_file import MAX_CLASSES, ShortText
from sagan.checkpoint.manifest import library_version
from sagan.checkpoint.strict_json import dump_strict_json
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible
from sagan.models.config import ModelConfig
from sagan.records import Record

TOLERANCE = 1e-4  # of [-1, 1], where a level of 255 is 8e-3
MAX_OPERATIONS = 10_000

Form = Literal["onnx", "openvino", "safetensors", "web"]


class LatentRecord(Record):
    """What the network draws from."""

    length: int = Field(ge=1)
    distribution: Literal["standard normal"] = "standard normal"
    seeds: ShortText = (
        "Philox 4x32-10; key: the seed; counter: block, 0, 0, 0; uniform: (word + 0.5) / 2**32; Box-Muller in float64,"
        " cosine before sine"
    )


class ExportRecord(Record):
    """An export, apart from its numbers."""

    kind: Literal["export"] = "export"
    schema_version: Literal[1] = 1
    form: Form
    library: ShortText = Field(default_factory=library_version, description="Version of sagan that wrote it.")
    model: ModelConfig
    classes: tuple[ShortText, ...] = Field(default=(), max_length=MAX_CLASSES, description="Empty: unconditional.")
    step: int = Field(ge=0, description="Training step the generator was taken at.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of the run.")
    data_name: ShortText = ""
    data_fingerprint: ShortText = ""
    latent: LatentRecord
    pictures: ShortText = "(B, channels, R, R) in [-1, 1]; a level of 255 is round((x + 1) * 127.5)"
    attention: tuple[ShortText, ...] = Field(default=(), description="Layers whose maps can be had.")
    operations: tuple[dict[str, Any], ...] = Field(default=(), max_length=MAX_OPERATIONS)
    tolerance: float = Field(default=TOLERANCE, gt=0)
    apart: dict[ShortText, float] = Field(
        default={}, description="Largest difference from the live generator, by batch size, when it was written."
    )
    generator_sha256: ShortText = Field(description="Of the generator file that was exported.")

    def facts(self) -> dict[str, Any]:
        """The record as JSON can hold it."""
        return self.model_dump(mode="json")


def parse_record(facts: Any, form: Form, where: object) -> ExportRecord:
    """The record of a file that may be a stranger's. Raises CheckpointIncompatible, CheckpointCorrupt."""
    if not isinstance(facts, Mapping) or facts.get("kind") != "export" or facts.get("form") != form:
        remedy = "Name a file that sagan export wrote."
        raise CheckpointIncompatible("not an export of sagan in this form", where=where, remedy=remedy)
    if facts.get("schema_version") != 1:
        raise CheckpointIncompatible("an export of a newer sagan", where=where, remedy="Check it with that version.")
    try:
        return ExportRecord.model_validate_json(json.dumps(facts), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "record"
        raise CheckpointCorrupt(f"its record is not valid at {place}: {first['msg']}", where=where) from None


def seal(record: ExportRecord, *content: bytes) -> str:
    """SHA-256 of the record and of the network's own bytes, for the forms that have no seal of their own."""
    parts = [dump_strict_json(record.facts(), "record"), *content]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def need_seal(stored: object, record: ExportRecord, *content: bytes, where: object) -> None:
    """Raises CheckpointCorrupt when record or network are not those that were sealed."""
    if stored != (found := seal(record, *content)):
        raise CheckpointCorrupt(
            f"expected SHA-256 {str(stored)[:64]} of its record and network, got {found}",
            where=where,
            remedy="It was changed after it was written; export again.",
        )
