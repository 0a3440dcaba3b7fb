"""Processes that train together under torchrun: one is killed, or frozen, and the job goes on by itself to the same end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from proofs.outcome import Outcome
from proofs.reference import SOURCE, digest, unequal, words, write_pictures
from sagan.checkpoint.folder import steps

CLAIM = (
    "Of two processes that train together one is killed at a random moment: the other is gone within two seconds, torchrun "
    "starts both again, they go on from the last checkpoint, and the end has the same bits as a run that was left alone. A "
    "process that is frozen is noticed within the set time and a second."
)
QUICK, FULL = 1, 50
LENGTH, SAVED_EVERY = 12, 3
FROZEN = 0.1  # share of the trials in which it is stopped instead of killed
PEER_TIMEOUT = 5  # seconds, in those
NOTICED = 2.0
LONGEST = 240.0  # seconds for a whole trial on a busy machine


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """Kill or freeze `count` times, once a run. sabotage: more words for the training command, for the test of this proof."""
    outcome = Outcome(facts={"killed": 0, "frozen": 0, "slowest notice of a kill, s": 0.0})
    data = write_pictures(workspace / "photos")
    alone = workspace / "alone"
    job = launch(data, alone)
    if job.wait(LONGEST):
        raise RuntimeError(f"the undisturbed job failed: {log_of(alone)[-2000:]}")
    expected = digest(alone, LENGTH)
    for number in range(count):
        choice = random.Random(f"{seed} {number}")
        freeze = choice.random() < FROZEN
        outcome.note(disturb(data, workspace / f"run-{number}", choice, freeze, expected, outcome, sabotage))
    return outcome


def launch(data: Path, out: Path, *, restarts: int = 0, more: str | None = None) -> subprocess.Popen[bytes]:
    """The reference job under torchrun, in a session of its own; what it prints goes beside its folder."""
    options = {"steps": LENGTH, "save_every": SAVED_EVERY, "sample_every": 0, "n_dis": 1, "peer_timeout": PEER_TIMEOUT}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), "--monitor-interval", "0.1", "-m", "sagan"]
    command += [*words(data, out, **options), *(more.split() if more else [])]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_name(f"{out.name}.txt").open("wb") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, env=environment, start_new_session=True)


def log_of(out: Path) -> str:
    return out.with_name(f"{out.name}.txt").read_text(errors="replace")


def disturb(
    data: Path,
    out: Path,
    choice: random.Random,
    freeze: bool,
    expected: dict[str, str],
    outcome: Outcome,
    sabotage: str | None,
) -> str | None:
    """One run: hit one of its processes after a random step; what went wrong, or None."""
    job = launch(data, out, restarts=3, more=sabotage)
    try:
        at = choice.randint(1, LENGTH - 2)
        if not wait_until(lambda: step_of(out) >= at, job):
            return f"{out.name}: never came to step {at}: {log_of(out)[-500:]}"
        ranks = processes_of(job.pid)
        if sorted(ranks) != [0, 1]:
            return None if job.poll() == 0 else f"{out.name}: found the processes {ranks}"
        hit = choice.randrange(2)
        os.kill(ranks[hit], signal.SIGSTOP if freeze else signal.SIGKILL)
        outcome.count("frozen" if freeze else "killed")
        began = time.monotonic()
        if not wait_until(lambda: not is_alive(ranks[1 - hit]), job):
            return f"{out.name}: the other process never left"
        took = time.monotonic() - began
        if not freeze:
            outcome.facts["slowest notice of a kill, s"] = max(
                outcome.facts["slowest notice of a kill, s"], round(took, 2)
            )
        bound = PEER_TIMEOUT + 1 + NOTICED if freeze else NOTICED
        if took > bound:
            return f"{out.name}: the other process left after {took:.1f} s, not {bound:.0f}"
        if (code := job.wait(LONGEST)) != 0:
            return f"{out.name}: the job ended with {code}: {log_of(out)[-800:]}"
        difference = unequal(digest(out, LENGTH), expected)
        return difference and f"{out.name}: after step {at} {difference}"
    finally:
        if job.poll() is None:
            for pid in [*processes_of(job.pid).values(), job.pid]:
                os.kill(pid, signal.SIGKILL)
            job.wait()


def step_of(out: Path) -> int:
    """The last step in the run's log; 0 without one."""
    try:
        lines = (out / "log.jsonl").read_text().splitlines()
        return max((json.loads(line).get("step", 0) for line in lines if line.endswith("}")), default=0)
    except (OSError, ValueError):
        return max([0, *steps(out)])


def wait_until(true: object, job: subprocess.Popen[bytes]) -> bool:
    """Whether it came true before the job ended or its time was up."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        if true():  # type: ignore[operator]
            return True
        if job.poll() is not None:
            return bool(true())  # type: ignore[operator]
        time.sleep(0.02)
    return False


def processes_of(agent: int) -> dict[int, int]:
    """Rank -> process number, of the children of torchrun's agent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            variables = dict(pair.split("=", 1) for pair in (entry / "environ").read_text().split("\0") if "=" in pair)
        except (OSError, ValueError, UnicodeDecodeError):
            continue
        if parent == agent and "RANK" in variables and is_alive(int(entry.name)):
            found[int(variables["RANK"])] = int(entry.name)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet fetched by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def missing() -> str | None:
    """What this machine lacks for the proof."""
    return None if Path("/proc/self/environ").exists() else "finding the processes of a job needs Linux"
