"""write_atomic: all or nothing, errors in our words, nothing left behind."""

from __future__ import annotations

import errno
import os

import pytest

from sagan.disk import Disk, probe, publish_folder, scratch, sweep, write_atomic
from sagan.errors import ResourceError


class Refusing(Disk):
    """Fails one kind of effect with one error."""

    def __init__(self, effect, number):
        self.effect, self.number = effect, number

    def __getattribute__(self, name):
        if name in ("write", "sync_file", "sync_folder", "rename") and name == super().__getattribute__("effect"):
            raise OSError(self.number, os.strerror(self.number))
        return super().__getattribute__(name)


def test_writes_replaces_and_makes_parents(tmp_path):
    path = tmp_path / "new" / "deeper" / "a.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.parametrize("effect", ["write", "sync_file", "rename"])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path, effect):
    write_atomic(tmp_path / "a", b"old")
    with pytest.raises(ResourceError):
        write_atomic(tmp_path / "a", b"new", Refusing(effect, errno.EIO))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, r"a: the disk is full: 3\.0 MiB needed, .* free. Free some space"),
        (errno.EROFS, r"a: the file system is read-only. Choose a folder"),
        (errno.EACCES, r"a: permission denied. Check who owns"),
        (errno.EIO, r"a: the disk failed: .*\(EIO\). Check the disk"),
    ],
)
def test_the_message_says_what_where_and_the_remedy(tmp_path, number, words):
    with pytest.raises(ResourceError, match=words) as caught:
        write_atomic(tmp_path / "a", bytes(3 << 20), Refusing("sync_file", number))
    assert caught.value.exit_code == 5
    assert "\n" not in str(caught.value)


def test_a_sync_that_failed_is_never_tried_again(tmp_path):
    calls = []

    class Failing(Disk):
        def sync_file(self, path):
            calls.append(path)
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(ResourceError):
        write_atomic(tmp_path / "a", b"new", Failing())
    assert len(calls) == 1


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ResourceError, match="Choose another name"):
        write_atomic(tmp_path / "a" / "b", b"x")


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("victim")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert (tmp_path / "a").read_bytes() == b"new" and not (tmp_path / "a").is_symlink()


def test_a_long_name_works(tmp_path):
    write_atomic(tmp_path / ("n" * 255), b"x")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_sweep_takes_leftovers_only_and_settles_replacements(tmp_path):
    for name in (".tmp-a", ".trash-b", "kept", ".replaced-old", ".replaced-taken", "taken"):
        publish_folder(tmp_path / name, {"f": name.encode()})
    assert sweep(tmp_path) == [".replaced-old", ".replaced-taken", ".tmp-a", ".trash-b"]
    assert sorted(os.listdir(tmp_path)) == ["kept", "old", "taken"]
    assert (tmp_path / "old" / "f").read_bytes() == b".replaced-old"
    assert (tmp_path / "taken" / "f").read_bytes() == b"taken"


def test_a_file_above_the_limit_of_its_size_says_so(tmp_path):
    with pytest.raises(ResourceError, match=r"a: a file may not become that large here \(EFBIG\). Raise the limit"):
        write_atomic(tmp_path / "a", b"x", Refusing("write", errno.EFBIG))


def test_a_probe_leaves_nothing_and_says_what_is_wrong(tmp_path):
    probe(tmp_path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(ResourceError, match="the disk is full"):
        probe(tmp_path, Refusing("write", errno.ENOSPC))
    with pytest.raises(ResourceError, match="ENOENT"):
        probe(tmp_path / "missing")


def test_a_scratch_folder_is_gone_afterwards_whatever_happens(tmp_path):
    with scratch(tmp_path / "new") as folder:
        assert folder.parent == tmp_path / "new" and folder.name.startswith(".tmp-scratch-")
        (folder / "x").write_bytes(b"1")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(KeyError), scratch(tmp_path / "new") as folder:
        (folder / "x").write_bytes(b"1")
        raise KeyError
    assert list((tmp_path / "new").iterdir()) == []
