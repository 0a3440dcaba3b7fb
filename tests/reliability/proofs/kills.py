"""SIGKILL at random moments: no checkpoint is lost, the next start goes on by itself, and the end is the same, bit for bit."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from proofs.jobs import leave_out_frills
from proofs.outcome import Outcome
from proofs.processes import call, group_members, kill, start, wait_for
from proofs.reference import digest, record, unequal, write_pictures
from sagan.checkpoint.folder import CHECKPOINTS, newest, steps
from sagan.checkpoint.manifest import MANIFEST

CLAIM = (
    "A run killed at any moment, also inside a save, loses no published checkpoint, goes on by the same call, and ends "
    "in the same bits as the run that was never killed."
)
QUICK, FULL = 12, 200
LENGTH = 16
INSIDE = 0.7  # share of kills that aim at a save
LEAST_INSIDE, ENOUGH = 0.4, 50  # what was really hit, when there are enough kills to say
WITH_WORKERS = 0.2  # share of processes with two decoding workers


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """Kill `count` times, over as many runs of LENGTH steps as that takes. sabotage: for the test of this proof."""
    outcome = Outcome(facts={"inside a save": 0, "published checkpoints lost": 0, "runs": 0})
    data = write_pictures(workspace / "photos")
    whole = workspace / "whole"
    call(train, data, whole, 0, 0.0, log=workspace / "whole.log")
    expected = digest(whole, LENGTH)
    for number in itertools.count():
        run = Run(workspace / f"run-{number}", data, random.Random(f"{seed} {number}"), outcome, sabotage)
        broken = run.kill_until_finished(count)
        outcome.count("runs")
        if not broken and (difference := run.end(expected)):
            outcome.failures.append(difference)
        if outcome.tried >= count:
            break
    if count >= ENOUGH and outcome.facts["inside a save"] < LEAST_INSIDE * outcome.tried:
        outcome.failures.append(f"only {outcome.facts['inside a save']} of {outcome.tried} kills were inside a save")
    return outcome


class Run:
    """One run, killed and started again until it reaches its length."""

    def __init__(self, out: Path, data: Path, choice: random.Random, outcome: Outcome, sabotage: str | None) -> None:
        self.out, self.data, self.choice, self.outcome, self.sabotage = out, data, choice, outcome, sabotage
        self.kept = -1  # the newest step that was ever seen under its final name
        self.starts = 0
        self.has_workers = False

    @property
    def log(self) -> Path:
        return self.out.with_name(f"{self.out.name}-{self.starts}.log")

    def kill_until_finished(self, count: int) -> bool:
        """Whether the last kill broke the run; else it reached its length or the kills are spent."""
        while self.outcome.tried < count:
            expected = self.kept
            process = self.begin()
            if not self.kill_at_random(process):
                return False  # it finished first
            fault = self.look(expected)
            self.outcome.note(fault)
            if fault:
                return True
        return False

    def begin(self) -> BaseProcess:
        self.starts += 1
        self.has_workers = self.choice.random() < WITH_WORKERS
        pace = self.choice.choice([0.004, 0.008, 0.015])
        self.outcome.count("processes with workers", self.has_workers)
        return start(train, self.data, self.out, 2 * self.has_workers, pace, log=self.log, sabotage=self.sabotage)

    def kill_at_random(self, process: BaseProcess) -> bool:
        """Kill inside a save, or some time after one; False when the process reached the run's end before that."""
        aim_inside = self.choice.random() < INSIDE
        for number in range(self.choice.randint(1, 3)):
            if number:
                wait_for(lambda: not self.saving(process), process)
            before = self.newest_seen()
            wait_for((lambda: self.saving(process)) if aim_inside else (lambda: self.newest_seen() > before), process)  # noqa: B023
        time.sleep(self.choice.uniform(0, 0.06 if aim_inside else 0.6))
        if not process.is_alive():
            process.join()
            if process.exitcode != 0:
                raise RuntimeError(f"a child ended with {process.exitcode}: {self.log.read_text()[-2000:]}")
            return False
        workers = self.has_workers and group_members(process.pid) != [process.pid]
        if workers and self.choice.random() < 0.5:  # a system short of memory kills one process, and not its group
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        else:
            kill(process)
            self.outcome.count("groups with workers killed", workers)
        return process.exitcode == -signal.SIGKILL

    def saving(self, process: BaseProcess) -> bool:
        """Whether a save of this process is under way, or, as must not be, goes on under the final name."""
        checkpoints = self.out / CHECKPOINTS
        return any(
            f"-{process.pid}-" in name if name.startswith(".tmp-step-") else is_torn(checkpoints / name)
            for name in self.names()
        )

    def newest_seen(self) -> int:
        self.kept = max([self.kept, *steps(self.out)])
        return self.kept

    def names(self) -> list[str]:
        folder = self.out / CHECKPOINTS
        return os.listdir(folder) if folder.is_dir() else []

    def look(self, expected: int) -> str | None:
        """What the kill did, before anything is repaired. expected: the step that this process had to go on from."""
        if any(name.startswith((".tmp-", ".trash-", ".replaced-")) for name in self.names()):
            self.outcome.count("inside a save")
        said = self.log.read_text()
        if (
            self.starts > 1
            and expected > 0
            and "Going on from" in said
            and f"Going on from step {expected}." not in said
        ):
            return f"{self.out.name}: did not go on from step {expected}: {said[-300:]}"
        self.newest_seen()
        found, warnings = newest(self.out)
        got = -1 if found is None else int(found.name.removeprefix("step-"))
        if got < self.kept or warnings:
            self.outcome.count("published checkpoints lost")
            return f"{self.out.name}: the newest whole checkpoint is of step {got}, not {self.kept} {warnings}"
        return None

    def end(self, expected: dict[str, str]) -> str | None:
        """Let the run reach its length; what differs from the run that was never killed."""
        self.starts += 1
        call(train, self.data, self.out, 0, 0.0, log=self.log)
        left = [path.name for path in self.out.rglob(".*") if path.name.startswith((".tmp-", ".trash-", ".replaced-"))]
        if left:
            return f"{self.out.name}: left behind {left}"
        difference = unequal(digest(self.out, LENGTH), expected)
        return difference and f"{self.out.name}: {difference}"


def is_torn(folder: Path) -> bool:
    """Whether a checkpoint under its final name lacks its manifest."""
    return folder.name.startswith("step-") and folder.exists() and not (folder / MANIFEST).exists()


def train(data: Path, out: Path, workers: int, pace: float) -> None:
    """The child's work: the reference job, saving after every step. pace: seconds that each piece of a file takes."""
    from sagan.training.reporting import Note
    from sagan.workflows.train import train

    leave_out_frills()
    slow_down(pace)
    often = {"save_every": 1, "sample_every": 7, "log_every": 5}
    config = record(data, out, steps=LENGTH, workers=workers, cache_mib=0 if workers else 64, **often)
    train(config, watch=lambda event: print(event.text, flush=True) if isinstance(event, Note) else None)


def slow_down(pace: float) -> None:
    """A slow disk: files grow piece by piece, so that a kill finds them half-written."""
    write = os.write

    def write_a_piece(descriptor: int, payload: bytes) -> int:
        if len(payload) < 1 << 14:
            return write(descriptor, payload)
        time.sleep(pace)
        return write(descriptor, payload[: 1 << 15])

    if pace:
        os.write = write_a_piece
