"""Small whole archives, and a deterministic mutator that damages or crafts them: the inputs of fuzz-archives."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tgz": lambda data: gzip.compress(data, 1, mtime=0),
    ".tar.bz2": lambda data: bz2.compress(data, 1),
    ".tar.xz": lambda data: lzma.compress(data, preset=0),
}
NAMES = (
    "../out.png", "/tmp/out.png", "C:/out.png", "..\\out.png", "a/../../out.png", "a/" * 3000 + "deep.png",
    "n" * 5000 + ".png", "\0.png", "\x1b[2J.png", "dataset.json", "sub/dataset.json", "train/1.png", "test/1.png",
    "twin.png", "TWIN.png", "caf\u00e9.png", "a/", "a//b.png", "./a.png", ".hidden/1.png", "__MACOSX/1.png",
    "nested.zip", "nested.tar", "no suffix", "",
)  # fmt: skip
LABELS = (
    b'{"labels": [["a/0.png", 0], ["b/1.png", 1]]}', b'{"labels": null}', b'{"labels": 3}', b"[" * 50_000,
    b'{"labels": [["a/0.png", 1e999]]}', b'{"labels": [["a/0.png", ' + b"9" * 5000 + b"]]}",
    b'{"labels": [["a/0.png", 0]], "classes": ["x", "x"]}', b"\xff\xfe", b"", b'{"labels": [["\\ud800.png", 0]]}',
    b'{"labels": [], "labels": null}',
)  # fmt: skip
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
TAR_KINDS = b"01234567LKxgSDMVX\0 A"
SIZES = (
    b"00000000000\0", b"77777777777\0", b"\x80" + bytes(10) + b"\x05", b"\x80" + b"\xff" * 11, b"-0000000001\0",
    b"0o7 1_0\0    ",
)  # fmt: skip
ARRAYS: tuple[Callable[[], np.ndarray], ...] = (
    lambda: np.zeros((3, 4, 4, 3), np.uint8),
    lambda: np.zeros((3, 4, 4), np.uint16),
    lambda: np.ones((2, 4, 4), np.float32),
    lambda: np.full((2, 4, 4), np.nan),
    lambda: np.full((2, 4, 4), np.inf, np.float16),
    lambda: np.zeros((2, 4, 4), bool),
    lambda: np.zeros((2, 0, 0, 3), np.uint8),
    lambda: np.zeros((2, 3)),
    lambda: np.zeros((), np.uint8),
    lambda: np.zeros((2, 4, 4), "M8[s]"),
    lambda: np.zeros((2, 4, 4), "S3"),
    lambda: np.zeros((2, 4, 4), [("a", "u1")]),
    lambda: np.zeros((2, 4, 4), ">u2"),
)
LABEL_ARRAYS: tuple[Callable[[], np.ndarray], ...] = (
    lambda: np.array([0, 1, 1]),
    lambda: np.array([0]),
    lambda: np.array([2**64 - 1, 0, 0], np.uint64),
    lambda: np.array([-5, 0, 1]),
    lambda: np.array(["a", "b", "b"]),
    lambda: np.array([b"a", b"b", b"b"]),
    lambda: np.array([np.nan, 0, 1]),
    lambda: np.array([True, False, True]),
    lambda: np.array([1j, 0, 1]),
    lambda: np.zeros(3, "M8[s]"),
    lambda: np.zeros(3, [("a", "i8")]),
)


def _head(descr: str, shape: str) -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


HEADERS = (
    _head("'|u1'", "(1099511627776, 0, 3)"), _head("'|u1'", "(-2, -4, 4, 3)"), _head("'|u1'", "(3L, 4, 4, 3)"),
    _head("'|u1'", "(18446744073709551616, 3, 3)"), _head("'|O'", "(3, 4, 4, 3)"),
    _head("'|S0'", "(9223372036854775807,)"), _head("[('a', '|u1', (65536, 65536))]", "(3,)"),
    "-" * 9000 + "1", "(" * 4000, "{" * 150, "9" * 9000, "'", "\\", "  1\n 2",
)  # fmt: skip


class Case(NamedTuple):
    """One input. kind: for the count.  suffix: of its file."""

    kind: str
    suffix: str
    payload: bytes


def cases(chance: random.Random) -> Callable[[], Case]:
    """A function that makes the next input, endlessly."""
    seeds = whole_archives()
    makers: tuple[Callable[[], Case], ...] = (
        lambda: _mutated(chance, seeds),
        lambda: _mutated(chance, seeds),
        lambda: _mutated_inside(chance, seeds),
        lambda: _forged_tar(chance, seeds),
        lambda: _crafted(chance),
    )
    return lambda: chance.choice(makers)()


def whole_archives() -> dict[str, list[bytes]]:
    """Suffix -> archives that can be read, a few kilobytes each."""
    pictures = {f"{'ab'[number % 2]}/{number}.png": _png(number) for number in range(4)}
    entries = pictures | {"notes.txt": b"text " * 20}
    labelled = pictures | {"dataset.json": json.dumps({"labels": [[name, 0] for name in pictures]}).encode()}
    tars = [
        make_tar(entries, tarfile.USTAR_FORMAT),
        make_tar(labelled, tarfile.GNU_FORMAT),
        make_tar({f"{'long' * 30}/{name}": data for name, data in pictures.items()}, tarfile.PAX_FORMAT),
        make_tar({f"{'long' * 30}/{name}": data for name, data in pictures.items()}, tarfile.GNU_FORMAT),
    ]
    images = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
    found = {
        ".zip": [make_zip(entries, zipfile.ZIP_STORED), make_zip(labelled, zipfile.ZIP_DEFLATED)],
        ".npz": [make_npz(False, images=images, labels=np.array([0, 1, 1])), make_npz(True, arr_0=images)],
        ".npy": [_npy(images)],
    }
    return found | {suffix: [pack(data) for data in tars] for suffix, pack in PACKERS.items()}


def make_zip(entries: dict[str, bytes], method: int) -> bytes:
    """A zip, with equal bytes each time."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name given twice
        for name, data in entries.items():
            info = zipfile.ZipInfo(name or "empty")
            info.compress_type = method
            archive.writestr(info, data)
    return stream.getvalue()


