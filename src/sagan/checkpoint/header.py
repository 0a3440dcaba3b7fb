"""The header of a safetensors file, checked before anything is allocated.

The format stores no code, but its own reader promises little about size and accepts JSON that two readers could take
differently. So here: limits, strict JSON, names, types, and that the header accounts for every byte of the file.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from sagan.checkpoint.strict_json import parse_strict_json
from sagan.errors import CheckpointCorrupt

MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS = 65_536
MAX_DIMENSIONS = 8
MAX_NAME = 512

_PICKLES = (b"PK\x03\x04", b"\x80")  # only to say it well: a good length may begin with these bytes too

# safetensors' names of the types we write: (type, bytes of one element)
TYPES = {
    "F64": (torch.float64, 8),
    "F32": (torch.float32, 4),
    "F16": (torch.float16, 2),
    "BF16": (torch.bfloat16, 2),
    "I64": (torch.int64, 8),
    "I32": (torch.int32, 4),
    "I16": (torch.int16, 2),
    "I8": (torch.int8, 1),
    "U8": (torch.uint8, 1),
    "BOOL": (torch.bool, 1),
}


def check_header(payload: bytes, where: object) -> dict[str, str]:
    """Check everything about a safetensors file but its numbers; its metadata.

    Raises CheckpointCorrupt about `where`.
    """
    header, body_bytes = _parse_header(payload, where)
    metadata = header.pop("__metadata__", {})
    if len(header) > MAX_TENSORS:
        raise CheckpointCorrupt(f"{len(header)} tensors, above the limit of {MAX_TENSORS}", where=where)
    spans = sorted(_span(name, entry, where) for name, entry in header.items())
    reached = 0
    for begin, end in spans:
        if begin != reached:
            raise CheckpointCorrupt(f"its tensors leave a gap or overlap at byte {min(begin, reached)}", where=where)
        reached = end
    if reached != body_bytes:
        raise CheckpointCorrupt(f"{body_bytes} bytes of numbers, where the header promises {reached}", where=where)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointCorrupt("its metadata is not a table of texts", where=where)
    return metadata


def _parse_header(payload: bytes, where: object) -> tuple[dict[str, Any], int]:
    """The header as a dict, and the number of bytes that follow it."""
    if len(payload) < 8:
        raise CheckpointCorrupt(f"only {len(payload)} bytes long", where=where)
    length, possible = int.from_bytes(payload[:8], "little"), min(MAX_HEADER_BYTES, len(payload) - 8)
    if length > possible and payload.startswith(_PICKLES):
        raise CheckpointCorrupt(
            "a pickle or a zip of one, such as torch.save writes, not a safetensors file",
            where=where,
            remedy="Such files can run code when opened, so they are never opened here.",
        )
    if length > possible:
        raise CheckpointCorrupt(f"a header of {length} bytes, where {possible} are possible", where=where)
    header = parse_strict_json(payload[8 : 8 + length], where, max_bytes=MAX_HEADER_BYTES, max_depth=4)
    if not isinstance(header, dict):
        raise CheckpointCorrupt("its header is not an object", where=where)
    return header, len(payload) - 8 - length


def _span(name: str, entry: Any, where: object) -> tuple[int, int]:
    """The bytes [begin, end) of one tensor, agreeing with its type and shape."""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise CheckpointCorrupt(f"a tensor named {name[:80]!r}", where=where)
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointCorrupt(f"tensor {name} is not described by dtype, shape and data_offsets", where=where)
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in TYPES:
        raise CheckpointCorrupt(f"tensor {name} has the type {entry['dtype']!r}", where=where)
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise CheckpointCorrupt(f"tensor {name} has an impossible shape", where=where)
    size = math.prod(shape) * TYPES[entry["dtype"]][1]
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise CheckpointCorrupt(f"tensor {name} does not fill its {size} bytes", where=where)
    return offsets[0], offsets[1]


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
