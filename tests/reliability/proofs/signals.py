"""Ctrl-C, SIGTERM and SIGHUP in every phase of a command: the right exit code, one line, quickly, and nothing left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count as count_from
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from proofs import jobs
from proofs.kills import slow_down
from proofs.outcome import Outcome
from proofs.processes import call, group_members, kill, start, wait_for
from proofs.reference import digest, unequal, words, write_pictures
from proofs.reference import start as start_interpreter
from sagan.checkpoint.folder import newest
from sagan.disk import FolderLock

CLAIM = (
    "A signal in any phase ends a command with 128 plus its number, one line and within 10 seconds; no process, shared "
    "memory, lock or half-written file stays, and a training that was stopped goes on bit for bit."
)
QUICK, FULL = 1, 65  # per phase: 910 signals in all
AT_A_TIME = 3  # they mostly wait
MOST_LATE = 20  # times that one is tried again
SIGNALS = [signal.SIGINT] * 4 + [signal.SIGTERM] * 4 + [signal.SIGHUP]
LONGEST = 10.0  # seconds from the signal to the exit
STEPS = 16  # of the run that stopped ones are compared with; they take a tenth of a second a step, so as not to pass it
STEP_TAKES = 0.1
DELAY = 0.5  # seconds at most from the beginning of the phase to the signal


@dataclass(frozen=True)
class Phase:
    """verb: what is running.  target: the function, 'module:name', whose `nth` call begins the phase.  slow: seconds that
    each call is made longer.  twice: a second signal follows.  mapped: for a new interpreter, the library whose arrival
    in memory begins the phase.  data: what is trained on, the reference's pictures without.
    """

    verb: str
    target: str = ""
    nth: int = 1
    slow: float = 0.0
    twice: bool = False
    mapped: str = ""
    data: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def resumes(self) -> bool:
        """Whether the run is compared with the one that was never stopped."""
        return self.verb == "train" and not self.data and not self.mapped


STEP, PUBLISH = "sagan.training.loop:train_step", "sagan.checkpoint.folder:publish_folder"
PHASES = {
    "import": Phase("train", mapped="libtorch_cpu"),
    "config": Phase("train", mapped="pydantic_core"),
    "scan": Phase("train", "sagan.data.scan:prepare", slow=0.03),
    "build": Phase("train", "sagan.workflows.train:new_game", slow=0.2),
    "train": Phase("train", STEP, nth=3),
    "train, workers": Phase("train", STEP, nth=3, options={"workers": 2, "cache_mib": 0}),
    "train, twice": Phase("train", STEP, nth=3, twice=True),
    "save": Phase("train", PUBLISH, nth=2),
    "save, twice": Phase("train", PUBLISH, nth=2, twice=True),
    "report": Phase("train", "sagan.workflows.chores:write_report", slow=0.2),
    "score": Phase("train", "sagan.workflows.scoring:score", slow=0.2, data="emblems"),
    "sample": Phase("sample", "sagan.workflows.sample:paint", slow=0.3),
    "attend": Phase("attend", "sagan.workflows.attend:of_generated", slow=0.3),
    "data check": Phase("check", "sagan.data.scan:prepare", slow=0.03),
}


def prove(count: int, seed: int, workspace: Path, *, only: str | None = None, sabotage: str | None = None) -> Outcome:
    """Send `count` signals in each phase. only: one phase; sabotage: of the child; both for the test of this proof."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background job; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup, which the commands obey
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    stage = Stage(workspace, sabotage)
    wanted = [(name, number) for name in PHASES if only in (None, name) for number in range(count)]
    outcome = Outcome(facts={"phases": len({name for name, _ in wanted})})
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        trials = list(pool.map(lambda case: in_time(stage, *case, random.Random(f"{seed} {case}")), wanted))
    for (name, number), trial in zip(wanted, trials, strict=True):
        outcome.note(trial.fault and f"{name} {number}: {trial.fault}")
        outcome.count("came too late, tried again", trial.late)
    outcome.facts["slowest exit (s)"] = round(max(trial.seconds for trial in trials), 2)
    return outcome


@dataclass
class Answer:
    """fault: what went wrong, None when all was well.  seconds: until the exit.  late: times that the command had ended."""

    fault: str | None
    seconds: float
    late: int


