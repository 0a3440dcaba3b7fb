"""Processes that a proof may kill: forked from one that has torch imported, so that a start costs a fraction of a second.

The one they are forked from does nothing but fork. So it has no threads whose locks a child could inherit, and a child
starts as a new process would: nothing of one trial reaches the next.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

from proofs import sabotage as sabotages

PRELOAD = [
    "torch._dynamo",  # torch's optimisers import it when the first one is made, which takes seconds
    "sagan.workflows.train",
    "sagan.workflows.sample",
    "sagan.workflows.check_data",
]
PATIENCE = 120.0  # seconds until a child counts as hung: machines may be busy


def start(work: Callable[..., object], *arguments: object, log: Path, sabotage: str | None = None) -> BaseProcess:
    """Call `work(*arguments)` in a process and a process group of its own; both streams go to `log`.

    sabotage: a function of proofs.sabotage to call first, for the tests of the proofs.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=_child, args=(work, arguments, str(log), sabotage))
    process.start()
    return process


def call(work: Callable[..., object], *arguments: object, log: Path, sabotage: str | None = None) -> str:
    """The same, waited for; what the child said. Raises RuntimeError with it when the child failed."""
    process = start(work, *arguments, log=log, sabotage=sabotage)
    process.join(PATIENCE)
    if process.exitcode is None:
        kill(process)
    said = log.read_text() if log.exists() else ""
    if process.exitcode != 0:
        raise RuntimeError(f"a child ended with {process.exitcode}: {said[-2000:]}")
    return said


def kill(process: BaseProcess) -> None:
    """SIGKILL to the whole process group, and wait."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.join()


def wait_for(condition: Callable[[], bool], process: BaseProcess | None = None, patience: float = PATIENCE) -> bool:
    """Look often until the condition holds; False when the process ended, or patience did, before that."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline or (process is not None and not process.is_alive()):
            return condition()
        time.sleep(0.002)
    return True


def group_members(group: int) -> list[int]:
    """The processes of a group that still run; zombies, which only wait for somebody to take note, do not count."""
    return [process for process, group_of, state in _processes() if group_of == group and state not in "ZX"]


def _processes() -> Iterator[tuple[int, int, str]]:
    """(process, group, state) of all processes, from /proc."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it is gone
                continue
            yield int(entry.name), int(fields[2]), fields[0]


def _child(work: Callable[..., object], arguments: tuple[object, ...], log: str, sabotage: str | None) -> None:
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
    if sabotage is not None:
        getattr(sabotages, sabotage)()
    code = work(*arguments)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else 0)
