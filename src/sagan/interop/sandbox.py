"""A foreign checkpoint as tensors: the one way in, and the only file that may start the reader of pickles.

Safetensors are data, and our own reader takes them. Everything else goes to a process of its own (`child`), which has given
up files, network, processes and most memory (`confine`) before it reads a byte, and which reads a pickle without running it
(`pickles`). What it sends back is again a stranger's word: bounded, and checked by our own reader of safetensors.
There is no other way and no option to trust a file.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from sagan.checkpoint.strict_json import parse_strict_json
from sagan.checkpoint.tensors import unpack_bytes
from sagan.disk import UnfitFile, disk_errors
from sagan.disk.reading import open_regular
from sagan.errors import CheckpointCorrupt, CheckpointMissing, RefusedError, ResourceError

MAX_FILE_BYTES = 8 << 30
MAX_REPORT = 4 << 20
SECONDS = 20  # of processor time for a small file; a large one has more
BYTES_A_SECOND = 20 << 20
# From the fifth byte on: the upper half of the header's length, which is never reached, and the header's first letter. The
# lower half says nothing: of a header of 640 bytes it begins as a pickle does.
SAFETENSORS = b"\0\0\0\0{"
_REMEDY = "Such a file is not opened here. If you trust it, save its state dict as safetensors where it was made."
_SOURCE = str(Path(__file__).parents[2])
_START = f"import sys; sys.path.append({_SOURCE!r}); from sagan.interop.child import main; main(int(sys.argv[1]))"


@dataclass(frozen=True)
class Foreign:
    """A foreign file, read. tensors: by path, such as 'state_dict/linear.weight'.  facts: plain values beside them.

    sha256: of the file.  holds: the protections under which it was read; none were needed for safetensors.
    """

    path: Path
    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    sha256: str
    holds: tuple[str, ...] = ()


def read_foreign(path: Path) -> Foreign:
    """Read a file of torch.save, old or new, or of safetensors, whatever its name.

    Raises CheckpointMissing; RefusedError for what is not mere tensors; CheckpointCorrupt for a damaged file.
    """
    path = Path(path)
    with disk_errors(path):
        try:
            descriptor = open_regular(path, max_bytes=MAX_FILE_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointMissing("there is no such file", where=path, remedy="Check the path.") from None
        except UnfitFile as error:
            raise CheckpointCorrupt(str(error), where=path) from None
        with open(descriptor, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            start = file.read(len(SAFETENSORS) + 4)
            file.seek(0)
            if start[4:] == SAFETENSORS:
                tensors, record = unpack_bytes(file.read(), path, allow_nonfinite=True)
                return Foreign(path, tensors, {"record": record} if record else {}, digest)
            payload, report = _ask(file, size, path)
    if "refused" in report:
        raise RefusedError(f"it holds {report['refused']}", where=path, remedy=_REMEDY)
    if "broken" in report:
        raise CheckpointCorrupt(f"damaged: {report['broken']}", where=path, remedy="Copy it again from where it came.")
    tensors, _ = unpack_bytes(payload, path, allow_nonfinite=True)
    return Foreign(path, tensors, report["facts"], digest, tuple(map(str, report["holds"])))


def _ask(file: BinaryIO, size: int, path: Path) -> tuple[bytes, dict[str, Any]]:
    """Safetensors bytes and the report of a process that reads `file`. Raises RefusedError, ResourceError."""
    seconds = SECONDS + size // BYTES_A_SECOND
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START, str(seconds)]
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # the process goes on where this descriptor stands, whatever was buffered
    environment: dict[str, str] | None = (
        {} if sys.platform != "win32" else None
    )  # nothing of ours, where the system can do without
    try:
        process = subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=_root(),
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ResourceError(f"the reading process cannot be started ({error.strerror})", where=path) from None
    watchdog = threading.Timer(3 * seconds, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        answer = process.stdout.read(2 * size + 2 * MAX_REPORT)
    finally:
        watchdog.cancel()
        process.kill()  # it has said everything by now, or more than it may
        process.stdout.close() if process.stdout else None
        code = process.wait()
    length = int.from_bytes(answer[-8:], "little") if len(answer) >= 8 else 0
    if not 0 < length <= min(MAX_REPORT, len(answer) - 8):
        raise RefusedError(f"reading it {_how_it_ended(code)}", where=path, remedy=_REMEDY)
    report = parse_strict_json(answer[-8 - length : -8], path, max_bytes=MAX_REPORT, max_depth=4)
    whole = isinstance(report, dict) and (report.keys() <= {"refused", "broken"} or report.keys() == {"facts", "holds"})
    if not whole or not report:
        raise RefusedError("its reader gave no answer of its own", where=path, remedy=_REMEDY)
    return answer[: -8 - length], report


def _root() -> str:
    """A folder that exists everywhere and is nobody's."""
    return Path(sys.executable).anchor or "/"


def _how_it_ended(code: int) -> str:
    """Why a process ended that should have answered."""
    if code < 0 and code != -signal.SIGTERM:
        name = signal.Signals(-code).name
        limits = {"SIGKILL": "took too long or too much memory", "SIGXCPU": "took too much time"}
        return limits.get(name, f"was ended by {name}")
    return f"ended with code {code}"
