"""G2: every effect of a save fails in every way, through the seam and, where strace is there, in a real process."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from unittest import mock

from proofs.outcome import Outcome
from sagan.checkpoint.folder import CHECKPOINTS, newest, publish, read_folder, step_folder, steps, sweep
from sagan.checkpoint.retention import publish_or_make_room, retain
from sagan.disk import DISK, Disk
from sagan.errors import ResourceError, SaganError

CLAIM = (
    "Whatever call of a save fails, by a kill, a full, failing or read-only disk or a short write, once or from then on, "
    "the old or the new checkpoint loads, nothing is left over after the next start, and the next save works."
)
QUICK, FULL = (
    3,
    150,
)  # faults in a real process, in full more than there are; through the seam each is tried in any case

EFFECTS = ("make_folder", "write", "sync_file", "sync_folder", "rename", "remove")
ERRORS = ("ENOSPC", "EIO", "EROFS")
CALLS = ("mkdir", "mkdirat", "write", "fsync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir")
KEPT = 2
AGAIN = b" again"  # in what is saved while calls fail, so that it differs from a former save of the same step


class Killed(BaseException):
    """The process is gone: nothing after this reaches the disk."""


class FaultyDisk(Disk):
    """Fails at effect number `fail_at` (from 1), after half a write; once, or from then on. `short` counts writes only."""

    def __init__(self, fail_at: int, fault: str, persistent: bool) -> None:
        self.fail_at, self.fault, self.persistent = fail_at, fault, persistent
        self.count, self.fired = 0, False

    def meets_fault(self, name: str) -> bool:
        """Whether this effect is one that fails."""
        self.count += self.fault != "short" or name == "write"
        hit = self.count == self.fail_at or (self.fired and (self.persistent or self.fault == "kill"))
        hit &= self.fault != "short" or name == "write"
        self.fired |= hit
        return hit


def _faulty(name: str):
    def effect(self: FaultyDisk, *arguments: object) -> object:
        if not self.meets_fault(name):
            return getattr(DISK, name)(*arguments)
        if self.fault == "short":
            with mock.patch("os.write", _half(os.write)):
                return getattr(DISK, name)(*arguments)
        if name == "write":
            path, payload = arguments
            path.write_bytes(payload[: len(payload) // 2])
        if self.fault == "kill":
            raise Killed
        number = getattr(errno, self.fault)
        raise OSError(number, os.strerror(number))

    return effect


def _half(write):
    """What a nearly full disk or a signal does: half of the bytes are written, and the caller is told so."""
    return lambda descriptor, payload: write(descriptor, payload[: max(1, len(payload) // 2)])


for _name in EFFECTS:
    setattr(FaultyDisk, _name, _faulty(_name))


def contents(step: int, salt: bytes = b"") -> dict[str, bytes]:
    """Files of a checkpoint; loading them is another proof's matter."""
    return {"model.safetensors": b"numbers %d " % step * 40 + salt, "state.json": b'{"step": %d}' % step + salt}


def begin(run: Path, replace: bool) -> None:
    """A run with two checkpoints: of steps 1 and 2, or of 2 and 3 when 3 is to be saved again."""
    for step in (1, 2, 3) if replace else (1, 2):
        publish(run, step, contents(step))
    retain(run, KEPT, step)


def save(run: Path, step: int, disk: Disk = DISK, salt: bytes = b"") -> None:
    """A save as training does it."""
    publish_or_make_room(run, step, contents(step, salt), KEPT, disk)
    retain(run, KEPT, step, None, disk)


def look(run: Path, *, replace: bool, succeeded: bool) -> str | None:
    """What is wrong after a save of step 3 met its fault, and the next start and save; None when nothing is."""
    sweep(run)  # what the next start does
    found, warnings = newest(run)
    if found is None or warnings:
        return f"no whole newest checkpoint: {warnings}"
    got, new = read_folder(found)[1], contents(3, AGAIN)
    if got != new and (found, got) != (step_folder(run, 3 if replace else 2), contents(3 if replace else 2)):
        return f"{found.name} is neither the old nor the new one"
    if succeeded and got != new:
        return "the save said that it worked, but the old one is the newest"
    if left := [name for name in os.listdir(run / CHECKPOINTS) if not name.startswith("step-")]:
        return f"left over: {left}"
    save(run, 4)
    if newest(run) != (step_folder(run, 4), []) or len(steps(run)) != KEPT:
        return f"the next save left {steps(run)}"
    return None


