"""Whatever call of a save fails, in whatever way, the old or the new checkpoint loads and the next save works."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sagan.checkpoint.folder import newest, publish, read_folder, step_folder, steps, sweep
from sagan.checkpoint.retention import retain
from sagan.disk import DISK, Disk
from sagan.errors import ResourceError

EFFECTS = ("make_folder", "write", "sync_file", "sync_folder", "rename", "remove")


class Killed(BaseException):
    """The process is gone: nothing after this reaches the disk."""


class FaultyDisk(Disk):
    """Fails at effect number `fail_at` (from 1), after half a write; once, or from then on."""

    def __init__(self, fail_at, fault, persistent):
        self.fail_at, self.fault, self.persistent = fail_at, fault, persistent
        self.count, self.fired = 0, False

    def _meets_fault(self):
        self.count += 1
        hit = self.count == self.fail_at or (self.fired and (self.persistent or self.fault == "kill"))
        self.fired |= hit
        return hit

    def _fail(self):
        if self.fault == "kill":
            raise Killed
        raise OSError(self.fault, os.strerror(self.fault))


def _faulty(name):
    def effect(self, *arguments):
        if not self._meets_fault():
            return getattr(DISK, name)(*arguments)
        if name == "write":
            path, payload = arguments
            path.write_bytes(payload[: len(payload) // 2])
        return self._fail()

    return effect


for name in EFFECTS:
    setattr(FaultyDisk, name, _faulty(name))


def contents(step, salt=b""):
    return {"model.safetensors": b"numbers %d " % step * 40 + salt, "state.json": b'{"step": %d}' % step + salt}


def save(run, step, disk, salt=b""):
    publish(run, step, contents(step, salt), disk)
    retain(run, 2, None, disk)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Syncing takes time and shows nothing here; what it is for is the matter of test_power_loss."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("replace", [False, True], ids=["new step", "same step again"])
@pytest.mark.parametrize("persistent", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("fault", ["kill", errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_fault_at_every_call(tmp_path, fault, persistent, replace):
    fail_at, fired = 0, True
    while fired:
        fail_at += 1
        run = tmp_path / str(fail_at)
        for step in (1, 2, 3) if replace else (1, 2):
            save(run, step, DISK)
        disk = FaultyDisk(fail_at, fault, persistent)
        raised = None
        try:
            save(run, 3, disk, salt=b"again")
        except (Killed, ResourceError) as error:
            raised = error
        fired = disk.fired
        if fired and fault != "kill" and raised is not None:
            assert str(tmp_path) in str(raised)

        sweep(run)  # what the next start does
        found, warnings = newest(run)
        assert warnings == []
        step = int(found.name.removeprefix("step-"))
        assert step in ((3,) if replace else (2, 3))
        old = contents(step, b"" if step == 2 else b"again")
        assert read_folder(found)[1] in ([old, contents(3)] if replace else [old])
        if raised is None:
            assert read_folder(found)[1] == contents(3, b"again")
        assert not [name for name in os.listdir(run / "checkpoints") if not name.startswith("step-")]

        save(run, 4, DISK)
        assert newest(run) == (step_folder(run, 4), [])
        assert len(steps(run)) == 2
    assert fail_at > 8, "the loop must have passed all calls of a save"


def test_the_order_of_effects(tmp_path):
    calls = []

    class Recording(Disk):
        pass

    def recorded(name):
        def effect(self, *paths):
            calls.append((name, *(Path(path).name for path in paths if isinstance(path, Path))))
            return getattr(DISK, name)(*paths)

        return effect

    for name in EFFECTS:
        setattr(Recording, name, recorded(name))
    for step in (1, 2):
        save(tmp_path, step, DISK)
    save(tmp_path, 3, Recording())

    temporary = calls[0][1]
    trash = calls[-1][1]
    assert temporary.startswith(".tmp-step-00000003-") and trash.startswith(".trash-step-00000001-")
    assert calls == [
        ("make_folder", temporary),
        ("write", "model.safetensors"),
        ("sync_file", "model.safetensors"),
        ("write", "state.json"),
        ("sync_file", "state.json"),
        ("write", "manifest.json"),
        ("sync_file", "manifest.json"),
        ("sync_folder", temporary),
        ("rename", temporary, "step-00000003"),
        ("sync_folder", "checkpoints"),
        ("rename", "step-00000001", trash),
        ("remove", trash),
    ]
