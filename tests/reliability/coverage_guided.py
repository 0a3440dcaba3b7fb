"""Fuzzing led by coverage: Atheris changes small files and keeps each change that makes our readers do something new.

    python tests/reliability/coverage_guided.py images --seconds 600 --seed 7
    python tests/reliability/coverage_guided.py tar --record           leaves benchmarks/results/coverage-guided-tar.json
    python tests/reliability/coverage_guided.py tar --judge FILE       one input once more, which needs no Atheris

The optional long form of the proofs fuzz-*, with their readers, rules and mutators. It needs `pip install -e '.[fuzz]'`.
Exit code 1 when a rule was broken, with one line that says how and where the input lies.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from bad_pictures.mutate import mutated, small_files  # noqa: E402
from proofs import fuzz_archives, fuzz_checkpoints, fuzz_images, fuzz_records  # noqa: E402
from proofs.archive_corpus import PACKERS, Case, _forged_tar, damaged, whole_archives  # noqa: E402
from proofs.corpus import NEWER, write_run  # noqa: E402
from proofs.fuzzing import SPITEFUL, endures, mutate_bytes  # noqa: E402
from proofs.memory import MIB, MemoryWatch  # noqa: E402
from proofs.outcome import Outcome  # noqa: E402
from results_file import write_result  # noqa: E402

from sagan.checkpoint.folder import step_folder  # noqa: E402
from sagan.checkpoint.manifest import MANIFEST  # noqa: E402
from sagan.checkpoint.tensors import pack  # noqa: E402
from sagan.config import to_toml  # noqa: E402
from sagan.data.decode import strict_pillow  # noqa: E402
from sagan.data.sources.tar import PACKINGS  # noqa: E402
from sagan.presets import PRESETS, preset  # noqa: E402
from sagan.runtime import tune_allocator  # noqa: E402
from sagan.training.state import MODEL, STATE  # noqa: E402

KEPT = ROOT / "runs" / "fuzzing"  # where inputs that broke a rule are put
LAST = "last-input"  # written before each trial, so that no end of the process loses it
MOST_BYTES = 2**14  # of an input: slowness and memory that need more are for the crafted files of the proofs
MOST_MEMORY = 512 * MIB
HANGS = 300  # seconds of the clock, on a machine that may be very busy; an input that is not back by then is a fault
NOTE = "Inputs that reach new code are kept and changed again; each is judged by the rules of the proof about its kind"


@dataclass(frozen=True)
class Target:
    """One kind of file. seeds: whole and crafted ones to start from.  judge: None, or how an input broke a rule.

    vary: a change of our own, which keeps check sums and such right; may raise anything where it makes no sense of an input.
    """

    seeds: list[bytes]
    judge: Callable[[bytes], str | None]
    vary: Callable[[bytes, Random], bytes]


def images(workspace: Path) -> Target:
    """Picture files."""
    outcome = Outcome()

    def judge(payload: bytes) -> str | None:
        chance = Random(zlib.crc32(payload))  # equal bytes are judged equally
        with warnings.catch_warnings(record=True, action="always") as heard, strict_pillow():
            channels, fit = chance.choice((1, 3, 4)), chance.choice(fuzz_images.FITS)
            wrong = fuzz_images.what_is_wrong(payload, channels, fit, outcome)
        return wrong or (f"warns {heard[0].message}" if heard else None)

    return Target(small_files(), judge, lambda payload, chance: mutated(chance, [payload]))


def checkpoint_file(kind: str, workspace: Path) -> Target:
    """A file of a checkpoint."""
    run = write_run(workspace / "run")
    readers = fuzz_checkpoints.Readers(run, workspace / "alone.safetensors")
    files = {path.name: path.read_bytes() for path in step_folder(run, NEWER).iterdir()}
    crafted: dict[str, Callable[[], Iterable[bytes]]] = {
        "tensors": lambda: (pack({"a": torch.ones(2)}, {"b": 1}), *fuzz_checkpoints._bad_tensors()),
        "manifest": lambda: fuzz_checkpoints._bad_manifests(json.loads(files[MANIFEST])),
        "state": lambda: (),
    }
    name = {"tensors": MODEL, "manifest": MANIFEST, "state": STATE}[kind]
    makers = {
        "tensors": (fuzz_checkpoints._tensors, fuzz_checkpoints._headers),
        "manifest": (fuzz_checkpoints._manifests,),
        "state": (fuzz_checkpoints._states,),
    }[kind]
    return Target(
        [files[name], *SPITEFUL, *crafted[kind]()],
        lambda payload: endures(lambda: readers.read(kind, payload))[1],
        lambda payload, chance: chance.choice(makers)({**files, name: payload}, chance)[1],
    )


def records(workspace: Path) -> Target:
    """The TOML of a run's record."""
    base = [to_toml(preset(name, data="photos", out="run")).encode() for name in sorted(PRESETS)]
    file = workspace / "run.toml"
    return Target(
        [*base, *fuzz_records.crafted()],
        lambda payload: endures(lambda: fuzz_records.use(fuzz_records._read(payload, file)))[1],
        lambda payload, chance: mutate_bytes(payload, base, chance),
    )


