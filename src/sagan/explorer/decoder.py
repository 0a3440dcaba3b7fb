"""A process of its own that decodes pictures of strangers, one after another.

    python -m sagan.explorer.decoder SIDE CHANNELS FIT RED GREEN BLUE

Before it reads a byte it gives up most of what a process may do: no file can be opened any more, nothing can be
written into one, memory and processor time are bounded, the time for each picture and for all of them. Where a system
lacks a limit the clock of whoever started it is left.

For each picture, whole numbers being little-endian:

    asked      8 bytes of chance, and the size of the picture file in 4 bytes
    said       the 8 bytes again: it lives, and nothing is left over from an earlier picture
    given      the file
    answered   what follows (PIXELS, REFUSED or MEMORY) and whether it takes another picture, one byte each, the size of
               what follows in 4 bytes, and that: SIDE x SIDE x CHANNELS bytes of pixels, or the reason in words

It ends with its standard input: however the server ends, it outlives it by its time for one picture at most.

Against a process for each picture this saves the third of a second that Python takes to start, and gives up this: somebody
who takes the process over, through a hole in a decoder, also sees the pictures that come after it and may answer for them;
and where a decoder shows memory that it never wrote, something of an earlier picture may be in it. Both end when the process
is replaced, after `decoders.PICTURES` at the latest; neither reaches further than the limits let. What needs no hole, such as
time, memory or a crash, ends the process with its own picture: the next one has a fresh process.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import cast

from PIL import Image, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401  # later nothing can be imported

from sagan.data.convert import fill_hidden
from sagan.data.decode import decode, strict_pillow
from sagan.data.faults import Fault
from sagan.data.found import Recipe
from sagan.data.resize import Fit, make_square

PIXELS, REFUSED, MEMORY = 0, 1, 2
NONCE = 8
MAX_BYTES = 8 << 20
SECONDS = (
    10  # of processor time a picture; the costliest that is taken, of 62 million pixels with transparency, needs 4
)
LIFE_SECONDS = 60  # for all pictures of a process: hundreds of everyday ones come nowhere near it
ADDRESSES = 2 << 30  # bytes beyond those of the libraries; the costliest picture takes half


def main(argv: list[str]) -> int:
    """Decode until the input ends, or this process's time; returns the exit code."""
    side, channels, red, green, blue = (int(word) for word in (*argv[:2], *argv[3:]))
    recipe = Recipe(side, cast(Fit, argv[2]), (red, green, blue), channels)
    Image.preinit()  # the other formats
    give_up()
    with strict_pillow():
        while len(asked := _read(NONCE + 4)) == NONCE + 4:
            allow_time()
            _write(asked[:NONCE])
            size = int.from_bytes(asked[NONCE:], "little")
            payload = _read(min(size, MAX_BYTES))
            if len(payload) != size:
                break
            kind, content = decoded(payload, recipe)
            more = kind != MEMORY and time.process_time() + SECONDS <= LIFE_SECONDS
            _write(bytes([kind, more]) + len(content).to_bytes(4, "little") + content)
            if not more:
                break
    return 0


def decoded(payload: bytes, recipe: Recipe) -> tuple[int, bytes]:
    """A picture file as training would see it: PIXELS and (side, side, channels) uint8 as bytes; or why not."""
    try:
        found = decode(payload, channels=recipe.channels, background=recipe.background, at_least=recipe.side)
        if isinstance(found, Fault):
            return REFUSED, found.text.encode("utf-8", "replace")
        pixels = make_square(found.picture, recipe.side, recipe.fit)
        return PIXELS, (fill_hidden(pixels, recipe.background) if recipe.channels == 4 else pixels).tobytes()
    except MemoryError:
        return MEMORY, b"takes too much memory to decode"


def give_up() -> None:
    """No new files, no writing, bounded memory and time; only root could take it back."""
    with_libraries = ADDRESSES + _addresses()  # on many cores they alone may take more
    _bound("RLIMIT_AS", with_libraries, with_libraries)
    _bound("RLIMIT_CPU", SECONDS, LIFE_SECONDS)
    _bound("RLIMIT_FSIZE", 0, 0)
    _bound("RLIMIT_CORE", 0, 0)
    _bound("RLIMIT_NOFILE", 3, 3)  # the three that it has


def allow_time() -> None:
    """SECONDS of processor time from now on."""
    _bound("RLIMIT_CPU", math.ceil(time.process_time()) + SECONDS, LIFE_SECONDS)


def _bound(name: str, soft: int, hard: int) -> None:
    """One limit, where the system has it; never above what was allowed before."""
    try:
        import resource

        kind = getattr(resource, name)
        most = resource.getrlimit(kind)[1]
        hard = hard if most == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(kind, (min(soft, hard), hard))
    except (ImportError, AttributeError, OSError, ValueError):  # Windows has none, macOS none of addresses
        return


def _addresses() -> int:
    """Bytes of addresses that this process has by now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError, ValueError):
        return 0


def _read(size: int) -> bytes:
    """So many bytes of the input; fewer where it ends before."""
    parts = bytearray()
    while len(parts) < size and (block := os.read(0, min(size - len(parts), 1 << 20))):
        parts += block
    return bytes(parts)


def _write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
