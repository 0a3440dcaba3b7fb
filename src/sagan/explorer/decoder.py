"""A process of its own that decodes one picture of a stranger: bytes on standard input, pixels on standard output.

    python -m sagan.explorer.decoder RESOLUTION CHANNELS

Before it looks at the bytes it gives up most of what a process may do. On success it writes RESOLUTION x RESOLUTION x CHANNELS
bytes of pixels and ends with 0; on a fault the reason, and ends with REFUSED.
"""

from __future__ import annotations

import os
import sys

REFUSED = 3
MAX_BYTES = 8 << 20
SECONDS = 10  # of processor time
MEMORY = 2 << 30  # of addresses: a picture of the largest size that is decoded takes a quarter


def limit() -> None:
    """No new files, no writing, little memory and time. Where the system has no such limits the parent's clock is left."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {"RLIMIT_AS": MEMORY, "RLIMIT_CPU": SECONDS, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": 16}
    for name, value in wanted.items():
        if hasattr(resource, name):
            number = getattr(resource, name)
            _, most = resource.getrlimit(number)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(number, (least, least))


def main(argv: list[str]) -> int:
    """Decode; returns the exit code."""
    from sagan.data.decode import decode, strict_pillow
    from sagan.data.faults import Fault
    from sagan.data.resize import make_square

    resolution, channels = int(argv[0]), int(argv[1])
    limit()
    payload = b""
    while len(payload) <= MAX_BYTES and (block := os.read(0, 1 << 20)):
        payload += block
    try:
        with strict_pillow():
            decoded = decode(payload, channels=channels, at_least=resolution)
        if isinstance(decoded, Fault):
            os.write(1, decoded.text.encode("utf-8", "replace"))
            return REFUSED
        pixels = make_square(decoded.picture, resolution, "crop").tobytes()
    except MemoryError:
        os.write(1, b"takes too much memory to decode")
        return REFUSED
    while pixels:
        pixels = pixels[os.write(1, pixels) :]
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
