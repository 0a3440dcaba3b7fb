"""Disk does what its names say, with the mode the user asked for."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from sagan.disk import DISK, need_writable
from sagan.errors import ResourceError


def test_write_creates_a_new_file_and_refuses_an_existing_one(tmp_path):
    DISK.write(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        DISK.write(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_mode_is_what_the_umask_allows(tmp_path, mask, mode):
    former = os.umask(mask)
    try:
        DISK.write(tmp_path / "a", b"one")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_a_planted_link_is_not_written_through(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        DISK.write(tmp_path / "a", b"gone")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_short_writes_are_completed(tmp_path, monkeypatch):
    honest = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: honest(descriptor, bytes(data)[:3]))
    DISK.write(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_remove_takes_files_trees_and_links_but_never_what_a_link_points_to(tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    DISK.remove(tmp_path / "link")
    assert (tmp_path / "tree" / "deep").is_dir()
    DISK.remove(tmp_path / "tree")
    DISK.remove(tmp_path / "tree")  # a missing one is no error
    assert list(tmp_path.iterdir()) == []


def test_folders_are_not_synced_where_they_cannot_be(tmp_path, monkeypatch):
    missing = tmp_path / "no such folder"
    with pytest.raises(FileNotFoundError):
        DISK.sync_folder(missing)
    monkeypatch.setattr("sagan.disk.effects._CAN_SYNC_FOLDERS", False)
    DISK.sync_folder(missing)


def test_append_adds_to_the_end_and_a_short_write_is_a_full_disk(tmp_path, monkeypatch):
    DISK.append(tmp_path / "a", b"one")
    DISK.append(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    monkeypatch.setattr(os, "write", lambda descriptor, data: len(data) - 1)
    with pytest.raises(OSError) as caught:
        DISK.append(tmp_path / "a", b"three")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_neither_a_log_nor_a_lock_goes_through_a_planted_link(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        DISK.append(tmp_path / "a", b"gone")
    with pytest.raises(OSError):
        DISK.open_lock(tmp_path / "a")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_only_an_empty_folder_is_removed_as_one(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(OSError):
        DISK.remove_empty(tmp_path / "full")
    (tmp_path / "full" / "a").unlink()
    DISK.remove_empty(tmp_path / "full")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_keeps_its_content_until_it_is_rewritten(tmp_path):
    (tmp_path / "a").write_bytes(b"a long former content")
    descriptor = DISK.open_lock(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"a long former content"
    DISK.rewrite(descriptor, b"new")
    os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="file systems as POSIX has them")
def test_a_folder_on_a_read_only_file_system_is_refused_at_a_glance(tmp_path, monkeypatch):
    need_writable(tmp_path / "a" / "b")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ResourceError, match="b: permission denied"):
        need_writable(tmp_path / "a" / "b")
    facts = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([*facts[:8], facts.f_flag | os.ST_RDONLY, 255]))
    with pytest.raises(ResourceError, match="b: the file system is read-only"):
        need_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
