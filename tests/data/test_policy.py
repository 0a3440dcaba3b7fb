"""Skip, stop, quarantine: what happens to pictures that cannot be read, and the list of them that is left."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.check import check_data
from sagan.data.config import DataConfig
from sagan.data.faults import Skipped
from sagan.data.images import open_images
from sagan.data.quarantine import move_away
from sagan.data.report import portable, report_lines
from sagan.disk import Disk
from sagan.errors import DataError

BAD = {"a/broken.png": b"no picture", "b/zero.png": b"", "b/page.jpg": b"<html>"}
CODES = {"a/broken.png": "not-a-picture", "b/page.jpg": "not-a-picture", "b/zero.png": "empty"}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    for seed in range(8):
        (root / "ab"[seed % 2]).mkdir(parents=True, exist_ok=True)
        array = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(array).save(root / "ab"[seed % 2] / f"{seed}.png")
    for name, data in BAD.items():
        (root / name).write_bytes(data)
    return root


def opened(path, on_bad, **settings):
    return open_images(DataConfig(data=str(path), on_bad=on_bad, max_bad=0.5, **settings), 8)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def rows(payload: bytes):
    return [json.loads(line) for line in payload.decode().splitlines()]


def test_skip_leaves_every_file_where_it_is(folder):
    before = files(folder)
    images = opened(folder, "skip")
    assert len(images) == 8 and images.moved == {} and files(folder) == before
    assert {item.where: item.reason_code for item in images.skipped} == CODES


def test_stop_ends_at_the_first(folder):
    with pytest.raises(DataError, match=r"a/broken.png: .*With --on-bad skip it is left out"):
        opened(folder, "stop")
    assert not (folder.parent / "photos-quarantine").exists()


def test_quarantine_moves_the_bad_and_leaves_the_fingerprint(folder):
    skipping = opened(folder, "skip")
    images = opened(folder, "quarantine")
    shelter = folder.parent / "photos-quarantine"
    report = shelter / "report.jsonl"
    assert images.fingerprint == skipping.fingerprint and images.skipped == skipping.skipped
    assert files(shelter) == BAD | {"report.jsonl": report.read_bytes()}
    assert not files(folder).keys() & BAD.keys() and len(files(folder)) == 8
    assert [(row["path"], row["code"], row["action"], row["to"]) for row in rows(report.read_bytes())] == [
        (name, code, "quarantine", name) for name, code in sorted(CODES.items())
    ]
    assert any("3 pictures that cannot be used were moved to" in line for line in images.notes)
    again = opened(folder, "quarantine")
    assert again.fingerprint == images.fingerprint and again.skipped == [] and again.moved == {}


def test_nothing_in_quarantine_is_ever_overwritten(folder):
    opened(folder, "quarantine")
    (folder / "b" / "zero.png").write_bytes(b"another")
    images = opened(folder, "quarantine")
    shelter = folder.parent / "photos-quarantine"
    assert images.moved == {"b/zero.png": "b/zero (2).png"}
    assert (shelter / "b" / "zero.png").read_bytes() == b""
    assert (shelter / "b" / "zero (2).png").read_bytes() == b"another"
    told = [(row["path"], row["to"]) for row in rows((shelter / "report.jsonl").read_bytes())]
    assert told == [(name, name) for name in sorted(BAD)] + [("b/zero.png", "b/zero (2).png")]


def test_too_many_bad_pictures_are_not_moved(folder):
    before = files(folder)
    with pytest.raises(DataError, match="more than max_bad"):
        open_images(DataConfig(data=str(folder), on_bad="quarantine"), 8)
    assert files(folder) == before and not (folder.parent / "photos-quarantine").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_what_lies_in_the_folder_itself_is_moved(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bad.png").write_bytes(b"bad")
    (folder / "a" / "linked").symlink_to(elsewhere)
    (folder / "a" / "link.png").symlink_to(elsewhere / "bad.png")
    os.mkfifo(folder / "a" / "pipe.png")
    images = opened(folder, "quarantine")
    assert set(images.moved) == {*BAD, "a/link.png", "a/pipe.png"}
    assert (elsewhere / "bad.png").read_bytes() == b"bad", "reached through a link: that folder was not given to us"
    assert (tmp_path / "photos-quarantine" / "a" / "link.png").is_symlink()


def test_inside_a_zip_quarantine_is_skip(folder, tmp_path):
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files(folder).items():
            archive.writestr(name, data)
    before = packed.read_bytes()
    images = opened(packed, "quarantine")
    assert images.fingerprint == opened(folder, "skip").fingerprint
    assert images.moved == {} and packed.read_bytes() == before and len(images.skipped) == 3
    assert any("Only files of a folder can be moved" in line for line in images.notes)
    assert check_data(DataConfig(data=str(packed), on_bad="quarantine"), 8).action == "skip"
    assert check_data(DataConfig(data=str(folder), on_bad="quarantine"), 8).action == "quarantine"


class Refusing(Disk):
    """A file system that does not let files be moved out of class b, or nothing be made at all."""

    def __init__(self, code: int, whole: bool) -> None:
        self.code, self.whole = code, whole

    def make_folder(self, path):
        if self.whole:
            raise OSError(self.code, os.strerror(self.code))
        super().make_folder(path)

    def rename(self, source, target):
        if source.parent.name == "b":
            raise OSError(self.code, os.strerror(self.code))
        super().rename(source, target)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EXDEV, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("whole", [False, True])
def test_what_cannot_be_moved_is_left_out_where_it_is(folder, code, whole):
    before = files(folder)
    skipped = [Skipped(name, code, "is bad") for name, code in CODES.items()]
    moved, notes = move_away(folder, skipped, Refusing(code, whole))
    left = {name for name in BAD if (folder / name).exists()}
    assert left == (set(BAD) if whole else {"b/zero.png", "b/page.jpg"}) and set(moved) == set(BAD) - left
    assert any(f"{len(left)} pictures cannot be moved" in line for line in notes)
    shelter = folder.parent / "photos-quarantine"
    assert not whole or not shelter.exists()
    assert whole or [row["path"] for row in rows((shelter / "report.jsonl").read_bytes())] == ["a/broken.png"]
    assert {**files(folder), **(files(shelter) if shelter.exists() else {})}.items() >= before.items()


class Dying(Disk):
    """The process dies at the n-th effect."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def make_folder(self, path):
        self._count()
        super().make_folder(path)

    def write(self, path, payload):
        self._count()
        super().write(path, payload)

    def rename(self, source, target):
        self._count()
        super().rename(source, target)


