"""Named tensors and one record, as safetensors bytes and back.

Safetensors promises nothing about the numbers: nearly every flipped bit goes unseen. So the metadata carries a SHA-256
of the record and of every tensor, and a file that was copied away from its checkpoint still proves itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from sagan.checkpoint.header import TYPES, check_header
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import CheckpointCorrupt, CheckpointMissing, NumericError

MAX_FILE_BYTES = 16 << 30
RECORD_KEY = "sagan"

_STORED_TYPES = {dtype for dtype, _ in TYPES.values()}

Tensors = dict[str, Tensor]


def pack(
    tensors: Mapping[str, Tensor], record: dict[str, Any] | None = None, *, allow_nonfinite: bool = False
) -> bytes:
    """Safetensors bytes of `tensors` (any device, any layout in memory), with `record` as strict JSON in the metadata.

    Raises NumericError naming the first tensor that holds NaN or infinity: a poisoned checkpoint is worse than none.
    """
    ready: Tensors = {}
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.dtype not in _STORED_TYPES:
            raise ValueError(f"{name}: a {tensor.layout} tensor of {tensor.dtype} cannot be stored")
        if not (allow_nonfinite or _is_finite(tensor)):
            raise NumericError(
                f"tensor {name} holds values that are not finite", remedy="Nothing was saved; go back to a checkpoint."
            )
        # Always a copy of its own: views and tied weights share memory, which the format refuses.
        ready[name] = tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format)
    seal = {"record": record, "sha256": _digest(ready, record)}
    # One key only: the library writes several in random order, and equal content shall give equal bytes.
    return safetensors.torch.save(ready, metadata={RECORD_KEY: dump_strict_json(seal, "record").decode("ascii")})


def unpack(
    path: Path, *, allow_nonfinite: bool = False, max_bytes: int = MAX_FILE_BYTES
) -> tuple[Tensors, dict[str, Any] | None]:
    """The tensors (CPU, contiguous) and the record of a file, read into memory.

    Raises CheckpointMissing, ResourceError; CheckpointCorrupt on any fault, also NaN and infinity unless allowed.
    """
    return unpack_bytes(read_payload(path, max_bytes=max_bytes), path, allow_nonfinite=allow_nonfinite)


def read_payload(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """All bytes of a file that holds a network. Raises CheckpointMissing, CheckpointCorrupt, ResourceError."""
    path = Path(path)
    with disk_errors(path):
        try:
            return read_whole(path, max_bytes=max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointMissing("there is no such file", where=path, remedy="Check the path.") from None
        except UnfitFile as error:
            raise CheckpointCorrupt(str(error), where=path) from None


def unpack_bytes(
    payload: bytes, where: object, *, allow_nonfinite: bool = False
) -> tuple[Tensors, dict[str, Any] | None]:
    """As `unpack`, of bytes that were read already; `where` names them in errors."""
    metadata = check_header(payload, where)
    try:
        tensors: Tensors = safetensors.torch.load(payload)
    except (SafetensorError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise CheckpointCorrupt(f"cannot be parsed: {error}", where=where) from None
    record = _parse_record(metadata[RECORD_KEY], tensors, where) if RECORD_KEY in metadata else None
    if not allow_nonfinite:
        _check_finite(tensors, where)
    return tensors, record


def _check_finite(tensors: Tensors, where: object) -> None:
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise CheckpointCorrupt(
                f"tensor {name} holds values that are not finite",
                where=where,
                remedy="Take an older checkpoint; this one was made after training broke.",
            )


def _parse_record(text: str, tensors: Tensors, where: object) -> dict[str, Any] | None:
    """The record of a file of ours, after proving record and tensors by the hash beside it."""
    seal = parse_strict_json(text, where)
    if not isinstance(seal, dict) or seal.keys() != {"record", "sha256"}:
        raise CheckpointCorrupt("its metadata is not a record and a hash", where=where)
    record, expected = seal["record"], str(seal["sha256"])[:64]
    if not isinstance(record, dict | None):
        raise CheckpointCorrupt("its record is not an object", where=where)
    got = _digest(tensors, record)
    if got != expected:
        raise CheckpointCorrupt(
            f"expected SHA-256 {expected} of its content, got {got}",
            where=where,
            remedy="Copy it again from where it came, or take another checkpoint.",
        )
    return record


def _digest(tensors: Tensors, record: dict[str, Any] | None) -> str:
    """SHA-256 over the record as JSON, then name, type, shape and bytes of each tensor, in the order of names."""
    sha256 = hashlib.sha256(dump_strict_json(record, "record"))
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
