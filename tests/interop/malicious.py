"""Files that somebody might send: code, bombs, lies about sizes, and what only looks like a checkpoint.

`corpus(canary)` gives each kind by name. What carries code would create the canary.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import torch

STATE = OrderedDict(weight=torch.arange(6.0).reshape(2, 3), bias=torch.ones(2))
MODULE_NAMES = {
    "os.system": "cos\nsystem\n", "posix.system": "cposix\nsystem\n", "subprocess.Popen": "csubprocess\nPopen\n",
    "builtins.eval": "cbuiltins\neval\n", "builtins.exec": "cbuiltins\nexec\n", "__builtin__.eval": "c__builtin__\neval\n",
    "builtins.open": "cbuiltins\nopen\n", "builtins.getattr": "cbuiltins\ngetattr\n",
    "builtins.__import__": "cbuiltins\n__import__\n", "importlib": "cimportlib\nimport_module\n",
    "runpy": "crunpy\nrun_path\n", "shutil.rmtree": "cshutil\nrmtree\n", "pathlib.Path": "cpathlib\nPath\n",
    "pickle.loads": "cpickle\nloads\n", "marshal.loads": "cmarshal\nloads\n", "types.CodeType": "ctypes\nCodeType\n",
    "functools.partial": "cfunctools\npartial\n", "methodcaller": "coperator\nmethodcaller\n",
    "ctypes.CDLL": "cctypes\nCDLL\n", "socket": "csocket\ncreate_connection\n",
    "urlopen": "curllib.request\nurlopen\n", "torch.load": "ctorch\nload\n", "torch.hub": "ctorch.hub\nload\n",
    "_load_from_bytes": "ctorch.storage\n_load_from_bytes\n", "torch.jit": "ctorch.jit._script\nunpickle\n",
    "sparse tensor": "ctorch._utils\n_rebuild_sparse_tensor\n", "quantised tensor": "ctorch._utils\n_rebuild_qtensor\n",
    "type of a tensor": "ctorch._tensor\n_rebuild_from_type_v2\n",
    "array of objects": "cnumpy.core.multiarray\n_reconstruct\n", "a class of somebody's": "cdnnlib\nEasyDict\n",
    "distributed metadata": "ctorch.distributed.checkpoint.metadata\nMetadata\n",
}  # fmt: skip


def zipped(data: bytes, storages: dict[str, bytes] | None = None, more: dict[str, bytes] | None = None) -> bytes:
    """A file of torch.save's newer format around any pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in {"byteorder": b"little", **{f"data/{k}": v for k, v in (storages or {}).items()}}.items():
            if f"archive/{name}" not in (more or {}):
                archive.writestr(f"archive/{name}", content)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return out.getvalue()


def saved(new: bool = True, value: object = STATE) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=new)
    return out.getvalue()


def call(name: str, canary: str) -> bytes:
    """A pickle that calls a named function with a text that would touch the canary."""
    command = f"__import__('os').system('touch {canary}')" if "eval" in name or "exec" in name else f"touch {canary}"
    return f"{name}(V{command}\ntR.".encode()


def tensor(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], count: int = 6, key: str = "0") -> bytes:
    """The pickle of one tensor that says what it likes about its storage."""

    def number(value: int) -> bytes:
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    text = b"X" + struct.pack("<I", len(key)) + key.encode()
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + text + b"X\x03\x00\x00\x00cpu" + number(count) + b"tQ"
    )
    view = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers(shape) + numbers(strides)
    return b"\x80\x02}X\x01\x00\x00\x00w" + view + b"\x89ccollections\nOrderedDict\n)RtRs."


def safetensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(start: int, end: int, dtype: str = "F32", shape: tuple[int, ...] = (2,)) -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def corpus(canary: str) -> dict[str, bytes]:
    """Name -> bytes."""
    files = {f"call {name}": zipped(call(line, canary)) for name, line in MODULE_NAMES.items()}
    gadget = call(MODULE_NAMES["os.system"], canary)
    files |= opcodes(gadget, canary) | bombs() | zips(gadget) | older(gadget) | strangers() | tensors_alone()
    return files


def opcodes(gadget: bytes, canary: str) -> dict[str, bytes]:
    touch = f"Vtouch {canary}\n".encode()
    lines = {
        "INST": b"(" + touch + b"ios\nsystem\n.", "OBJ": b"(cos\nsystem\n" + touch + b"o.",
        "NEWOBJ": b"\x80\x02cos\nsystem\n(" + touch + b"t\x81.", "NEWOBJ_EX": b"\x80\x04cos\nsystem\n(" + touch + b"t}\x92.",
        "EXT1": b"\x80\x02\x82\x01.", "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93(" + touch + b"tR.",
        "BUILD": b"\x80\x02ccollections\nOrderedDict\n)R}X\x0c\x00\x00\x00__setstate__cos\nsystem\nsb.",
        "PERSID": b"Ptouch\n.", "BYTEARRAY8": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".",
        "NEXT_BUFFER": b"\x80\x05\x97.",
        "a call of a value": b"}(tR.", "a dictionary as a key": b"\x80\x02}}Ns.",
        "one key twice": b"\x80\x02}(U\x01aNU\x01aNu.",
    }  # fmt: skip
    return {f"instruction {name}": zipped(line) for name, line in lines.items()}