def test_a_death_at_any_moment_loses_no_picture_and_tells_of_each_that_was_moved(folder):
    content, skipped = set(BAD.values()), [Skipped(name, code, "is bad") for name, code in CODES.items()]
    for at in range(100):
        shelter = folder.parent / "photos-quarantine"
        try:
            move_away(folder, skipped, Dying(at))
        except KeyboardInterrupt:
            inside = files(shelter) if shelter.exists() else {}
            kept = set(files(folder).values()) | set(inside.values())
            assert content <= kept, f"lost at effect {at}"
            told = {row["to"] for row in rows(inside.get("report.jsonl", b""))}
            assert {name for name in inside if name.endswith((".png", ".jpg"))} <= told, f"untold at effect {at}"
        else:
            break
    assert 5 < at < 99 and not set(files(folder)) & set(BAD)
    assert len(rows((shelter / "report.jsonl").read_bytes())) == len(BAD), "nothing is told twice"


def test_the_report_is_sorted_complete_and_the_same_each_time(folder):
    images = opened(folder, "skip")
    payload = report_lines(images.skipped, "skip", images.moved)
    assert [row["path"] for row in rows(payload)] == sorted(BAD)
    assert rows(payload)[0] == {
        "path": "a/broken.png", "code": "not-a-picture", "reason": images.skipped[0].text, "action": "skip",
    }  # fmt: skip
    assert report_lines(opened(folder, "skip").skipped[::-1], "skip", {}) == payload
    assert {row["action"] for row in rows(report_lines(images.skipped, "stop"))} == {"stop"}


def test_a_name_that_is_no_text_is_written_as_percents():
    name = os.fsdecode(b"caf\xe9\n.png")
    (row,) = rows(report_lines([Skipped(name, "empty", "has 0 bytes")], "skip"))
    assert row["path"] == portable(name) == "caf%E9\n.png"


def test_a_file_that_vanishes_while_training_is_named(folder):
    images = opened(folder, "skip", cache_mib=0)
    (folder / images.names[3]).unlink()
    with pytest.raises(
        DataError, match=rf"{images.names[3]}: changed since the set was opened: now it cannot be opened"
    ):
        images.pictures(range(8))
