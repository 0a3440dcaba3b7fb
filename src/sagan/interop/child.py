"""The process that reads one foreign file: standard input is the file, standard output what it held.

    safetensors bytes, which count for nothing unless what follows says so
    JSON       {"facts": {...}, "holds": [protections]}, or {"refused" or "broken": why}
    8 bytes    length of that JSON

Only the standard library can be imported here. The numbers are copied as they are, storage by storage.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any

from sagan.interop.confine import confine
from sagan.interop.named import Broken, Refused, Storage, View
from sagan.interop.torch_files import Contents, read_torch_file

SPARE = 1 << 20  # bytes that may be written beyond twice the file


def main(seconds: int) -> None:
    """Read standard input, write standard output. seconds: of processor time."""
    file, out = open(0, "rb"), Answer()
    size = os.fstat(0).st_size
    _warm_up()
    holds = confine(seconds)
    try:
        _write(out, read_torch_file(file, size), size, holds)
    except Refused as error:
        _say(out, {"refused": str(error)[:300]})
    except Broken as error:
        _say(out, {"broken": str(error)[:300]})
    except (MemoryError, RecursionError):
        _say(out, {"refused": "more memory than a checkpoint needs"})
    except PermissionError as error:
        _say(out, {"refused": str(error)[:300]})
    os._exit(0)  # nothing of Python's own ending, which looks for files


def _warm_up() -> None:
    """What the standard library imports on first use is imported now: later it may not."""
    import encodings.ascii
    import encodings.cp437
    import encodings.latin_1  # noqa: F401
    import zipfile

    zipfile.ZipFile(io.BytesIO(b"PK\x05\x06" + bytes(18))).infolist()  # an empty one
    json.dumps({"a": [1, 1.5, None, "é"]})


class Answer:
    """Standard output, unbuffered."""

    def write(self, payload: bytes) -> None:
        rest = memoryview(payload)
        while rest:
            rest = rest[os.write(1, rest) :]


def _say(out: Answer, words: dict[str, Any]) -> None:
    payload = json.dumps(words).encode("ascii")
    out.write(payload + struct.pack("<Q", len(payload)))


def _write(out: Answer, contents: Contents, size: int, holds: list[str]) -> None:
    order = sorted(contents.tensors, key=lambda name: (contents.tensors[name].storage.key, name))
    header: dict[str, Any] = {}
    reached = 0
    for name in order:
        view = contents.tensors[name]
        length = _count(view) * view.storage.itemsize
        header[name] = {
            "dtype": view.storage.dtype, "shape": list(view.shape), "data_offsets": [reached, reached + length]
        }  # fmt: skip
        reached += length
    if reached > 2 * size + SPARE:
        raise Refused("tensors that are many times larger than the file")
    text = json.dumps(header).encode("ascii")
    out.write(struct.pack("<Q", len(text)) + text)
    for part in _numbers(contents, order):
        out.write(part)
    _say(out, {"facts": {name: _plain(fact) for name, fact in contents.facts.items()}, "holds": holds})


def _plain(fact: Any) -> Any:
    """Numbers that strict JSON has no word for become texts."""
    odd = isinstance(fact, float) and not abs(fact) < float("inf") or isinstance(fact, int) and abs(fact) >= 2**63
    return str(fact)[:64] if odd else fact


def _numbers(contents: Contents, order: list[str]) -> Iterator[bytes]:
    """The bytes of each tensor in that order, which has tensors of one storage side by side."""
    storage: Storage | None = None
    data = b""
    for name in order:
        view = contents.tensors[name]
        if view.storage != storage:
            storage, data = view.storage, b""  # the old one goes before the new one comes
            data = contents.load(view.storage)
            if len(data) != storage.count * storage.itemsize:
                raise Broken("it ends in the middle of a storage")
        yield _elements(data, view)


def _count(view: View) -> int:
    count = 1
    for size in view.shape:
        count *= size
    return count


def _elements(data: bytes, view: View) -> bytes:
    """The elements of a view, in the order of its axes."""
    item, count = view.storage.itemsize, _count(view)
    plain, step = True, 1
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        plain, step = plain and (size == 1 or stride == step), step * size
    if plain or not count:
        return data[view.offset * item : (view.offset + count) * item]
    cells = _cells(memoryview(data), item)
    starts = [view.offset]
    for size, stride in zip(view.shape[:-1], view.strides[:-1], strict=True):
        starts = [start + number * stride for start in starts for number in range(size)]
    length, stride = view.shape[-1], view.strides[-1]
    step = max(stride, 1)
    return b"".join(cells[start : start + (length - 1) * step + 1 : step].tobytes() for start in starts)


def _cells(data: memoryview, itemsize: int) -> memoryview:
    """The same bytes as elements of that size."""
    if itemsize == 1:
        return data
    return data.cast("H") if itemsize == 2 else data.cast("I") if itemsize == 4 else data.cast("Q")


if __name__ == "__main__":
    main(int(sys.argv[1]))
