"""G12: two runs started into one folder at the same moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from proofs.outcome import Outcome
from proofs.processes import kill, start, wait_for
from proofs.reference import record, words, write_pictures
from sagan.disk import FolderLock
from sagan.errors import BusyError

CLAIM = (
    "Of two runs started into one folder at once exactly one trains; the other ends with code 7 within two seconds and "
    "names the owner, also while that one is stopped; after a kill -9 of the owner the folder is free within a second."
)
QUICK, FULL = 5, 50
MAY_TAKE = 2.0  # seconds from trying to the end of the loser
MAY_HOLD = 1.0  # seconds from the owner's death until the folder is free
PATIENCE = 30.0  # seconds until nobody gave way
FOLDERS = ("missing", "empty", "with the lock of a dead process", "with a run")


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """`count` races. sabotage: for the test of this proof."""
    outcome = Outcome(facts={"slowest loser, s": 0.0, "slowest to be free, s": 0.0, "owners stopped": 0})
    data = write_pictures(workspace / "photos")
    former = workspace / "former"
    for number in range(count):
        choice = random.Random(f"{seed} {number}")
        kind = FOLDERS[number % len(FOLDERS)]
        race = Race(workspace / f"race-{number}", data, choice, outcome, sabotage)
        lay_out(race.folder, kind, data, former)
        try:
            wrong = race.run()
        finally:
            race.clear()
        outcome.note(wrong and f"race {number}, folder {kind}: {wrong}")
    return outcome


def lay_out(folder: Path, kind: str, data: Path, former: Path) -> None:
    """What the two find."""
    if kind == "with a run":
        from sagan.workflows.train import train

        if not former.exists():
            train(record(data, former, steps=1, sample_every=0))
        shutil.copytree(former, folder)
    elif kind != "missing":
        folder.mkdir(parents=True)
    if kind == "with the lock of a dead process":
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        lock = f'{{"pid": {dead.pid}, "host": "{socket.gethostname()}", "started": "1999"}}\n'
        (folder / ".lock").write_text(lock)


class Race:
    """One race and what follows it."""

    def __init__(self, at: Path, data: Path, choice: random.Random, outcome: Outcome, sabotage: str | None) -> None:
        self.folder, self.data, self.choice, self.outcome, self.sabotage = at / "run", data, choice, outcome, sabotage
        self.at = at
        self.processes: list[BaseProcess] = []
        at.mkdir()

    def run(self) -> str | None:
        """What went wrong, or None."""
        first, second = self.begin("first"), self.begin("second")
        if not wait_for(lambda: all((self.at / f"{name}.ready").exists() for name in ("first", "second"))):
            return f"they did not get ready: {self.said('first')} {self.said('second')}"
        (self.at / "go").touch()
        wait_for(lambda: not (first.is_alive() and second.is_alive()), patience=PATIENCE)
        if first.is_alive() and second.is_alive():
            return "both train"
        loser, winner, name = (first, second, "first") if not first.is_alive() else (second, first, "second")
        time.sleep(self.choice.uniform(0, 0.3))  # whoever won goes on
        if not winner.is_alive():
            return f"none trains: {self.said('first')} {self.said('second')}"
        return self.turned_away(loser, winner, name) or self.while_stopped(winner) or self.after_its_death(winner)

    def begin(self, name: str) -> BaseProcess:
        workers = self.choice.choice([0, 2])
        process = start(compete, self.at, self.data, name, workers, log=self.at / f"{name}.log", sabotage=self.sabotage)
        self.processes.append(process)
        return process

    def said(self, name: str) -> str:
        log = self.at / f"{name}.log"
        return log.read_text()[-1000:] if log.exists() else ""

    def turned_away(self, loser: BaseProcess, winner: BaseProcess, name: str) -> str | None:
        """Whether the loser ended as it should."""
        loser.join()
        said = self.said(name)
        if loser.exitcode != BusyError.exit_code:
            return f"the loser ended with code {loser.exitcode}: {said}"
        took = float(said.rpartition("took ")[2])
        self.outcome.facts["slowest loser, s"] = max(self.outcome.facts["slowest loser, s"], round(took, 3))
        if took > MAY_TAKE:
            return f"the loser took {took:.2f} s"
        if f"process {winner.pid} on {socket.gethostname()}, since 20" not in said:
            return f"the loser does not name the owner, which is {winner.pid}: {said}"
        return None

    def while_stopped(self, winner: BaseProcess) -> str | None:
        """A stopped owner still owns; tried every second time."""
        if self.choice.random() < 0.5:
            return None
        self.outcome.count("owners stopped")
        os.kill(winner.pid, signal.SIGSTOP)
        third = self.begin("third")
        third.join(PATIENCE)
        if third.exitcode is None:
            return "a third one trains while the owner is stopped"
        return self.turned_away(third, winner, "third")

    def after_its_death(self, winner: BaseProcess) -> str | None:
        """How long the folder stays held; the owner's own children live on."""
        os.kill(winner.pid, signal.SIGKILL)
        died = time.monotonic()
        while True:
            try:
                with FolderLock(self.folder):
                    took = time.monotonic() - died
                    break
            except BusyError:
                if time.monotonic() - died > PATIENCE:
                    return f"the folder was held {PATIENCE:.0f} s after its owner had been killed"
        self.outcome.facts["slowest to be free, s"] = max(self.outcome.facts["slowest to be free, s"], round(took, 3))
        return f"the folder was held for {took:.2f} s" if took > MAY_HOLD else None

    def clear(self) -> None:
        """End what still runs."""
        for process in self.processes:
            kill(process)
        shutil.rmtree(self.folder, ignore_errors=True)


def compete(at: Path, data: Path, name: str, workers: int) -> int:
    """A child's work: wait at the barrier, then `sagan train` without an end."""
    from sagan.cli import commands, main, progress  # noqa: F401  (loaded before the barrier: only the race is measured)

    argv = words(
        data,
        at / "run",
        steps=0,
        time="1h",
        save_every=0,
        sample_every=0,
        workers=workers,
        cache_mib=0 if workers else 64,
    )
    tried: list[float] = []
    enter = FolderLock.__enter__

    def noted(lock: FolderLock) -> FolderLock:
        tried.append(time.monotonic())
        return enter(lock)

    FolderLock.__enter__ = noted
    (at / f"{name}.ready").touch()
    while not (at / "go").exists():
        time.sleep(0.0005)
    code = main.main(argv)
    print(f"took {time.monotonic() - tried[0]:.4f}", flush=True)
    return code
