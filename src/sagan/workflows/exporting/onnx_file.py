"""An export as one ONNX file: the record stands in its metadata, the maps are outputs that may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.engines.export import PICTURES, arrays, to_onnx
from sagan.engines.fold import Folded
from sagan.engines.onnx_runtime import open_session, require_onnxruntime
from sagan.errors import CheckpointCorrupt
from sagan.workflows.exporting.comparing import Draw, Maps
from sagan.workflows.exporting.record import ExportRecord, need_seal, parse_record, seal

SUFFIX = ".onnx"
RECORD, SEAL = "sagan", "sagan.sha256"  # keys of the metadata


def require() -> None:
    """Raises ConfigError where the packages are not installed."""
    require_onnxruntime()


def make(
    folded: Folded, record: ExportRecord, where: Path, content: bytes | None = None
) -> tuple[dict[str, bytes], bytes]:
    """The file by suffix, and the network's bytes without a record, to be given back when only the record changes."""
    if content is None:
        content, _ = _parted(to_onnx(folded, record.latent.length, attention=bool(record.attention)))
    return {SUFFIX: _whole(content, record)}, content


def _whole(content: bytes, record: ExportRecord) -> bytes:
    """The file: the network with its metadata, of which all but the first two are for people and other programs."""
    import onnx

    model = onnx.load_model_from_string(content)
    facts = {
        RECORD: dump_strict_json(record.facts(), RECORD).decode("ascii"),
        SEAL: seal(record, content),
        "producer": f"sagan {record.library}",
        "classes": dump_strict_json(list(record.classes), RECORD).decode("ascii"),
        "latents": f"{record.latent.length} numbers, {record.latent.distribution}",
        "pictures": record.pictures,
    }
    for name, text in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, text
    return model.SerializeToString(deterministic=True)


def _parted(payload: bytes) -> tuple[bytes, dict[str, str]]:
    """The network's bytes without metadata, and the metadata."""
    import onnx

    model = onnx.load_model_from_string(payload)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    return model.SerializeToString(deterministic=True), metadata


def open_files(files: Mapping[str, bytes], where: Path, threads: int) -> tuple[ExportRecord, Draw]:
    """The record, and what draws. Raises CheckpointCorrupt, CheckpointIncompatible, ConfigError."""
    require()
    try:
        content, metadata = _parted(files[SUFFIX])
    except Exception as error:  # protobuf's own, whatever its version calls it
        raise CheckpointCorrupt(f"not an ONNX model: {type(error).__name__}", where=where) from None
    record = parse_record(parse_strict_json(metadata.get(RECORD, "{}"), where), "onnx", where)
    need_seal(metadata.get(SEAL), record, content, where=where)
    if files[SUFFIX] != _whole(content, record):
        raise CheckpointCorrupt("its metadata was changed", where=where, remedy="Export again.")
    _refuse_other_files(content, where)
    try:
        session = open_session(files[SUFFIX], threads)
    except Exception as error:  # ONNX Runtime's, of a class for each of its causes
        raise CheckpointCorrupt(f"ONNX Runtime cannot open it: {str(error)[:200]}", where=where) from None
    return record, _Drawing(session, record)


def _refuse_other_files(content: bytes, where: Path) -> None:
    """A model may name files that hold its numbers; ours holds them itself, and no other file is read."""
    import onnx

    model = onnx.load_model_from_string(content)
    if any(tensor.data_location for tensor in model.graph.initializer):
        raise CheckpointCorrupt("it wants to read its numbers from other files", where=where)


class _Drawing:
    def __init__(self, session: Any, record: ExportRecord) -> None:
        self._session, self._record = session, record

    def __call__(self, latents: Tensor, labels: Tensor | None, maps: bool) -> tuple[Tensor, Maps]:
        names = [PICTURES, *(self._record.attention if maps else ())]
        results = self._session.run(names, arrays(latents, labels, len(self._record.classes)))
        pictures, *others = map(torch.from_numpy, results)
        return pictures, dict(zip(names[1:], others, strict=True))
