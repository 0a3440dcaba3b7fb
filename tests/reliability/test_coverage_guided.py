"""The fuzzing led by coverage notices a broken rule for each kind of file, and loses nothing however its process ends."""

from __future__ import annotations

import sys
from random import Random

import coverage_guided
import pytest
from coverage_guided import LAST, MOST_BYTES, TARGETS, Target, fuzz, missing, what_is_wrong
from proofs import fuzz_archives, fuzz_checkpoints, fuzz_images, fuzz_records
from proofs.memory import MemoryWatch

READERS = {
    "images": (fuzz_images, "decode"),
    "tensors": (fuzz_checkpoints, "unpack_bytes"),
    "manifest": (fuzz_checkpoints, "read_folder"),
    "state": (fuzz_checkpoints, "read_state"),
    "records": (fuzz_records, "from_toml"),
    "zip": (fuzz_archives, "open_source"),
    "tar": (fuzz_archives, "open_source"),
    "arrays": (fuzz_archives, "open_source"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_accepted_and_a_planted_fault_is_not(name, tmp_path, monkeypatch):
    def burst(*given, **options):
        raise KeyError("planted")

    target = TARGETS[name](tmp_path)
    seeds = [payload for payload in target.seeds if len(payload) <= MOST_BYTES]
    with MemoryWatch() as memory:
        assert len(seeds) > 1 and {what_is_wrong(target, payload, memory) for payload in seeds} == {None}
        monkeypatch.setattr(*READERS[name], burst)
        assert "KeyError" in what_is_wrong(target, seeds[0], memory)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak of memory")
def test_memory_is_watched(monkeypatch):
    held = []
    target = Target([], lambda payload: held.append(payload * 2**25), lambda payload, chance: payload)
    monkeypatch.setattr(coverage_guided, "MOST_MEMORY", 2**24)
    with MemoryWatch() as memory:
        assert what_is_wrong(target, b"x", memory).endswith("MiB of memory")


@pytest.mark.parametrize("name", TARGETS)
def test_our_own_changes_are_many(name, tmp_path):
    target = TARGETS[name](tmp_path)
    assert len({target.vary(target.seeds[0], Random(seed)) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("raise Broken('took 3.0 s')", "took 3.0 s"),
        ("print('==1== ERROR: libFuzzer: deadly signal'); os.abort()", "deadly signal"),
        ("os.kill(os.getpid(), 9)", "the process ended with code -9"),
        ("os._exit(0)", "the process ended with code 0"),
    ],
)
def test_the_input_is_kept_however_the_process_ends(end, said, tmp_path, monkeypatch):
    inside = f"""if True:
        import os, pathlib, sys
        class Broken(BaseException): pass
        pathlib.Path(sys.argv[2], {LAST!r}).write_bytes(b"culprit")
        print("#7\\tINITED cov: 30 ft: 40\\n#9\\tNEW    cov: 35 ft: 50 corp: 2", flush=True)
        {end}"""
    monkeypatch.setattr(coverage_guided, "INSIDE", inside)
    found = fuzz("tar", 1, 1, tmp_path / "kept")
    (file,) = (path for path in (tmp_path / "kept").iterdir() if not path.suffix)
    assert file.read_bytes() == b"culprit" and file.with_suffix(".log").exists()
    assert found.broken == f"tar: {said}; see {file} and its .log"
    assert (found.tried, found.edges) == (9, (30, 35))


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_half_a_minute_finds_nothing(name, tmp_path):
    if reason := missing():
        pytest.skip(reason)
    found = fuzz(name, 30, 2, tmp_path)
    assert found.broken is None and found.tried > 50 and found.edges[0] > 20
