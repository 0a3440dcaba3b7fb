"""A folder with every kind of bad and odd picture beside good ones."""

from __future__ import annotations

import json
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bad_pictures import BACKGROUND, KINDS, SIDE, Case, write_corpus, write_good
from numpy.typing import NDArray

from proofs.outcome import Outcome
from sagan.data.check import check_data
from sagan.data.config import DataConfig
from sagan.data.decode import decode, strict_pillow
from sagan.data.faults import REMEDIES, Skipped
from sagan.data.images import open_images
from sagan.data.report import portable
from sagan.workflows.check_data import check_data as check_folder

CLAIM = (
    "Every bad picture is named with its reason, odd ones show the right pixels, and the good ones beside are unharmed."
)
QUICK = 200
FULL = 25 * len(KINDS)
RUNS = 3  # of the report
MOST_SECONDS = 2.0  # of processor time, so that other work on the machine does not count


@dataclass(frozen=True)
class Report:
    """What became of a set: used (name -> digest and pixels), skipped, and the set's fingerprint."""

    used: dict[str, tuple[bytes, NDArray[np.uint8]]]
    skipped: list[Skipped]
    fingerprint: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Report):
            return False
        same = (self.skipped, self.fingerprint, list(self.used)) == (other.skipped, other.fingerprint, list(other.used))
        return same and all(np.array_equal(square, other.used[name][1]) for name, (_, square) in self.used.items())


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Open the folder twice, check it, and write the report three times, as a user would.

    One trial for each file of the corpus, and a few for what concerns all.
    """
    outcome = Outcome()
    folder, clean = workspace / "set", workspace / "clean"
    cases = write_corpus(folder, count, seed)
    write_good(folder)
    write_good(clean)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = open_report(folder, threads=1)
            again = open_report(folder, threads=3, cache_mib=0)
            good = open_report(clean, threads=1)
            checked = check_data(config_of(folder), SIDE)
            reports = [written_report(folder, workspace / f"report-{run}.jsonl") for run in range(RUNS)]
    except Exception as error:  # whatever it is, a bad picture has let it out
        outcome.note(f"crashed with {type(error).__name__}: {error}")
        outcome.tried = count
        return outcome
    for name, case in cases.items():
        outcome.note(what_is_wrong(name, case, found))
    outcome.note(None if found == again else "opening it again gave another report")
    outcome.note(None if checked.bad == found.skipped else "the check names other files than opening does")
    outcome.note(None if len(set(reports)) == 1 else "the reports differ")
    outcome.note(_about_report(reports[0], found))
    outcome.note(_about_good(found, good, set(cases)))
    outcome.note(_about_duplicates(found, checked.duplicates))
    outcome.facts = {"kinds": len(KINDS), "used": len(found.used) - len(good.used), "refused": len(found.skipped)}
    return outcome


def config_of(folder: Path, **options: object) -> DataConfig:
    """The folder, with bad pictures left out however many they are."""
    background = "#{:02x}{:02x}{:02x}".format(*BACKGROUND)
    return DataConfig(data=str(folder), max_bad=1.0, background=background, **options)


def open_report(folder: Path, threads: int, **options: object) -> Report:
    """Open it as a training does."""
    images = open_images(config_of(folder, **options), SIDE, threads=threads)
    try:
        squares = images.pictures(range(len(images)))
    finally:
        images.close()
    used = {name: (images.digests[row].tobytes(), squares[row]) for row, name in enumerate(images.names)}
    return Report(used, images.skipped, images.fingerprint)


def what_is_wrong(name: str, case: Case, found: Report) -> str | None:
    """How the report departs from what is said of this file; None where it does not."""
    reasons = [entry.reason_code for entry in found.skipped if entry.where == name]
    became = "used" if name in found.used else "refused" if reasons else "left alone"
    if became not in (("used", "refused") if case.action == "either" else (case.action,)):
        return f"{name!a}: {became} {reasons}, not {case.action}"
    if name in found.used and reasons:
        return f"{name!a}: both used and refused"
    if reasons and (len(reasons) > 1 or reasons[0] != (case.code or reasons[0]) or reasons[0] not in REMEDIES):
        return f"{name!a}: refused with {reasons}, not {case.code}"
    if became == "used" and case.pixels is not None:
        away = float(np.abs(found.used[name][1] - case.pixels).max())
        if away > case.tolerance:
            return f"{name!a}: its pixels are {away:g} levels away"
    return _about_time(name, case)


def written_report(folder: Path, path: Path) -> bytes:
    """What `sagan data check --report` leaves."""
    check_folder(config_of(folder), SIDE, path.with_suffix(".png"), report=path)
    return path.read_bytes()


def _about_report(report: bytes, found: Report) -> str | None:
    """Every picture that is left out, with path, code and action."""
    lines = [json.loads(line) for line in report.decode("utf-8").splitlines()]
    told = sorted((line["path"], line["code"], line["action"]) for line in lines)
    expected = sorted((portable(entry.where), entry.reason_code, "skip") for entry in found.skipped)
    return None if told == expected else "the written report is not what opening the set found"


def _about_time(name: str, case: Case) -> str | None:
    if not isinstance(case.content, bytes):
        return None
    start = time.thread_time()
    with strict_pillow():
        decode(case.content, at_least=SIDE)
    took = time.thread_time() - start
    return f"{name!a}: took {took:.1f} s" if took > MOST_SECONDS else None


def _about_good(found: Report, good: Report, others: set[str]) -> str | None:
    """The good pictures, as in a folder of their own."""
    kept = {name: entry for name, entry in found.used.items() if name not in others}
    if list(kept) != list(good.used):
        return "other files are used than the good ones and those of the table"
    changed = [
        name
        for name, (digest, square) in good.used.items()
        if kept[name][0] != digest or not np.array_equal(kept[name][1], square)
    ]
    return f"good pictures came back changed: {changed}" if changed else None


def _about_duplicates(found: Report, said: list[tuple[str, ...]]) -> str | None:
    groups = defaultdict(set)
    for name, (digest, _) in found.used.items():
        groups[digest].add(name)
    twins = {frozenset(names) for names in groups.values() if len(names) > 1}
    return (
        None if {frozenset(names) for names in said} == twins and twins else "the duplicates are not as they lie there"
    )
