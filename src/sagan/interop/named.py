"""What the names in a pickle of torch's stand for, and the tensors that are noted down in place of what they would make.

A name is looked up in the short tables here, never in a module. Only the standard library is used, as in `pickles`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_DIMENSIONS = 8

# torch's storage classes -> (safetensors' name of the type, bytes of one element)
STORAGES = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1),
}  # fmt: skip
INERT = {  # what checkpoints hold beside tensors, and what is never looked into
    "torch.device", "_codecs.encode", "numpy.dtype",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
}  # fmt: skip
DTYPES = {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"}


class Refused(Exception):
    """The file asks for something that is not done here."""


class Broken(Exception):
    """The file contradicts itself, or ends too early."""


@dataclass(frozen=True)
class Name:
    """A function or class that the file names. It is a text: nothing is looked up."""

    text: str


@dataclass(frozen=True)
class Inert:
    """Something that may stand in a checkpoint and is left alone: a device, a number of numpy's."""

    what: str


@dataclass(frozen=True)
class Storage:
    """Numbers somewhere in the file. key: which.  dtype: safetensors' name.  count: elements."""

    key: str
    dtype: str
    itemsize: int
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: a part of a storage. Its elements were proved to lie inside it, none of them twice."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _ordered(arguments: tuple[Any, ...]) -> Any:
    if arguments != ():
        raise Refused("an OrderedDict made from something")
    return {}


def _tensor(arguments: tuple[Any, ...]) -> View:
    """_rebuild_tensor(storage, offset, size, stride) and _rebuild_tensor_v2(..., requires_grad, hooks[, metadata])."""
    if len(arguments) not in (4, 6, 7) or not isinstance(arguments[0], Storage):
        raise Refused("a tensor made of something else than a storage")
    storage, offset, shape, strides = arguments[:4]
    if not is_count(offset) or not _are_counts(shape) or not _are_counts(strides) or len(shape) != len(strides):
        raise Refused("a tensor of an impossible shape")
    if len(shape) > MAX_DIMENSIONS:
        raise Refused(f"a tensor of {len(shape)} dimensions")
    count = 1
    for size in shape:
        count *= size
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if count and last >= storage.count:
        raise Broken(f"a tensor that reaches to element {last} of a storage of {storage.count}")
    if count > 1 and not _distinct(shape, strides):
        raise Refused("a tensor whose elements lie on top of each other")
    return View(storage, offset, shape, strides)


def _distinct(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether no two elements share a place: each axis steps over all that the smaller ones reach."""
    reach = 0
    for stride, size in sorted((stride, size) for size, stride in zip(shape, strides, strict=True) if size > 1):
        if stride <= reach:
            return False
        reach += (size - 1) * stride
    return True


def _are_counts(value: Any) -> bool:
    return type(value) is tuple and all(is_count(item) for item in value)


def _parameter(arguments: tuple[Any, ...]) -> View:
    if len(arguments) != 3 or not isinstance(arguments[0], View):
        raise Refused("a parameter that is no tensor")
    return arguments[0]


def _size(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 1 or not _are_counts(tuple(arguments[0]) if isinstance(arguments[0], list) else arguments[0]):
        raise Refused("a size that is none")
    return tuple(arguments[0])


# What a file may ask to be called, and what is done in its place.
CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _size,
}