def in_time(stage: Stage, name: str, number: int, choice: random.Random) -> Answer:
    """One trial, and others after it while the command has ended before the signal comes."""
    answer = Answer("late", 0.0, -1)
    while answer.fault == "late" and answer.late < MOST_LATE:
        late = answer.late + 1
        place = stage.place(f"{name.replace(', ', '-').replace(' ', '-')}-{number}-{late}")
        answer = Answer(*Trial(stage, PHASES[name], place, choice).run(DELAY / (1 + late)), late)
        if answer.fault is None:
            shutil.rmtree(place)
    return answer


class Stage:
    """What the trials share: pictures, and a run that nobody stopped, with all of its checkpoints."""

    def __init__(self, workspace: Path, sabotage: str | None) -> None:
        self.workspace, self.sabotage = workspace, sabotage
        self.data = write_pictures(workspace / "photos")
        self.whole = workspace / "whole"
        options = {"steps": STEPS, "save_every": 1, "keep": STEPS + 1, "sample_every": 0, "log_every": STEPS}
        call(jobs.train, self.data, self.whole, options, log=workspace / "whole.log")

    def place(self, name: str) -> Path:
        (self.workspace / name).mkdir()
        return self.workspace / name

    def words(self, phase: Phase, place: Path) -> list[str]:
        """The command of a phase."""
        if phase.verb == "train":
            chores = {"steps": 100_000, "save_every": 2, "sample_every": 3, "log_every": 2}
            return words(phase.data or self.data, place / "run", **{**chores, **phase.options})
        if phase.verb == "check":
            return ["data", "check", str(self.data), "--out", str(place / "out.png")]
        return [phase.verb, str(self.whole), "--device", "cpu", "--out", str(place / "out.png")]