def make_tar(entries: dict[str, bytes], format: int) -> bytes:
    """A tar, with equal bytes each time, ended by two blocks only."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        end = archive.offset
    return stream.getvalue()[: end + 1024]


def make_npz(compressed: bool, **arrays: np.ndarray) -> bytes:
    """An npz file, with equal bytes each time."""
    stored = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    return make_zip(stored, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


@cache
def _png(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to six hurts at places of chance."""
    payload = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if not payload:
            break
        place, length = chance.randrange(len(payload)), chance.choice((1, 4, 30, 512))
        match chance.randrange(8):
            case 0:
                payload[place] ^= 1 << chance.randrange(8)
            case 1:
                payload[place : place + length] = chance.randbytes(length)
            case 2:
                del payload[place:]
            case 3:
                del payload[place : place + length]
            case 4:
                payload[place:place] = payload[place : place + length]
            case 5:
                other = chance.randrange(len(payload))
                payload[place : place + length] = payload[other : other + length]
            case 6:
                number = chance.choice(EXTREMES)
                width = chance.choice([size for size in (1, 2, 4, 8) if number < 256**size])
                payload[place : place + width] = number.to_bytes(width, chance.choice(("little", "big")))
            case 7:
                payload[place : place + length] = bytes(length)
    return bytes(payload)


def _mutated(chance: random.Random, seeds: dict[str, list[bytes]]) -> Case:
    suffix = chance.choice(sorted(seeds))
    if suffix == ".zip" and chance.random() < 0.5:  # the list of entries, which all reading goes by
        data = chance.choice(seeds[suffix])
        start = data.index(b"PK\x01\x02")
        return Case("damaged directories", suffix, data[:start] + damaged(data[start:], chance))
    return Case("damaged files", suffix, damaged(chance.choice(seeds[suffix]), chance))


