"""A decoder that does what its picture says: the real one's loop and limits, with mischief in place of decoding.

python odd_decoder.py SECONDS LIFE_SECONDS SIDE CHANNELS FIT RED GREEN BLUE
"""

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):
    import resource  # now: later nothing can be imported

sys.path.insert(0, os.getcwd())

from sagan.explorer import decoder


def tried(act):
    """The name of what an act raises."""
    try:
        act()
    except BaseException as error:
        return type(error).__name__
    return "done"


def limits():
    names = ("AS", "CPU", "FSIZE", "CORE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}


def asked_back(path):
    """What it may still do, such as making a file at this path."""
    return {
        "write": tried(lambda: os.open(path, os.O_WRONLY | os.O_CREAT)),
        "read": tried(lambda: Path(__file__).read_bytes()),
        "socket": tried(socket.socket),
        "some memory": tried(lambda: bytearray(64 << 20)),
        "memory": tried(lambda: bytearray(decoder.ADDRESSES * 5 // 4)),
        "files": tried(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))),
        "addresses": tried(lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1))),
        "time": tried(lambda: resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))),
    }


def framed(kind, more, size, content):
    os.write(1, bytes([kind, more]) + size.to_bytes(4, "little") + content)


def decoded(payload, recipe):
    size = recipe.side**2 * recipe.channels
    word = payload.decode()
    seen.append(word)
    if word == "limits":
        return decoder.REFUSED, json.dumps(limits()).encode()
    if word.startswith("/"):
        return decoder.REFUSED, json.dumps(asked_back(word)).encode()
    if word == "loop":
        while True:
            pass
    if word == "die":
        os._exit(3)
    if word == "cut":
        framed(decoder.PIXELS, 1, size, b"x" * 10)
        os._exit(0)
    if word == "nonsense":
        os.write(1, b"\7" * 100)
    if word == "long":
        framed(decoder.PIXELS, 1, size + 1, bytes(size + 1))
    if word == "twice":  # the second answer lies there when the next picture comes
        framed(decoder.PIXELS, 1, size, b"\1" * size)
    if word == "no memory" or (word == "worn" and seen != [word]):
        return decoder.MEMORY, b"takes too much memory to decode"
    return decoder.PIXELS, bytes([len(payload)]) * size


seen = []
decoder.SECONDS, decoder.LIFE_SECONDS = int(sys.argv[1]), int(sys.argv[2])
decoder.decoded = decoded
raise SystemExit(decoder.main(sys.argv[3:]))
