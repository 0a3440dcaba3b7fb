"""The fuzzing of archives notices what it is there to notice."""

from __future__ import annotations

import random
import socket
import tarfile
import time
import zipfile

import pytest
from proofs import fuzz_archives
from proofs.archive_corpus import PACKERS, Case, cases, make_tar, whole_archives

from sagan.data.sources import archive, open_source, tar_format, zip


def test_the_same_seed_gives_the_same_inputs():
    first, again = cases(random.Random(3)), cases(random.Random(3))
    assert [first() for _ in range(60)] == [again() for _ in range(60)]
    assert first() != cases(random.Random(4))()


def test_the_archives_to_start_from_can_be_read(tmp_path):
    for suffix, payloads in whole_archives().items():
        for number, payload in enumerate(payloads):
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(payload)
            source = open_source(path)
            assert len(source.listing.names) >= 3 and not source.listing.refused
            assert all(len(source.read(index)) for index in range(len(source.listing.names)))


def test_every_kind_of_input_comes_up_and_some_are_read(tmp_path):
    outcome = fuzz_archives.prove(400, 2, tmp_path)
    assert outcome.failures == [] and outcome.facts["refused"] > 100 and outcome.facts["pictures read"] > 100
    kinds = {"damaged files", "damaged directories", "damaged inside", "forged headers", "bombs", "other files"}
    assert kinds | {"crafted zips", "crafted tars", "crafted arrays"} <= set(outcome.facts)


def test_an_error_that_is_not_ours_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(zip, "open_zip", zipfile.ZipFile)
    outcome = fuzz_archives.prove(200, 0, tmp_path)
    assert any("BadZipFile came out" in line for line in outcome.failures)


def test_records_that_never_end_are_noticed(tmp_path, monkeypatch):
    """The loop that this proof found: a record without a blank was taken for one of no length."""

    def endless(payload):
        while payload:
            time.process_time()

    monkeypatch.setattr(fuzz_archives, "MOST_SECONDS", 0.02)
    monkeypatch.setattr(tar_format, "_pax_records", endless)
    outcome = fuzz_archives.prove(60, 0, tmp_path)
    assert any("took too long" in line for line in outcome.failures)


def test_an_archive_that_is_unpacked_without_measure_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "is_bomb", lambda size, packed: False)
    monkeypatch.setattr(zip, "is_bomb", lambda size, packed: False)
    monkeypatch.setattr(archive, "MAX_BYTES", 2**40)
    monkeypatch.setattr(fuzz_archives, "cases", lambda chance: lambda: huge)
    monkeypatch.setattr(fuzz_archives, "MOST_MEMORY", 100 * 2**20)
    flat = {f"{number}.png": bytes(60 * 2**20) for number in range(5)}
    huge = Case("bombs", ".tgz", PACKERS[".tgz"](make_tar(flat, tarfile.GNU_FORMAT)))
    outcome = fuzz_archives.prove(1, 0, tmp_path)
    assert any("memory grew by" in line for line in outcome.failures), outcome


@pytest.mark.parametrize("effect", ["file beside", "file elsewhere", "folder", "socket"])
def test_an_effect_outside_is_noticed(tmp_path, monkeypatch, effect):
    def read(path):
        if effect == "file beside":
            (path.parent / "out.png").write_bytes(b"out")
        elif effect == "file elsewhere":
            (tmp_path / "elsewhere").write_bytes(b"out")
        elif effect == "folder":
            (path.parents[1] / "out").mkdir()
        else:
            socket.socket().close()
        return 0

    monkeypatch.setattr(fuzz_archives, "_read_all", read)
    path = tmp_path / "outer" / "inner" / "case.zip"
    path.parent.mkdir(parents=True)
    found = fuzz_archives.attempt(path, Case("crafted", ".zip", b""), fuzz_archives.Outcome())
    assert found is not None and found.startswith("did ")
