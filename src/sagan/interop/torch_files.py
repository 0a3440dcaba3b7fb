"""The two formats of `torch.save`: which tensors a file holds, and where the numbers of each lie.

    since torch 1.6    a zip, uncompressed: NAME/data.pkl, and NAME/data/KEY for each storage
    before             five pickles, one after the other (a magic number, the version, the machine, the object, the keys of
                       the storages), then each storage as its count of elements and its bytes

Only the standard library is used, as in `pickles`.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sagan.interop.named import Broken, Refused, Storage, View
from sagan.interop.pickles import Machine

END = 22  # bytes of a zip's last record, which torch writes without a comment
MAX_PICKLE = 64 << 20
MAX_STORAGE = 256 << 20  # bytes; one lies in memory at a time
MAX_MEMBERS = 65_536
MAX_TENSORS = 65_536
MAX_DEPTH = 8
MAX_FACTS = 256
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001

Fact = str | int | float | bool | None


@dataclass(frozen=True)
class Contents:
    """tensors: by path, such as 'state_dict/linear.weight'.  facts: plain values beside them.  load: a storage's bytes."""

    tensors: dict[str, View]
    facts: dict[str, Fact]
    load: Callable[[Storage], bytes]


def read_torch_file(file: BinaryIO, size: int) -> Contents:
    """What a file of either format holds. Raises Refused, Broken."""
    start = file.read(262)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _zip(file, size)
    if start[257:262] == b"ustar":
        raise Refused("a tar archive, as torch wrote before version 0.2")
    if not start.startswith(b"\x80"):
        raise Refused("neither a file of torch.save nor safetensors")
    return _legacy(file, size)


def _zip(file: BinaryIO, size: int) -> Contents:
    try:
        file.seek(-END, 2)
        end = file.read(END)
        archive = zipfile.ZipFile(file)
        if end[:4] != b"PK\x05\x06" or struct.unpack("<H", end[10:12])[0] != min(len(archive.infolist()), 0xFFFF):
            raise Refused("a zip whose directory does not hold what its end says")
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()) or len(members) > MAX_MEMBERS:
            raise Refused("a zip with two members of one name, or too many members")
        if sum(info.file_size for info in members.values()) > size:
            raise Refused("a zip whose members are larger than the file")
        if any(info.flag_bits & 1 or info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise Refused("a zip with encrypted or compressed members")
        if any(".." in name or name.startswith(("/", "\\")) or ":" in name for name in members):
            raise Refused("a zip whose members point outside")
        pickles = [name for name in members if name.endswith("data.pkl") and name.count("/") == 1]
        if len(pickles) != 1 or any("/code/" in name or name.endswith("constants.pkl") for name in members):
            raise Refused("a zip that is no file of torch.save (a program of TorchScript, perhaps)")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in members and archive.read(f"{folder}byteorder") != b"little":
            raise Refused("numbers in another order of bytes")
        if members[pickles[0]].file_size > MAX_PICKLE:
            raise Refused(f"a pickle of {members[pickles[0]].file_size:,} bytes")
        with archive.open(pickles[0]) as stream:
            root = Machine(stream.read).run()
    except (zipfile.BadZipFile, NotImplementedError, struct.error, EOFError, OSError, ValueError) as error:
        raise Broken(f"not a whole zip: {error}") from None

    def load(storage: Storage) -> bytes:
        name = f"{folder}data/{storage.key}"
        if name not in members:
            raise Broken(f"the storage {storage.key[:80]!r} is missing")
        if members[name].file_size != storage.count * storage.itemsize:
            raise Broken(f"the storage {storage.key[:80]!r} has not the size that the pickle says")
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise Broken(f"not a whole zip: {error}") from None

    return _contents(root, load)


def _legacy(file: BinaryIO, size: int) -> Contents:
    if Machine(file.read).run() != LEGACY_MAGIC:
        raise Refused("a pickle that torch.save did not write")
    if Machine(file.read).run() != LEGACY_VERSION:
        raise Refused("an unknown version of torch's older format")
    machine = Machine(file.read).run()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise Refused("numbers in another order of bytes")
    root, keys = Machine(file.read).run(), Machine(file.read).run()
    if type(keys) is not list or len(set(map(str, keys))) != len(keys):
        raise Broken("no list of storages")
    storages: dict[str, Storage] = {}
    for view in _tensors(root):
        if storages.setdefault(view.storage.key, view.storage) != view.storage:
            raise Broken("one storage with two sizes or types")
    places: dict[str, int] = {}
    for key in keys:
        count = file.read(8)
        known = storages.get(key) if isinstance(key, str) else None
        if known is None:
            raise Refused("a storage that belongs to no tensor")
        if len(count) != 8 or int.from_bytes(count, "little") != known.count:
            raise Broken(f"the storage {key[:80]!r} has not the size that the pickle says")
        places[key] = file.tell()
        if places[key] + known.count * known.itemsize > size:
            raise Broken("it ends in the middle of a storage")
        file.seek(known.count * known.itemsize, 1)
    if file.tell() != size:
        raise Broken("there is more behind the last storage")

    def load(storage: Storage) -> bytes:
        if storage.key not in places:
            raise Broken(f"the storage {storage.key[:80]!r} is missing")
        file.seek(places[storage.key])
        return file.read(storage.count * storage.itemsize)

    return _contents(root, load)


def _tensors(value: Any) -> Iterator[View]:
    """Every tensor, wherever it stands."""
    for _, item in _walk(value):
        if isinstance(item, View):
            yield item


def _walk(value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of everything in dictionaries, lists and tuples. Raises Refused for a value that contains itself."""
    level, seen = [((), value)], 0
    for _ in range(MAX_DEPTH + 1):
        below: list[tuple[tuple[Any, ...], Any]] = []
        for path, item in level:
            yield path, item
            if type(item) not in (dict, list, tuple):
                continue
            seen += len(item)
            if seen > 16 * MAX_TENSORS:
                raise Refused("too many values")
            below += [((*path, key), part) for key, part in (item.items() if type(item) is dict else enumerate(item))]
        level = below
        if not level:
            return
    raise Refused(f"values nested deeper than {MAX_DEPTH}")


def _contents(root: Any, load: Callable[[Storage], bytes]) -> Contents:
    """The tensors and plain values under names alone: an optimiser's memory goes by number, and is left out."""
    tensors: dict[str, View] = {}
    facts: dict[str, Fact] = {}
    for path, item in _walk(root):
        if not path or not all(isinstance(key, str) for key in path):
            continue
        name = "/".join(path)
        if isinstance(item, View):
            if name in tensors:
                raise Refused(f"two tensors at {name[:80]!r}")
            tensors[name] = item
        elif isinstance(item, str | int | float | None) and len(str(item)) <= 200_000 and len(facts) < MAX_FACTS:
            facts[name] = item
    if len(tensors) > MAX_TENSORS:
        raise Refused(f"{len(tensors):,} tensors")
    if any(view.storage.count * view.storage.itemsize > MAX_STORAGE for view in tensors.values()):
        raise Refused(f"a storage of more than {MAX_STORAGE:,} bytes")
    return Contents(tensors, facts, load)
