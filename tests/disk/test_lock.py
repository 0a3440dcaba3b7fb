"""One writer: across processes, across deaths, across forks, and without kernel locks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from sagan.disk import Disk, FolderLock
from sagan.errors import BusyError, ResourceError

OWNER = """
import sys, time, os
from pathlib import Path
from sagan.disk import FolderLock
from sagan.errors import SaganError
try:
    with FolderLock(Path(sys.argv[1])):
        if "fork" in sys.argv and os.fork() == 0:
            time.sleep(60)
        print("held", flush=True)
        time.sleep(60)
except SaganError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def start(folder, *words):
    source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), *words],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def owner(tmp_path):
    process = start(tmp_path, *(["fork"] if hasattr(os, "fork") else []))
    assert process.stdout.readline() == "held\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()  # ends and closes both pipes


def test_a_second_process_ends_busy_and_names_the_owner(tmp_path, owner):
    began = time.monotonic()
    second = start(tmp_path)
    _, words = second.communicate(timeout=20)
    assert second.returncode == 7
    assert f"process {owner.pid} on " in words and " since 20" in words and words.count("\n") == 1
    assert time.monotonic() - began < 10


def test_killing_the_owner_frees_the_lock_although_its_child_lives(tmp_path, owner):
    with pytest.raises(BusyError), FolderLock(tmp_path):
        pass
    owner.kill()  # the forked child goes on sleeping
    owner.wait()
    deadline = time.monotonic() + 1
    while True:
        try:
            with FolderLock(tmp_path):
                return
        except BusyError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_of_processes_at_once_exactly_one_wins(tmp_path):
    racers = [start(tmp_path) for _ in range(4)]
    deadline = time.monotonic() + 20
    while sum(racer.poll() == 7 for racer in racers) < len(racers) - 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    codes = [racer.poll() for racer in racers]
    for racer in racers:
        racer.kill()
        racer.communicate()
    assert sorted(code or 0 for code in codes) == [0, 7, 7, 7] and codes.count(None) == 1


def test_one_process_cannot_hold_twice_and_may_hold_again(tmp_path):
    with FolderLock(tmp_path / "run"), pytest.raises(BusyError, match=f"process {os.getpid()} "):
        FolderLock(tmp_path / "run").__enter__()
    with FolderLock(tmp_path / "run"):
        pass


def test_a_copied_lock_file_is_not_held(tmp_path):
    with FolderLock(tmp_path / "a"):
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / ".lock").write_bytes((tmp_path / "a" / ".lock").read_bytes())
        with FolderLock(tmp_path / "b") as second:
            assert second.folder == tmp_path / "b"


def test_without_kernel_locks_a_file_takes_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr("sagan.disk.lock.fcntl", None)
    monkeypatch.setattr("sagan.disk.lock.msvcrt", None)
    with FolderLock(tmp_path), pytest.raises(BusyError, match=r"If that process is gone, remove .*\.lock\.held"):
        FolderLock(tmp_path).__enter__()
    assert not (tmp_path / ".lock.held").exists()
    with FolderLock(tmp_path):
        pass


def test_the_windows_lock_is_asked_beyond_the_words(tmp_path, monkeypatch):
    class Msvcrt:
        LK_NBLCK = 2
        places: list[int] = []

        def locking(self, descriptor, mode, count):
            self.places.append(os.lseek(descriptor, 0, os.SEEK_CUR))
            if len(self.places) > 1:
                raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sagan.disk.lock.fcntl", None)
    monkeypatch.setattr("sagan.disk.lock.msvcrt", Msvcrt())
    with FolderLock(tmp_path):
        assert (tmp_path / ".lock").stat().st_size < Msvcrt.places[0]
        with pytest.raises(BusyError, match=f"process {os.getpid()} "):
            FolderLock(tmp_path).__enter__()


def test_a_folder_that_was_made_and_not_used_goes_away(tmp_path):
    with FolderLock(tmp_path / "new" / "run"):
        pass
    assert os.listdir(tmp_path / "new") == []
    with FolderLock(tmp_path / "used"):
        (tmp_path / "used" / "run.toml").touch()
    assert sorted(os.listdir(tmp_path / "used")) == [".lock", "run.toml"]
    (tmp_path / "there").mkdir()
    with FolderLock(tmp_path / "there"):
        pass
    assert os.listdir(tmp_path / "there") == [".lock"]


@pytest.mark.skipif(os.name != "posix", reason="deleting open files, as POSIX has it")
def test_who_locked_a_file_that_the_former_owner_took_away_locks_anew(tmp_path, monkeypatch):
    run, rounds = tmp_path / "run", []

    class Slow(Disk):
        def open_lock(self, path):
            descriptor = super().open_lock(path)
            if not rounds:
                rounds.append(path)
                first.release()  # the former owner leaves now, and takes its unused folder with it
            return descriptor

    first = FolderLock(run)
    first.__enter__()
    with FolderLock(run, Slow()):
        assert (run / ".lock").exists()
        with pytest.raises(BusyError, match=f"process {os.getpid()} "), FolderLock(run):
            pass
        assert (run / ".lock").exists(), "who is turned away takes nothing away"


def test_words_of_the_dead_and_of_the_gone_are_waited_out(tmp_path, owner, monkeypatch):
    monkeypatch.setattr("sagan.disk.lock._PATIENCE", 0.1)
    lock = tmp_path / ".lock"
    truth = lock.read_bytes()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    lock.write_bytes(truth.replace(str(owner.pid).encode(), str(dead.pid).encode()))
    began = time.monotonic()
    with pytest.raises(BusyError), FolderLock(tmp_path):
        pass
    assert time.monotonic() - began > 0.1
    lock.write_bytes(truth)
    with pytest.raises(BusyError, match=f"process {owner.pid} on "), FolderLock(tmp_path):
        pass
    lock.write_bytes(b"")
    with pytest.raises(BusyError, match="another process is writing here"), FolderLock(tmp_path):
        pass


def test_no_words_stay_when_the_owner_leaves_in_order(tmp_path):
    with FolderLock(tmp_path):
        assert (tmp_path / ".lock").read_bytes()
    assert (tmp_path / ".lock").read_bytes() == b""


def test_a_full_disk_has_no_room_for_the_words_and_is_held_all_the_same(tmp_path):
    class Full(Disk):
        def rewrite(self, descriptor, payload):
            raise OSError(errno.ENOSPC, "No space left on device")

    with FolderLock(tmp_path, Full()), pytest.raises(BusyError), FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_takes_no_lock_is_not_left_behind(tmp_path, number):
    class Refusing(Disk):
        def open_lock(self, path):
            raise OSError(number, os.strerror(number))

    with pytest.raises(ResourceError, match="run: "), FolderLock(tmp_path / "run", Refusing()):
        pass
    assert os.listdir(tmp_path) == []
