"""The header of the plainest kind of JPEG file: one baseline scan, no EXIF, no colour profile.

Sets of small pictures are mostly made of these. Opening one costs Pillow more than decoding it, as it follows the header in
Python and keeps all that it says. `decode` therefore lets this module follow it first, and gives a plain file to the very
decoder that Pillow would give it to. What is not known here to be harmless is not plain and goes the usual way: nothing is
refused here, so nothing has to be explained.

Source of the layout: ITU-T T.81, annex B.
"""

from __future__ import annotations

import struct
from functools import lru_cache

MAX_BYTES = 65_536  # what Pillow hands its decoder at once; of larger files opening is a small part
MAX_PIXELS = 1_000_000  # a plain file that is damaged is decoded twice

START, START_OF_SCAN = b"\xff\xd8", b"\xff\xda"
FRAME, SCAN, QUANTISATION, JFIF = 0xFFC0, 0xFFDA, 0xFFDB, 0xFFE0
UNREAD = frozenset({0xFFC4, 0xFFDD, 0xFFFE})  # Huffman tables, restarts and comments: Pillow looks into none of them
MODES = {1: "L", 3: "RGB"}  # layers -> mode

Facts = tuple[str, tuple[int, int]]


def plain_header(data: bytes) -> Facts | None:
    """(mode, (width, height)) of a plain JPEG file; None for anything else. Its pixels may still be cut or damaged."""
    if not data.startswith(START) or len(data) > MAX_BYTES:
        return None
    scan = data.find(START_OF_SCAN)
    return _follow(data[: scan + 2 + int.from_bytes(data[scan + 2 : scan + 4])]) if scan > 0 else None


@lru_cache(maxsize=16)  # the files of a set mostly come from one program, which begins them all alike
def _follow(header: bytes) -> Facts | None:
    position, frame = len(START), b""
    try:
        while True:
            marker, length = struct.unpack_from(">HH", header, position)
            body = header[position + 4 : position + 2 + length]
            if marker == SCAN:
                return _facts(frame, body)
            if marker == FRAME and body and not frame:
                frame = body
            elif not _is_harmless(marker, body):
                return None
            position += 2 + length
    except struct.error:  # it ends here
        return None


def _is_harmless(marker: int, body: bytes) -> bool:
    """Whether Pillow accepts this segment, and takes nothing from it that changes the pixels."""
    if marker == QUANTISATION:  # tables of 8-bit numbers
        return len(body) % 65 == 0 and max(body[::65], default=16) < 16
    return marker in UNREAD or (marker == JFIF and len(body) >= 14)


def _facts(frame: bytes, scan: bytes) -> Facts | None:
    """From the bodies of two segments, which must tell of 8 bits a sample and of one scan with all layers in it."""
    bits, height, width, layers = struct.unpack_from(">BHHB", frame)
    names = frame[6::3]
    whole = len(frame) == 6 + 3 * layers and len(scan) == 4 + 2 * layers and len(set(names)) == layers
    if not whole or scan[0] != layers or scan[1:-3:2] != names or bits != 8 or layers not in MODES:
        return None
    return (MODES[layers], (width, height)) if 0 < width * height <= MAX_PIXELS else None
