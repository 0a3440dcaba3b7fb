"""An export for programs of others: one .safetensors file with the folded numbers, and one .json file that says what to do.

The numbers are folded, not raw: what is left are plain layers that any library has, without spectral norm, running statistics
or power iterations, which every other program would have to do alike. Who wants the raw ones has them already: the generator
file of the checkpoint is a safetensors file with the network's own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sagan.checkpoint.strict_json import dump_strict_json
from sagan.checkpoint.tensors import pack, unpack_bytes
from sagan.engines.fold import Folded
from sagan.engines.interpret import interpret
from sagan.engines.recipe import Recipe, recipe
from sagan.errors import CheckpointCorrupt
from sagan.workflows.exporting.comparing import Draw, Maps
from sagan.workflows.exporting.record import ExportRecord, Form, parse_record

NUMBERS, RECORD = ".safetensors", ".json"


def require() -> None:
    """Nothing but the package itself is needed."""


def make(
    folded: Folded, record: ExportRecord, where: Path, content: Recipe | None = None
) -> tuple[dict[str, bytes], Recipe]:
    """The files by suffix, and the recipe, to be given back when only the record changes."""
    content = content or recipe(folded)
    facts = record.model_copy(update={"operations": tuple(content.operations)}).facts()
    return {NUMBERS: pack(content.tensors, facts), RECORD: dump_strict_json(facts, RECORD)}, content


def open_files(files: Mapping[str, bytes], where: Path, threads: int) -> tuple[ExportRecord, Draw]:
    """The record, and what draws. Raises CheckpointCorrupt, CheckpointIncompatible."""
    record, draw = open_numbers(files[NUMBERS], "safetensors", where)
    beside = where.with_suffix(RECORD)
    if files[RECORD] != dump_strict_json(record.facts(), beside):
        raise CheckpointCorrupt(
            f"it differs from the record inside {where.name}", where=beside, remedy="Export again, or copy both files."
        )
    return record, draw


def open_numbers(payload: bytes, form: Form, where: Path) -> tuple[ExportRecord, Draw]:
    """The record inside a safetensors file, proved by the hash beside it, and what draws."""
    tensors, facts = unpack_bytes(payload, where)
    record = parse_record(facts, form, where)

    def draw(latents: Tensor, labels: Tensor | None, maps: bool) -> tuple[Tensor, Maps]:
        try:
            return interpret(record.operations, tensors, latents, labels)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointCorrupt(f"its operations cannot be computed: {error}", where=where) from None

    return record, draw