def archive(suffixes: Iterable[str], suffix_of: Callable[[bytes], str], workspace: Path) -> Target:
    """Archives and arrays. suffix_of: what a file with these bytes is called."""
    folder, outcome = workspace / "outer" / "inner", Outcome()
    folder.mkdir(parents=True)

    def judge(payload: bytes) -> str | None:
        suffix = suffix_of(payload)
        return fuzz_archives.attempt(folder / f"case{suffix}", Case("guided", suffix, payload), outcome)

    def vary(payload: bytes, chance: Random) -> bytes:
        forge = suffix_of(payload) == ".tar" and chance.random() < 0.5
        return _forged_tar(chance, {".tar": [payload]}).payload if forge else damaged(payload, chance)

    return Target([payload for suffix in suffixes for payload in whole_archives()[suffix]], judge, vary)


def _tar_suffix(payload: bytes) -> str:
    packed = dict(zip(PACKINGS, (".tgz", ".tar.bz2", ".tar.xz"), strict=True))
    return next((suffix for magic, suffix in packed.items() if payload.startswith(magic)), ".tar")


TARGETS: dict[str, Callable[[Path], Target]] = {
    "images": images,
    "tensors": lambda workspace: checkpoint_file("tensors", workspace),
    "manifest": lambda workspace: checkpoint_file("manifest", workspace),
    "state": lambda workspace: checkpoint_file("state", workspace),
    "records": records,
    "zip": lambda workspace: archive((".zip",), lambda payload: ".zip", workspace),
    "tar": lambda workspace: archive(PACKERS, _tar_suffix, workspace),
    "arrays": lambda workspace: archive(
        (".npz", ".npy"), lambda payload: ".npz" if payload.startswith(b"PK") else ".npy", workspace
    ),
}


def what_is_wrong(target: Target, payload: bytes, memory: MemoryWatch) -> str | None:
    """None, or one line about the rule that this input broke."""
    fault = target.judge(payload)
    if (grown := memory.most()) > MOST_MEMORY:
        fault = f"took {grown / MIB:.0f} MiB of memory"
    return fault and " ".join(fault.split())


class Broken(BaseException):
    """A rule was broken; not an Exception, so that nothing takes it for something else."""


def inside() -> None:
    """In a process of its own, where `sagan` was imported under Atheris: fuzz; libFuzzer then ends the process."""
    import atheris

    tune_allocator()  # as every command does
    name, workspace, *flags = sys.argv[1:]
    target = TARGETS[name](Path(workspace))
    last, seeds = Path(workspace, LAST), Path(workspace, "seeds")
    seeds.mkdir()
    for number, payload in enumerate(target.seeds):
        if len(payload) <= MOST_BYTES:
            (seeds / str(number)).write_bytes(payload)

    def change(payload: bytes, most: int, seed: int) -> bytes:
        """Half by Atheris, half by ours."""
        chance = Random(seed)
        if chance.random() < 0.5:
            return atheris.Mutate(payload, most)
        try:
            return target.vary(payload, chance)[:most]
        except Exception:  # made for whole files, they may trip over others in any way
            return atheris.Mutate(payload, most)

    with MemoryWatch() as memory:

        def judge(payload: bytes) -> None:
            last.write_bytes(payload)
            if fault := what_is_wrong(target, payload, memory):
                raise Broken(fault)

        atheris.Setup([sys.argv[0], *flags, str(seeds)], judge, custom_mutator=change)
        atheris.Fuzz()


INSIDE = """
import atheris
with atheris.instrument_imports(include=["sagan", "PIL", "zipfile"]):
    import coverage_guided
coverage_guided.inside()
"""