def bombs() -> dict[str, bytes]:
    doubling = b"]q\x00" + b"".join(
        b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(100)
    )
    value = tensor(0, (200_000,), (1,), 200_000)[len(b"\x80\x02}X\x01\x00\x00\x00w") : -2]
    items = (b"X\x06\x00\x00\x00" + f"{n:06}".encode() + value for n in range(3000))
    many = b"\x80\x02}(" + b"".join(items) + b"u."
    return {
        "bomb of nested lists": zipped(b"]" * 200_000 + b"a" * 199_999 + b"."),
        "bomb of a long text": zipped(b"X" + struct.pack("<I", 2**31) + b"a."),
        "bomb of a long number": zipped(b"\x8b" + struct.pack("<I", 2**30) + b"1."),
        "bomb of endless instructions": zipped(b"N0" * 1_500_000 + b"N."),
        "bomb of doubled lists": zipped(doubling + b"."),
        "bomb of a list in itself": zipped(b"]q\x00h\x00a."),
        "bomb of a stretched tensor": zipped(tensor(0, (10**6, 10**6), (0, 0)), {"0": bytes(24)}),
        "bomb of rows on one another": zipped(tensor(0, (3, 4), (1, 1)), {"0": bytes(24)}),
        "bomb of one storage many times": zipped(many, {"0": bytes(800_000)}),
        "a tensor beyond its storage": zipped(tensor(5, (2, 3), (3, 1)), {"0": bytes(24)}),
        "a tensor before its storage": zipped(tensor(-1, (2, 3), (3, 1)), {"0": bytes(24)}),
        "a tensor of negative strides": zipped(tensor(5, (2, 3), (-3, -1)), {"0": bytes(24)}),
        "a tensor of impossible sizes": zipped(tensor(0, (0, 2**62, 2**62), (1, 1, 1)), {"0": bytes(24)}),
        "a storage of a forged size": zipped(tensor(0, (2**20,), (1,), 2**20), {"0": bytes(24)}),
        "a storage of an endless size": zipped(tensor(0, (2,), (1,), 2**60), {"0": bytes(24)}),
        "a storage that is missing": zipped(tensor(0, (2, 3), (3, 1)), {}),
    }  # fmt: skip


def zips(gadget: bytes) -> dict[str, bytes]:
    whole, data = saved(), tensor(0, (2, 3), (3, 1))
    storages = {"0": bytes(24)}
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", bytes(16 << 20))
    central = whole.rindex(b"PK\x01\x02")
    forged = whole[: central + 20] + struct.pack("<II", 2**31, 2**31) + whole[central + 28 :]
    encrypted = whole[: central + 8] + b"\x01" + whole[central + 9 :]
    end = whole.rindex(b"PK\x05\x06")
    counts = whole[: end + 8] + struct.pack("<HH", 60_000, 60_000) + whole[end + 12 :]
    position = whole.index(struct.pack("<6f", *range(6)))
    flipped = whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
    return {
        "zip with a way out": zipped(data, storages, {"../../canary": b"x"}),
        "zip with an absolute name": zipped(data, storages, {"/tmp/canary": b"x"}),
        "zip bomb": compressed.getvalue(), "zip of forged sizes": forged, "zip that is encrypted": encrypted,
        "zip of forged counts": counts, "zip cut short": whole[: len(whole) // 2], "zip with a flipped bit": flipped,
        "zip without a pickle": zipped(data).replace(b"data.pkl", b"data.pkX"),
        "zip with two pickles": zipped(data, storages, {"other/data.pkl": gadget}),
        "zip of TorchScript": zipped(data, storages, {"archive/constants.pkl": gadget, "archive/code/x.py": b"1"}),
        "zip of another order of bytes": zipped(data, storages, {"archive/byteorder": b"big"}),
    }  # fmt: skip


def older(gadget: bytes) -> dict[str, bytes]:
    whole = saved(new=False)
    start = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo("pickle")
        info.size = len(gadget)
        archive.addfile(info, io.BytesIO(gadget))
    return {
        "older format with code": start + gadget, "older format with code first": b"\x80\x02" + gadget,
        "older format with code in its keys": start + pickle.dumps({}, 2) + gadget, "older format cut short": whole[:-3],
        "older format with more behind": whole + b"more", "older format as tar": tar.getvalue(),
        "older format of another order of bytes": start.replace(b"\x88", b"\x89") + whole[len(start) :],
        "older format of a later version": whole.replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)),
        "older format of a forged size": whole.replace(
            struct.pack("<q6f", 6, *range(6)), struct.pack("<q6f", 2**40, *range(6))
        ),
    }  # fmt: skip


def strangers() -> dict[str, bytes]:
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    return {
        "nothing": b"", "a text": b"hello there\n" * 9, "gzip": gzip.compress(saved()), "an image": b"\x89PNG\r\n\x1a\n" * 9,
        "a program": b"\x7fELF" + bytes(200), "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(99), "an array of numpy": objects.getvalue(),
        "a plain pickle": pickle.dumps({"weight": np.ones(3)}),
    }  # fmt: skip


def tensors_alone() -> dict[str, bytes]:
    body = bytes(8)
    return {
        "safetensors with an endless header": safetensors({"a": entry(0, 8)}, body, 2**62),
        "safetensors that overlap": safetensors({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
        "safetensors with a gap": safetensors({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)),
        "safetensors with one name twice": safetensors(b'{"a":{},"a":{}}', body),
        "safetensors of an unknown type": safetensors({"a": entry(0, 8, "F99")}, body),
        "safetensors of a forged shape": safetensors({"a": entry(0, 8, shape=(2**40, 2**40))}, body),
        "safetensors of deep JSON": safetensors(b'{"a":' + b"[" * 100_000, body),
        "safetensors of very many": safetensors({f"{n}": entry(0, 0, shape=(0,)) for n in range(70_000)}),
    }  # fmt: skip
