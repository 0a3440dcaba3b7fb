"""What a file asks of its decoder, counted before the decoder sees it.

Decoders follow a file from piece to piece, and a small file may have millions: empty chunks, or scans over the same
pixels. The limits here lie far above what any camera or editor writes.
"""

from __future__ import annotations

import re

from sagan.data.faults import Unreadable

MAX_PIECES = 50_000  # a decoder takes some microseconds for each
MAX_SAMPLES = 100_000_000  # JPEG in several scans: all coefficients are held in memory, two bytes each
MAX_SCANNED = 2_000_000_000  # the same: samples that all its scans together pass over
MAX_RUN_LENGTH_PIXELS = 4_000_000  # of a run-length coded BMP, which is decoded in Python
MAX_RUN_LENGTH_BYTES = 4_000_000

NO_BODY = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})  # JPEG markers that stand alone
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15: size and layers
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
TO_MARKER = re.compile(rb"[^\xff]*\xff+")
# Past the data of a scan, in which FF is followed by 0 or by a restart marker, D0 to D7.
TO_NEXT_SCAN = re.compile(rb"\xff(?=[\x01-\xcf\xd8-\xfe])")


def without_bombs(data: bytes) -> bytes:
    """The file as its decoder should see it: a PNG without the compressed notes and profiles that hide bombs.

    Raises Unreadable where a decoder would be busy for long, or need much memory, for few bytes.
    """
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _cut_png(data)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        _check_gif(data)
    elif data.startswith(b"BM"):
        _check_bmp(data)
    return data


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as a WebP file's first chunk says them; None for other files.

    Its decoder asks for memory by these as soon as it sees the file, before anybody can look at the size.
    """
    if not (data.startswith(b"RIFF") and data[8:12] == b"WEBP") or len(data) < 30:
        return None
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def is_cut(data: bytes) -> bool:
    """Whether a file that cannot be decoded ends before its pixels begin, or a WebP before it says; decoders only say
    that something is wrong with these."""
    if data.startswith(b"\xff\xd8"):
        scan = data.find(b"\xff\xda")
        return scan < 0 or len(data) < scan + 12
    if data.startswith(b"\x89PNG"):
        return b"IDAT" not in data
    if data.startswith(b"GIF8"):
        return len(data) <= _end_of_gif_header(data) + 10  # the place and size of the first frame
    return data.startswith(b"RIFF") and len(data) < 8 + int.from_bytes(data[4:8], "little")


def _count(pieces: int) -> None:
    if pieces > MAX_PIECES:
        raise Unreadable("too-costly", f"is made of more than {MAX_PIECES:,} pieces")


def _check_jpeg(data: bytes) -> None:
    samples: dict[int, int] = {}
    position, pieces, scanned = 2, 0, 0
    while found := TO_MARKER.match(data, position):
        pieces += found.end() - position  # stray bytes and filling, which are read one by one
        _count(pieces)
        marker = data[found.end()] if found.end() < len(data) else END_OF_IMAGE
        position = found.end() + 1
        if marker == END_OF_IMAGE and scanned:
            return
        if marker in NO_BODY:
            continue
        body = data[position + 2 : position + int.from_bytes(data[position : position + 2])]
        position += 2 + len(body)
        if marker in FRAMES:
            samples, progressive = _samples_of(body), marker % 4 == 2
        elif marker == START_OF_SCAN:
            layers = body[1 : 1 + 2 * body[0] : 2] if body else b""
            if not samples or (not scanned and not progressive and len(layers) == len(samples)):
                return  # one scan that holds everything, as most files have it
            scanned += sum(samples.get(layer, 0) for layer in layers)
            if sum(samples.values()) > MAX_SAMPLES:
                raise Unreadable(
                    "too-costly", f"holds more than {MAX_SAMPLES / 1e6:.0f} million samples in several scans"
                )
            if scanned > MAX_SCANNED:
                raise Unreadable("too-costly", "has very many scans over the same pixels")
            after = TO_NEXT_SCAN.search(data, position)
            position = after.start() if after else len(data)


def _samples_of(frame: bytes) -> dict[int, int]:
    """Layer -> how many samples it has, from the body of a SOF segment; {} when that is broken."""
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    layers = [frame[start : start + 3] for start in range(6, 6 + 3 * frame[5], 3)] if len(frame) > 5 else []
    if not layers or len(layers[-1]) < 3:
        return {}
    factors = {layer[0]: (max(1, layer[1] >> 4), max(1, layer[1] & 15)) for layer in layers}
    across, down = max(pair[0] for pair in factors.values()), max(pair[1] for pair in factors.values())
    return {name: -(-width * h // across) * -(-height * v // down) for name, (h, v) in factors.items()}


def _cut_png(data: bytes) -> bytes:
    kept, start, position, pieces = list[bytes](), 0, 8, 0
    while position + 8 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        end = position + 12 + length
        pieces += 1
        _count(pieces)
        if kind in (b"zTXt", b"iCCP") or (kind == b"iTXt" and _is_compressed(data, position + 8)):
            kept.append(data[start:position])
            start = min(end, len(data))
        if kind == b"IEND":
            break
        position = end
    return b"".join([*kept, data[start:]]) if kept else data


def _is_compressed(data: bytes, text: int) -> bool:
    """Whether the body of an iTXt chunk says so: keyword, 0, flag."""
    end_of_keyword = data.find(b"\0", text, text + 80)
    return end_of_keyword >= 0 and data[end_of_keyword + 1 : end_of_keyword + 2] == b"\1"


def _check_gif(data: bytes) -> None:
    """Only as far as the first frame: what lies behind is not read, and its own data is read in one go."""
    position, pieces = _end_of_gif_header(data), 0
    while position < len(data) and data[position] not in b",;":
        pieces += 1
        _count(pieces)
        if data[position] != 0x21:  # a stray byte
            position += 1
            continue
        position += 2
        while position < len(data) and data[position]:
            position += 1 + data[position]
            pieces += 1
            _count(pieces)
        position += 1


def _end_of_gif_header(data: bytes) -> int:
    """Behind the screen's size and the palette that all frames share."""
    flags = data[10] if len(data) > 10 else 0
    return 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


def _check_bmp(data: bytes) -> None:
    if int.from_bytes(data[14:18], "little") < 40 or int.from_bytes(data[30:34], "little") not in (1, 2):
        return
    sides = (abs(int.from_bytes(data[start : start + 4], "little", signed=True)) for start in (18, 22))
    if next(sides) * next(sides) > MAX_RUN_LENGTH_PIXELS or len(data) > MAX_RUN_LENGTH_BYTES:
        raise Unreadable(
            "too-costly", f"is a run-length coded BMP above {MAX_RUN_LENGTH_PIXELS / 1e6:.0f} million pixels"
        )