@dataclass(frozen=True)
class Found:
    """tried: inputs.  rate: of them in a second.  processor: seconds of its time.  edges: (of the seeds, in all).

    broken: None, or one line with the fault and the file that holds the input.
    """

    tried: int
    rate: int
    processor: float
    edges: tuple[int, int]
    broken: str | None


def fuzz(name: str, seconds: int, seed: int, kept: Path = KEPT) -> Found:
    """Fuzz one target until the time is over or a rule is broken; `kept` then has the input and what the process said."""
    with tempfile.TemporaryDirectory(prefix=f"sagan-{name}-") as folder, open(Path(folder, "log"), "w+") as log:
        flags = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={MOST_BYTES}", f"-timeout={HANGS}"]
        flags += ["-print_final_stats=1", f"-artifact_prefix={folder}/"]
        command = [sys.executable, "-c", INSIDE, name, folder, *flags]
        before = os.times()
        code = subprocess.run(command, cwd=Path(__file__).parent, stdout=log, stderr=log).returncode
        spent = [now - then for now, then in zip(os.times(), before, strict=True)]
        log.seek(0)
        text = log.read()
        well = code == 0 and re.search(r"^Done \d+ runs", text, re.MULTILINE)
        return Found(
            tried=_last_number(r"^(?:stat::number_of_executed_units:\s+|#)(\d+)", text),
            rate=_last_number(r"^stat::average_exec_per_sec:\s+(\d+)", text),
            processor=spent[2] + spent[3],  # of processes that were started
            edges=(_last_number(r"^#\d+\s+INITED\s+cov: (\d+)", text), _last_number(r"^#\d+\s.*\scov: (\d+)", text)),
            broken=None if well else _keep(name, code, text, Path(folder, LAST), kept),
        )


def _last_number(pattern: str, text: str) -> int:
    """Of the last match; 0 without any."""
    return int([0, *re.findall(pattern, text, re.MULTILINE)][-1])


def _keep(name: str, code: int, text: str, last: Path, kept: Path) -> str:
    """Put the last input and what was said into `kept`; one line about a process that did not end well, whatever ended it."""
    payload = last.read_bytes() if last.exists() else b""
    file = kept / f"{name}-{zlib.crc32(payload):08x}"
    kept.mkdir(parents=True, exist_ok=True)
    file.write_bytes(payload)
    file.with_suffix(".log").write_text(text)
    fault = re.search(r"^(?:\w+\.)?Broken: (.*)|ERROR: libFuzzer: (.*)", text, re.MULTILINE)
    what = (fault[1] or fault[2]) if fault else f"the process ended with code {code}"
    return f"{name}: {what}; see {file} and its .log"


def missing() -> str | None:
    """What this machine lacks."""
    return None if importlib.util.find_spec("atheris") else "Atheris is not installed (pip install -e '.[fuzz]')"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="write a results file")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="only judge this one input")
    given = parser.parse_args()
    if given.judge:
        tune_allocator()
        with tempfile.TemporaryDirectory() as workspace, MemoryWatch() as memory:
            fault = what_is_wrong(TARGETS[given.target](Path(workspace)), given.judge.read_bytes(), memory)
        print(f"{given.target}: {fault or 'every rule is kept'}")
        return 1 if fault else 0
    if lacking := missing():
        parser.error(lacking)
    found = fuzz(given.target, given.seconds, given.seed)
    if found.broken:
        print(found.broken)
    first, last = found.edges
    print(f"{given.target}: {found.tried:,} inputs, {found.rate:,} a second, {found.processor:.0f} s of processor time")
    print(f"edges of code reached by the seeds: {first:,}; in all: {last:,}")
    if given.record:
        figures = [
            ("inputs tried", found.tried, "", ""),
            ("rate", found.rate, "inputs/s", ""),
            ("processor time", round(found.processor), "s", "with the start; what others on the machine left of it"),
            ("edges reached by the seeds", first, "", ""),
            ("edges reached in all", last, "", ""),
            ("rules broken", int(found.broken is not None), "", found.broken or ""),
        ]
        command = f"python tests/reliability/coverage_guided.py {given.target} --seconds {given.seconds}"
        write_result(f"coverage-guided-{given.target}", command, figures, seed=given.seed, note=NOTE)
    return 1 if found.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
