"""An export as OpenVINO's IR: the graph (.xml), its numbers (.bin), and the record beside them (.json)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sagan.checkpoint.generator_file import MAX_FILE_BYTES
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.disk import read_whole, scratch
from sagan.engines.export import arrays, to_onnx
from sagan.engines.fold import Folded
from sagan.engines.open_vino import compile_model, require_openvino, write_ir
from sagan.errors import CheckpointCorrupt
from sagan.workflows.exporting.comparing import Draw, Maps
from sagan.workflows.exporting.record import ExportRecord, need_seal, parse_record, seal

GRAPH, NUMBERS, RECORD = ".xml", ".bin", ".json"


def require() -> None:
    """Raises ConfigError where the packages are not installed."""
    require_openvino()


def make(
    folded: Folded, record: ExportRecord, where: Path, content: tuple[bytes, bytes] | None = None
) -> tuple[dict[str, bytes], tuple[bytes, bytes]]:
    """The files by suffix, and the network's two, to be given back when only the record changes.

    where: the file to be; OpenVINO writes beside it first, into a folder that is gone afterwards.
    """
    content = content or _written(to_onnx(folded, record.latent.length, attention=bool(record.attention)), where.parent)
    sealed = {"record": record.facts(), "sha256": seal(record, *content)}
    return {NUMBERS: content[1], RECORD: dump_strict_json(sealed, RECORD), GRAPH: content[0]}, content


def open_files(files: Mapping[str, bytes], where: Path, threads: int) -> tuple[ExportRecord, Draw]:
    """The record, and what draws. Raises CheckpointCorrupt, CheckpointIncompatible, ConfigError."""
    require()
    beside = where.with_suffix(RECORD)
    sealed = parse_strict_json(files[RECORD], beside)
    if (
        not isinstance(sealed, dict)
        or sealed.keys() != {"record", "sha256"}
        or dump_strict_json(sealed, beside) != files[RECORD]
    ):
        raise CheckpointCorrupt("not a record and its hash, as sagan export writes them", where=beside)
    record = parse_record(sealed["record"], "openvino", beside)
    need_seal(sealed["sha256"], record, files[GRAPH], files[NUMBERS], where=where)
    try:
        model = compile_model(files[GRAPH], files[NUMBERS], precision="fp32", threads=threads)
    except RuntimeError as error:
        raise CheckpointCorrupt(f"OpenVINO cannot open it: {str(error)[:200]}", where=where) from None
    return record, _Drawing(model, record)


def _written(model: bytes, folder: Path) -> tuple[bytes, bytes]:
    with scratch(folder) as temporary:
        graph, numbers = temporary / f"graph{GRAPH}", temporary / f"graph{NUMBERS}"
        write_ir(model, graph, numbers)
        return read_whole(graph, max_bytes=MAX_FILE_BYTES), read_whole(numbers, max_bytes=MAX_FILE_BYTES)


class _Drawing:
    def __init__(self, model: Any, record: ExportRecord) -> None:
        self._model, self._record = model, record

    def __call__(self, latents: Tensor, labels: Tensor | None, maps: bool) -> tuple[Tensor, Maps]:
        results = self._model(arrays(latents, labels, len(self._record.classes)))
        found = {name: torch.from_numpy(results[name]) for name in self._record.attention} if maps else {}
        return torch.from_numpy(results[0]), found
