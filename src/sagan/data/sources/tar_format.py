"""The tar format, read strictly and from front to back: POSIX (ustar, pax) and GNU archives.

Python's own tarfile is not used: it reads headers of any declared size into memory, and a crafted chain of them has made it
recurse, allocate and loop without end more than once (CVE-2019-20907, CVE-2025-8194). Only names, kinds and sizes are
wanted here, which is one page. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

BLOCK = 512
CHUNK = 1 << 20
MAX_EXTENSION = 1 << 20  # bytes of a long name or of pax records
END = bytes(BLOCK)

FILES = b"07\0"  # '7' is a contiguous file; NUL is a file of the oldest format
FOLDER = b"5"
WITHOUT_CONTENT = b"123456"  # links, devices, folders, pipes: whatever their size says
LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL, SPARSE = b"L", b"K", b"x", b"g", b"S"


class TarFault(Exception):
    """Not a tar, or a damaged one. Says why, without the file's name."""


class TarEntry(NamedTuple):
    """kind: the type flag, one byte.  size: of its content in bytes.  offset: where that begins, in the unpacked tar."""

    name: str
    kind: bytes
    size: int
    offset: int
    sparse: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; the oldest format tells by the name."""
        return self.kind == FOLDER or (self.kind in FILES and self.name.endswith("/"))


class Forward:
    """A stream that is read once from front to back.

    size: of a plain file, in which gaps are jumped over; None for a packed stream, which has to be unpacked all the way.
    grown: told the position whenever bytes came in; it may raise to end the reading.
    """

    def __init__(self, stream: BinaryIO, size: int | None, grown: Callable[[int], None]) -> None:
        self._stream = stream
        self._size = size
        self._grown = grown
        self.position = 0

    def read(self, count: int) -> bytes:
        """`count` bytes; TarFault where the stream ends before."""
        parts = []
        while count:
            part = self._next(min(count, CHUNK))
            if not part:
                raise TarFault("it ends too early")
            count -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip_to(self, position: int) -> None:
        """Go on at a later position."""
        if self._size is not None:
            if position > self._size:
                raise TarFault("it ends too early")
            self.position = self._stream.seek(position)
            return
        while self.position < position:
            self.read(min(position - self.position, CHUNK))

    def drain(self) -> None:
        """Unpack a packed stream to its end, where its checksum stands."""
        while self._size is None and self._next(CHUNK):
            pass

    def _next(self, most: int) -> bytes:
        part = self._stream.read(most)
        self.position += len(part)
        self._grown(self.position)
        return part


def read_entries(stream: Forward) -> Iterator[TarEntry]:
    """Every entry in order. At each, the stream stands at its content, which may be read or not. Raises TarFault."""
    name, pax = None, dict[str, bytes]()
    while True:
        header = stream.read(BLOCK)
        if header == END:
            stream.drain()
            return
        _check_sum(header)
        kind, size = header[156:157], _number(header[124:136])
        if kind in (LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL):
            payload = _extension(stream, size)
            if kind == LONG_NAME:
                name = payload.partition(b"\0")[0]
            elif kind == PAX:
                pax = _pax_records(payload)
            continue
        if kind == SPARSE:
            _skip_sparse_map(stream, header)
        size = 0 if kind in WITHOUT_CONTENT else _pax_size(pax, size)
        raw = pax.get("path") or name or _plain_name(header)
        sparse = kind == SPARSE or any(key.startswith("GNU.sparse.") for key in pax)
        entry = TarEntry(raw.decode("utf-8", "surrogateescape"), kind, size, stream.position, sparse)
        yield entry
        stream.skip_to(entry.offset + -(-size // BLOCK) * BLOCK)
        name, pax = None, {}


def _check_sum(header: bytes) -> None:
    """The sum of all bytes, that of the sum itself counted as blanks; some old writers added signed bytes."""
    rest = header[:148] + b" " * 8 + header[156:]
    unsigned = sum(rest)
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)
    if _number(header[148:156]) not in (unsigned, signed):
        raise TarFault("a header in it has a wrong checksum")


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what these cannot hold."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise TarFault("a header in it has a number that is none")
    return int(digits or b"0", 8)


def _plain_name(header: bytes) -> bytes:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    posix = header[257:263] == b"ustar\0"  # GNU has other things at the place of the prefix
    return prefix + b"/" + name if posix and prefix else name


def _extension(stream: Forward, size: int) -> bytes:
    if size > MAX_EXTENSION:
        raise TarFault(f"a header in it claims {size:,} bytes")
    return stream.read(-(-size // BLOCK) * BLOCK)[:size]


def _pax_records(payload: bytes) -> dict[str, bytes]:
    """'27 path=class/picture.png\\n' and so on: each begins with its own length in decimal."""
    records, start = dict[str, bytes](), 0
    while start < len(payload):
        space = payload.find(b" ", start, start + 20)
        digits = payload[start:space]
        end = start + int(digits) if space > start and digits.isdigit() else 0
        key, equals, value = payload[space + 1 : end - 1].partition(b"=")
        if not start < space < end <= len(payload) or not equals:
            raise TarFault("a header in it has records that cannot be read")
        records[key.decode("utf-8", "replace")] = value
        start = end
    return records


def _pax_size(pax: dict[str, bytes], size: int) -> int:
    given = pax.get("size", b"")
    if not given:
        return size
    if not given.isdigit() or len(given) > 20:
        raise TarFault("a header in it has a size that is none")
    return int(given)


def _skip_sparse_map(stream: Forward, header: bytes) -> None:
    """The map goes on in further blocks; a byte in each, and one in the header, says whether another follows."""
    more = header[482]
    while more:
        more = stream.read(BLOCK)[504]
