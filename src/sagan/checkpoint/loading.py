"""Loaded tensors into existing ones, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from sagan.errors import CheckpointIncompatible

_SHOWN = 3


def assign(existing: Mapping[str, Tensor], loaded: Mapping[str, Tensor], where: object) -> None:
    """Copy every tensor of `loaded` into the one of the same name in `existing` (a state dict of a live module).

    Nothing is written before all have been compared. Copying, rather than replacing, keeps device, memory format and
    whoever else holds the tensor (optimiser, compiled graph). Raises as `compare` does.
    """
    compare(existing, loaded, where)
    with torch.no_grad():
        for name, tensor in existing.items():
            tensor.copy_(loaded[name])


def compare(existing: Mapping[str, Tensor], loaded: Mapping[str, Tensor], where: object) -> None:
    """Names, shapes and types must agree exactly; `existing` may be an outline on torch's meta device.

    Raises CheckpointIncompatible naming the first that are missing, extra or different.
    """
    faults = [
        _list("missing", (name for name in existing if name not in loaded)),
        _list("unknown", (name for name in loaded if name not in existing)),
        _list("different", _differences(existing, loaded)),
    ]
    if any(faults):
        raise CheckpointIncompatible(
            "made for another structure: " + "; ".join(filter(None, faults)),
            where=where,
            remedy="Use the settings that this checkpoint was made with.",
        )


def _differences(existing: Mapping[str, Tensor], loaded: Mapping[str, Tensor]) -> Iterable[str]:
    for name, tensor in existing.items():
        if name not in loaded:
            continue
        found = loaded[name]
        if tensor.shape != found.shape or tensor.dtype != found.dtype:
            yield f"{name} (file: {_kind(found)}, here: {_kind(tensor)})"


def _kind(tensor: Tensor) -> str:
    """'float32 64x3x3x3'"""
    return f"{str(tensor.dtype).removeprefix('torch.')} {'x'.join(map(str, tensor.shape)) or 'scalar'}"


def _list(word: str, names: Iterable[str]) -> str:
    all_names = list(names)
    if not all_names:
        return ""
    more = f" and {len(all_names) - _SHOWN} more" if len(all_names) > _SHOWN else ""
    return f"{word} {', '.join(all_names[:_SHOWN])}{more}"