def _mutated_inside(chance: random.Random, seeds: dict[str, list[bytes]]) -> Case:
    """Damage below the packing and its checksums."""
    suffix = chance.choice((".tgz", ".tar.bz2", ".tar.xz", ".npz"))
    if suffix == ".npz":
        arrays = {"images.npy": damaged(_npy(np.zeros((3, 4, 4, 3), np.uint8)), chance)}
        return Case(
            "damaged inside", suffix, make_zip(arrays, chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
        )
    return Case("damaged inside", suffix, PACKERS[suffix](damaged(chance.choice(seeds[".tar"]), chance)))


def _forged_tar(chance: random.Random, seeds: dict[str, list[bytes]]) -> Case:
    """Headers with false fields and right checksums."""
    payload = bytearray(chance.choice(seeds[".tar"]))
    heads = [place for place in range(0, len(payload), 512) if payload[place + 257 : place + 262] == b"ustar"]
    for place in chance.sample(heads, min(len(heads), chance.choice((1, 1, 2, 5)))):
        match chance.randrange(6):
            case 0:
                payload[place + 156] = chance.choice(TAR_KINDS)
            case 1:
                payload[place + 124 : place + 136] = chance.choice(SIZES)
            case 2:
                name = chance.choice(NAMES).encode()[:100]
                payload[place : place + 100] = name.ljust(100, b"\0")
            case 3:
                payload[place + 345 : place + 500] = chance.randbytes(155)
            case 4:
                payload[place + 482] = chance.randrange(256)
            case 5:
                payload[place + chance.randrange(512)] = chance.randrange(256)
        rest = bytes(payload[place : place + 148]) + b" " * 8 + bytes(payload[place + 156 : place + 512])
        payload[place + 148 : place + 156] = b"%06o\0 " % sum(rest)
    suffix = chance.choice(sorted(PACKERS))
    return Case("forged headers", suffix, PACKERS[suffix](bytes(payload)))


def _crafted(chance: random.Random) -> Case:
    """Whole archives that mean no good: names, label files, arrays and headers of arrays, bombs, zips in disguise."""
    entries = {name: _png(1) for name in chance.sample(NAMES, 4)} | {"a/0.png": _png(0), "b/1.png": _png(1)}
    if chance.random() < 0.5:
        entries[chance.choice(("dataset.json", "a/dataset.json"))] = chance.choice(LABELS)
    match chance.randrange(7):
        case 0:
            return Case("crafted zips", ".zip", make_zip(entries, zipfile.ZIP_DEFLATED))
        case 1 | 2:
            suffix = chance.choice(sorted(PACKERS))
            entries.pop("", None)
            return Case("crafted tars", suffix, PACKERS[suffix](make_tar(entries, chance.choice((1, 2)))))
        case 3:
            return _bomb(chance)
        case 4:
            arrays = {chance.choice(("images", "x", "faces")): chance.choice(ARRAYS)()}
            arrays |= {"labels": chance.choice(LABEL_ARRAYS)()} if chance.random() < 0.6 else {}
            return Case("crafted arrays", ".npz", make_npz(chance.random() < 0.5, **arrays))
        case 5:
            head = chance.choice(HEADERS).encode() + b"\n"
            version = chance.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x09"))
            payload = b"\x93NUMPY" + version + struct.pack("<H", len(head)) + head + bytes(chance.choice((0, 96, 144)))
            return Case("crafted arrays", ".npy", payload)
        case _:
            disguised = make_zip(entries, zipfile.ZIP_STORED) if chance.random() < 0.5 else chance.randbytes(700)
            return Case("other files", chance.choice((".zip", ".npz", ".npy", *PACKERS)), disguised)


def _bomb(chance: random.Random) -> Case:
    if chance.random() < 0.5:
        data = bytearray(make_zip({"a.png": bytes(2000), "b.png": _png(1)}, zipfile.ZIP_DEFLATED))
        start = data.index(b"PK\x01\x02")
        data[start + 24 : start + 28] = chance.choice((2**24, 2**30, 2**32 - 2)).to_bytes(4, "little")
        return Case("bombs", ".zip", bytes(data))
    return chance.choice(_real_bombs())


@cache
def _real_bombs() -> tuple[Case, ...]:
    """A few kilobytes that become 17 MiB."""
    tar = make_tar({"a.png": bytes(17 * 2**20)}, tarfile.GNU_FORMAT)
    flat = {f"{number}.bmp": bytes(2**20) for number in range(17)}
    packed = [Case("bombs", suffix, PACKERS[suffix](tar)) for suffix in (".tgz", ".tar.bz2", ".tar.xz")]
    return (*packed, Case("bombs", ".zip", make_zip(flat, zipfile.ZIP_DEFLATED)))
