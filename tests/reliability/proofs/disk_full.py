"""G17: a disk that is full for real, of 24 sizes; and one without room for names, and files that may not grow."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from proofs.outcome import Outcome
from proofs.processes import call
from proofs.reference import digest, record, unequal, write_pictures
from proofs.small_disk import SmallDisk, missing
from sagan.checkpoint.folder import CHECKPOINTS, newest, read_folder, step_folder
from sagan.disk import write_atomic
from sagan.errors import ResourceError, SaganError

CLAIM = (
    "On a disk with room for 0.1 to 2.4 more checkpoints, one without room for names, or under a limit on the size of "
    "files: the checkpoint before is whole, the run ends with code 5 or goes on as it was told to, and with space again "
    "it goes on to the same bits."
)
QUICK, FULL = 3, 24
STARTED, LENGTH = 2, 6
SIZES = tuple((1 + 7 * number % 24) / 10 for number in range(24))  # 0.1, 0.8, 1.5, ...: each once, a few spread well
ALLOWED = (0, 2, 99)


@dataclass(frozen=True)
class Case:
    """kind: 'room' for so many checkpoints, 'names', or 'growth' of files. free_meanwhile: make room after a failed save."""

    kind: str
    amount: float
    failed_saves: int
    free_meanwhile: bool


def prove(count: int, seed: int, workspace: Path, *, sabotage: str | None = None) -> Outcome:
    """`count` sizes, then the other limits. sabotage: for the test of this proof."""
    outcome = Outcome(facts={"ended with code 5": 0, "failed saves lived through": 0})
    if reason := missing():
        outcome.facts[f"skipped: {reason}"] = count
        return outcome
    data = write_pictures(workspace / "photos")
    for name, steps in (("former", STARTED), ("whole", LENGTH)):
        call(begin, data, workspace / name, steps, log=workspace / f"{name}.log")
    expected = digest(workspace / "whole", LENGTH)
    for number, case in enumerate(cases(count, seed)):
        place = workspace / f"disk-{number}"
        said = call(
            use, asdict(case), data, workspace / "former", place, log=workspace / f"{number}.log", sabotage=sabotage
        )
        found = json.loads(said.splitlines()[-1])
        outcome.count("ended with code 5", found["code"] == ResourceError.exit_code)
        outcome.count("failed saves lived through", found["lived through"])
        wrong = found["wrong"] or unequal(found["digest"], expected)
        outcome.note(wrong and f"{case}: {wrong}")
    return outcome


def cases(count: int, seed: int) -> list[Case]:
    """Every second one gets its room in the middle of the run, the others after it."""
    choice = random.Random(seed)
    limits = [("room", size) for size in SIZES[:count]] + [("names", choice.randrange(3, 8)), ("growth", 0.5)]
    return [
        Case(kind, amount, 99 if number % 2 == 0 else choice.choice(ALLOWED), number % 2 == 0)
        for number, (kind, amount) in enumerate(limits)
    ]


def config_of(data: Path, out: Path, steps: int, failed_saves: int = 3):
    """The reference job with a save a step."""
    return record(data, out, steps=steps, save_every=1, sample_every=4, failed_saves=failed_saves)


def begin(data: Path, out: Path, steps: int) -> None:
    """A child's work: a run on a disk with enough room."""
    from sagan.workflows.train import train

    draw_no_report()
    train(config_of(data, out, steps))


def use(words: dict[str, object], data: Path, former: Path, place: Path) -> None:
    """A child's work: go on with a copy of `former` on a small disk; the last line it prints is what was found."""
    from sagan.training.reporting import Note
    from sagan.workflows.train import train

    draw_no_report()
    case = Case(**words)
    disk, run = SmallDisk(place), place / "run"
    shutil.copytree(former, run)
    tighten(disk, case, run)
    notes: list[str] = []

    def watch(event: object) -> None:
        if isinstance(event, Note) and "no checkpoint at step" in event.text:
            notes.append(event.text)
            if case.free_meanwhile:
                loosen(disk)

    config = config_of(data, run, LENGTH, case.failed_saves)
    raised = None
    try:
        train(config, watch=watch)
    except (SaganError, OSError) as error:
        raised = error
    wrong = look(case, former, run, raised, len(notes))
    loosen(disk)
    train(config)
    found = {"code": getattr(raised, "exit_code", 0), "lived through": len(notes), "wrong": wrong}
    print(json.dumps(found | {"digest": digest(run, LENGTH)}))


def draw_no_report() -> None:
    """A page of the usual size instead of the report, whose pictures take longer than all the rest of the job."""
    from sagan.workflows import chores

    chores.write_report = lambda folder: write_atomic(folder.report, bytes(200_000))


def tighten(disk: SmallDisk, case: Case, run: Path) -> None:
    """Set the limit of the case."""
    files = [path.stat().st_size for path in step_folder(run, STARTED).iterdir()]
    if case.kind == "room":
        disk.leave(int(case.amount * sum(files)))
    elif case.kind == "names":
        disk.leave_names(int(case.amount))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(case.amount * max(files)), resource.RLIM_INFINITY))


def loosen(disk: SmallDisk) -> None:
    """Take every limit away."""
    disk.make_large()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def look(case: Case, former: Path, run: Path, raised: Exception | None, failed: int) -> str | None:
    """What is wrong after the disk was full, before anything is repaired."""
    left = [name for folder in (run, run / CHECKPOINTS, run / "samples") for name in os.listdir(folder)]
    if left := [name for name in left if name.startswith((".tmp-", ".trash-", ".replaced-"))]:
        return f"left over: {left}"
    found, warnings = newest(run)
    if found is None or warnings:
        return f"no whole newest checkpoint: {warnings}"
    before = step_folder(former, STARTED)
    if found.name == before.name and read_folder(found) != read_folder(before):
        return "the checkpoint of before is another"
    if raised is None:
        fits = case.kind != "room" or case.amount >= 1 or (case.free_meanwhile and failed)
        if not fits:
            return "it ended well without room for a checkpoint"
        return None if found.name == step_folder(run, LENGTH).name else f"it ended well, and the newest is {found.name}"
    if not isinstance(raised, ResourceError) or str(run) not in str(raised):
        return f"it ended with {raised!r}"
    if case.kind == "room" and case.amount > 1.15:
        return f"it ended although a checkpoint fits: {raised}"
    return None
