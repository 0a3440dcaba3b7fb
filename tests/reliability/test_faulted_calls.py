"""The proof about faulted calls notices a save that is not safe."""

from __future__ import annotations

import os
import re

import pytest
from proofs import faulted_calls

from sagan.checkpoint import folder, retention
from sagan.disk import DISK, Disk, atomic


def save_in_the_open(final, files, disk=DISK):
    """Files straight under their final name."""
    if final.exists():
        disk.remove(final)
    final.parent.mkdir(exist_ok=True, parents=True)
    disk.make_folder(final)
    for name, payload in files.items():
        disk.write(final / name, payload)


def delete_first(temporary, final, disk):
    """The old one goes before the new one has its name."""
    disk.remove(final)
    disk.rename(temporary, final)


def write_without_a_loop(self, path, payload):
    """Believes that a write takes all it was given."""
    with open(path, "xb", buffering=0) as file:
        os.write(file.fileno(), payload)


def publish_and_say_nothing(run, step, files, disk=DISK):
    """Swallows what the disk said."""
    try:
        return folder.publish(run, step, files, disk)
    except retention.ResourceError:
        return folder.step_folder(run, step)


BROKEN = {
    "files under the final name": (folder, "publish_folder", save_in_the_open, "no whole newest checkpoint"),
    "the old one deleted first": (
        atomic,
        "_take_name",
        delete_first,
        "same step: .* is neither the old nor the new one",
    ),
    "short writes believed": (Disk, "write", write_without_a_loop, "short .* no whole newest checkpoint"),
    "errors swallowed": (retention, "publish", publish_and_say_nothing, "the save said that it worked"),
    "leftovers left": (faulted_calls, "sweep", lambda run: [], "left over"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_save_that_is_not_safe_is_noticed(tmp_path, monkeypatch, how):
    where, name, replacement, words = BROKEN[how]
    monkeypatch.setattr(where, name, replacement)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    failures = (f"{case}: {wrong}" for case, wrong in faulted_calls.through_the_seam(tmp_path) if wrong)
    assert any(re.search(words, failure) for failure in failures)


@pytest.mark.skipif(not faulted_calls.can_trace(), reason="needs strace")
def test_in_a_real_process_too(tmp_path, monkeypatch):
    monkeypatch.setattr(faulted_calls, "look", lambda run, **how: "looked")
    assert faulted_calls.fault_in_process(tmp_path / "run", "fsync", "EIO", "1+") == "looked"
    assert faulted_calls.fault_in_process(tmp_path / "run", "rename", "kill", "99") == "the fault was not met"