class Trial:
    """One command, one signal (or two), and a look at what is left."""

    def __init__(self, stage: Stage, phase: Phase, place: Path, choice: random.Random) -> None:
        self.stage, self.phase, self.place, self.choice = stage, phase, place, choice
        self.number = choice.choice(SIGNALS)
        self.to_group = choice.random() < 0.5  # as a terminal does it, or as `kill` does

    def run(self, delay: float) -> tuple[str | None, float]:
        """(what went wrong, 'late' when the command had ended before the signal, None when all was well; seconds until
        the exit)"""
        before = shared_memory()
        group, ended, code, said = (self.begin_interpreter if self.phase.mapped else self.begin_fork)()
        if ended is None:
            return f"never came so far: {said()[-500:]}", 0.0
        time.sleep(self.choice.uniform(0, delay))
        seconds = self.send(group, ended)
        if code() == 0 and self.phase.verb != "train":
            return "late", 0.0
        fault = (
            self.look_at_exit(code(), seconds, said())
            or self.look_at_processes(group, before)
            or (self.look_at_run() if self.phase.verb == "train" else self.look_at_files())
        )
        return fault, seconds

    def begin_fork(self) -> tuple[int, Callable[[], bool] | None, Callable[[], Any], Callable[[], str]]:
        """Start the command in a fork and wait until the phase begins: (group, has it ended?, exit code, what it said)."""
        log, marker = self.place / "said.log", self.place / "began"
        arguments = (self.stage.words(self.phase, self.place), self.phase, marker)
        process = start(command, *arguments, log=log, sabotage=self.stage.sabotage)
        came = wait_for(marker.exists, process)
        if not came:
            kill(process)
        return process.pid or 0, (lambda: has_ended(process)) if came else None, lambda: process.exitcode, log.read_text

    def begin_interpreter(self) -> tuple[int, Callable[[], bool] | None, Callable[[], Any], Callable[[], str]]:
        """The same with a new Python."""
        process = start_interpreter(self.stage.words(self.phase, self.place))
        came = wait_for(lambda: is_mapped(process.pid, self.phase.mapped) or process.poll() is not None)
        said: list[str] = []

        def read() -> str:
            said.extend(process.communicate()[1:] if not said else [])
            return said[0]

        return process.pid, (lambda: process.poll() is not None) if came else None, process.poll, read

    def send(self, group: int, ended: Callable[[], bool]) -> float:
        """Send the signal, and another if the phase says so; seconds until the command ended."""
        begin = time.monotonic()
        tell(group, self.number, self.to_group)
        if self.phase.twice:
            time.sleep(self.choice.uniform(0, 0.1))
            tell(group, self.number, self.to_group)
        if not wait_for(ended, patience=3 * LONGEST):
            tell(group, signal.SIGKILL, True)
            wait_for(ended)
        return time.monotonic() - begin

    def look_at_exit(self, code: int, seconds: float, said: str) -> str | None:
        lines = said.splitlines()
        if code != 128 + self.number:
            return f"exit code {code} after {self.number.name}: {said[-500:]}"
        if seconds > LONGEST:
            return f"{seconds:.1f} s until the exit"
        if (
            not lines
            or not lines[-1].startswith("sagan: stopped")
            or "Traceback" in said
            or "Exception ignored" in said
        ):
            return f"no plain line at the end: {said[-500:]}"
        return None

    def look_at_processes(self, group: int, before: set[str]) -> str | None:
        wait_for(lambda: not group_members(group), patience=1.0)
        if left := group_members(group):
            tell(group, signal.SIGKILL, True)
            return f"{len(left)} processes stayed"
        wait_for(lambda: shared_memory() <= before, patience=2.0)
        return f"shared memory stayed: {sorted(shared_memory() - before)}" if shared_memory() - before else None

    def look_at_files(self) -> str | None:
        names = [path.name for path in self.place.iterdir() if path.name.startswith(".")]
        return f"files stayed: {names}" if names else None

    def look_at_run(self) -> str | None:
        """Whether the lock is free and the run goes on to where the one that was never stopped was."""
        out = self.place / "run"
        if out.exists():
            with FolderLock(out):
                pass
        if not self.phase.resumes:
            return None
        found, warnings = newest(out)
        step = 0 if found is None else int(found.name.removeprefix("step-"))
        if warnings or (found is None and self.phase.twice):
            return f"no whole checkpoint: {warnings}"
        if step + 1 > STEPS:
            return f"it came to step {step}, too far for a comparison"
        options = {"steps": step + 1, "save_every": 0, "sample_every": 0, **self.phase.options}
        call(jobs.train, self.stage.data, out, options, log=self.place / "after.log")
        left = [path.name for path in out.rglob(".*") if path.name.startswith((".tmp-", ".trash-"))]
        return f"files stayed: {left}" if left else unequal(digest(out, step + 1), digest(self.stage.whole, step + 1))


def command(spoken: list[str], phase: Phase, marker: Path) -> int:
    """The child's work: `sagan SPOKEN`, with a file that appears when the phase begins."""
    from sagan.cli.main import main
    from sagan.workflows import chores

    chores.REPORT_SHARE = 0  # a report at each save
    if phase.verb == "train":
        announce(STEP, marker.with_name("step"), 1, STEP_TAKES)
        slow_down(0.004)
    announce(phase.target, marker, phase.nth, phase.slow)
    sys.argv = ["sagan", *spoken]
    return main()


def announce(target: str, marker: Path, nth: int, slow: float) -> None:
    """Let the file `marker` appear at the nth call of a function, and each call last longer."""
    module_name, name = target.split(":")
    module = import_module(module_name)
    real, calls = getattr(module, name), count_from(1)

    def announced(*arguments: Any, **named: Any) -> Any:
        if next(calls) == nth:
            marker.touch()
        time.sleep(slow)
        return real(*arguments, **named)

    setattr(module, name, announced)


def tell(group: int, number: int, to_group: bool) -> None:
    """A signal to the process, or to its whole group; none when it is gone."""
    try:
        (os.killpg if to_group else os.kill)(group, number)
    except ProcessLookupError:
        pass


def has_ended(process: BaseProcess) -> bool:
    return process.exitcode is not None


def is_mapped(process: int, library: str) -> bool:
    """Whether a process has a library in its memory."""
    try:
        return library in Path(f"/proc/{process}/maps").read_text()
    except OSError:
        return False


def shared_memory() -> set[str]:
    """The names of all shared-memory segments of the machine that could be ours."""
    return {name for name in os.listdir("/dev/shm") if name.startswith(("torch", "psm", "sem", "mp-", "pym"))}