def through_the_seam(workspace: Path) -> Iterator[tuple[str, str | None]]:
    """(which fault, what went wrong) for every effect, in every way."""
    ways = product(("kill", *ERRORS, "short"), (False, True), (False, True))
    for fault, persistent, replace in ways:
        fail_at, fired = 0, True
        while fired:
            fail_at += 1
            run = workspace / "run"
            shutil.rmtree(run, ignore_errors=True)
            begin(run, replace)
            disk, raised = FaultyDisk(fail_at, fault, persistent), None
            try:
                save(run, 3, disk, AGAIN)
            except (Killed, SaganError, OSError) as error:
                raised = error
            fired = disk.fired
            name = f"{fault} {'from' if persistent else 'at'} effect {fail_at}, {'same' if replace else 'new'} step"
            if fired:
                wrong = look(run, replace=replace, succeeded=raised is None)
                if raised is not None and fault != "kill" and not says(raised, run):
                    wrong = wrong or f"it ended with {raised!r}"
                yield name, wrong


def says(error: BaseException, where: Path) -> bool:
    """Whether an error is ours, about the disk, and names the place."""
    return isinstance(error, ResourceError) and str(where) in str(error)


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Every effect through the seam, then `count` faults of system calls in a real process."""
    outcome = Outcome(facts={"in a real process": 0})
    with mock.patch("os.fsync", lambda descriptor: None):  # takes time, and shows nothing that power-loss does not
        for name, wrong in through_the_seam(workspace):
            outcome.note(wrong and f"{name}: {wrong}")
    if not can_trace():
        outcome.facts["skipped: no strace"] = count
        return outcome
    faults = list(real_faults(workspace))
    random.Random(seed).shuffle(faults)
    for call, fault, when in faults[:count]:
        outcome.count("in a real process")
        wrong = fault_in_process(workspace / "real", call, fault, when)
        outcome.note(wrong and f"{fault} in {call} number {when}: {wrong}")
    return outcome


def can_trace() -> bool:
    """Whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode == 0


def real_faults(workspace: Path) -> Iterator[tuple[str, str, str]]:
    """(system call, fault, which of them) for each call of a save that nothing disturbs, for errors also from then on."""
    run, log = workspace / "counted", workspace / "calls.txt"
    begin(run, False)
    subprocess.run([*traced(log), *saving(run)], check=True, env=environment(), capture_output=True)
    made = Counter(re.match(r"(?:\d+ +)?(\w+)\(", line)[1] for line in log.read_text().splitlines() if "(" in line)
    for call, times in made.items():
        for number in range(1, times + 1):
            yield call, "kill", str(number)
            for error in ERRORS:
                yield call, error, str(number)
                yield call, error, f"{number}+"


def fault_in_process(run: Path, call: str, fault: str, when: str) -> str | None:
    """Save in a process whose system calls fail; what went wrong, or None."""
    shutil.rmtree(run, ignore_errors=True)
    begin(run, False)
    log = run.with_name("fault.txt")
    way = "signal=SIGKILL" if fault == "kill" else f"error={fault}"
    command = [*traced(log), "-e", f"inject={call}:{way}:when={when}", *saving(run)]
    code = subprocess.run(command, env=environment(), capture_output=True).returncode
    text = log.read_text()
    met = "killed by SIGKILL" in text if fault == "kill" else "(INJECTED)" in text
    if not met:
        return "the fault was not met"
    if fault != "kill" and code not in (0, ResourceError.exit_code):
        return f"it ended with code {code}"
    return look(run, replace=False, succeeded=code == 0)


def traced(log: Path) -> list[str]:
    """The start of a command that notes the calls that change a disk."""
    return ["strace", "-o", str(log), "-e", "trace=" + ",".join(f"?{call}" for call in CALLS)]


def saving(run: Path) -> list[str]:
    """The command of a process that saves step 3; -B: it writes nothing else."""
    return [sys.executable, "-B", "-m", "proofs.faulted_calls", str(run)]


def environment() -> dict[str, str]:
    """That of this process, with the package and the proofs to be found."""
    here = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1] / "src")])}


def main() -> int:
    """In the process whose calls fail: silent, since a printed line would be a write too."""
    try:
        save(Path(sys.argv[1]), 3, salt=AGAIN)
    except SaganError as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
