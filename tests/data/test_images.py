"""Opening a set: policies, fingerprint, memory or not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import DataError


def picture(seed: int, height: int = 12, width: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def fill(root: Path, count: int = 6, classes: tuple[str, ...] = ("a", "b")) -> Path:
    for seed in range(count):
        folder = root / classes[seed % len(classes)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed)).save(folder / f"{seed}.png")
    return root


def opened(path: Path, **settings):
    return open_images(DataConfig(data=str(path), **settings), 8)


def test_memory_or_not_makes_no_difference(tmp_path):
    root = fill(tmp_path)
    held, read = opened(root), opened(root, cache_mib=0)
    assert held.in_memory and not read.in_memory
    assert np.array_equal(held.pictures([5, 0, 0, 3]), read.pictures([5, 0, 0, 3]))
    assert held.fingerprint == read.fingerprint and held.labels.tolist() == read.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_pictures_are_the_callers_own(tmp_path):
    images = opened(fill(tmp_path))
    images.pictures([0])[:] = 0
    assert images.pictures([0]).any()


@pytest.mark.parametrize("threads", [1, 4])
def test_order_does_not_depend_on_threads(tmp_path, threads):
    root = fill(tmp_path, 150, ("one",))
    images = open_images(DataConfig(data=str(root), fit="stretch"), 12, threads=threads)
    for row in (0, 70, 149):
        seed = int(Path(images.names[row]).stem)
        expected = Image.fromarray(picture(seed)).resize((12, 12), Image.Resampling.LANCZOS)
        assert np.array_equal(images.pictures([row])[0], np.asarray(expected))


def test_fingerprint_depends_on_each_byte_name_and_class_and_on_nothing_else(tmp_path, monkeypatch):
    first = opened(fill(tmp_path / "x")).fingerprint
    assert opened(fill(tmp_path / "y"), cond="off", fit="pad").fingerprint == first
    listing = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: reversed(sorted(listing(path), key=lambda entry: entry.name)))
    assert opened(tmp_path / "x").fingerprint == first
    (tmp_path / "y" / "a" / "0.png").rename(tmp_path / "y" / "a" / "00.png")
    assert opened(tmp_path / "y").fingerprint != first
    data = bytearray((tmp_path / "x" / "a" / "0.png").read_bytes())
    (tmp_path / "x" / "a" / "0.png").write_bytes(data + b"\0")  # the same picture, one more byte
    assert opened(tmp_path / "x").fingerprint != first


def test_bad_pictures_are_skipped_below_the_share_and_named(tmp_path):
    root = fill(tmp_path)
    (root / "a" / "text.png").write_text("not a picture")
    (root / "b" / "zero.jpg").touch()
    lines: list[str] = []
    images = open_images(DataConfig(data=str(root), max_bad=0.25), 8, note=lines.append)
    assert len(images) == 6
    assert [(item.where, item.reason_code) for item in images.skipped] == [
        ("a/text.png", "not-a-picture"),
        ("b/zero.jpg", "empty"),
    ]
    assert any("2 pictures cannot be used" in line for line in lines)
    with pytest.raises(
        DataError, match=r"2 of 8 pictures \(25.0%\).*max_bad 20.0%: a/text.png .*; b/zero.jpg has 0 bytes"
    ) as caught:
        opened(root, max_bad=0.2)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3


def test_stop_at_the_first_bad_picture(tmp_path):
    root = fill(tmp_path)
    (root / "a" / "zero.png").touch()
    with pytest.raises(DataError, match=r"zero.png: has 0 bytes. Copy the file again.*--on-bad skip"):
        opened(root, on_bad="stop", max_bad=1)


def test_no_usable_picture(tmp_path):
    (tmp_path / "zero.png").touch()
    with pytest.raises(DataError, match="none of its 1 pictures can be used: zero.png has 0 bytes"):
        opened(tmp_path, max_bad=1)


def test_a_class_that_loses_its_last_picture_is_an_error(tmp_path):
    root = fill(tmp_path)
    (root / "c").mkdir()
    (root / "c" / "zero.png").touch()
    with pytest.raises(DataError, match="class folder c/ without a usable picture"):
        opened(root, max_bad=1)
    assert len(opened(root, max_bad=1, cond="off")) == 6


def test_labels_switched_off(tmp_path):
    images = opened(fill(tmp_path), cond="off")
    assert images.classes == () and images.labels.tolist() == [0] * 6


def test_a_picture_that_changes_under_us(tmp_path):
    images = opened(fill(tmp_path), cache_mib=0)
    Image.fromarray(picture(99)).save(tmp_path / "a" / "0.png")
    with pytest.raises(DataError, match=r"0.png: changed since the set was opened"):
        images.pictures([0])
    (tmp_path / "a" / "0.png").unlink()
    with pytest.raises(DataError, match=r"0.png: changed.*no such file"):
        images.pictures([0])


def test_facts_progress_and_few(tmp_path):
    root = fill(tmp_path)
    Image.fromarray(picture(50, 4, 4)).convert("L").save(root / "a" / "gray.png")
    calls: list[tuple[int, int]] = []
    images = open_images(DataConfig(data=str(root)), 8, progress=lambda done, total: calls.append((done, total)))
    assert images.facts.sizes == {(9, 12): 6, (4, 4): 1} and images.facts.modes == {"RGB": 6, "L": 1}
    assert calls[-1] == (7, 7)
    assert any("1 of 7 pictures are smaller than 8 px" in line for line in images.notes)
    assert any("7 pictures are very few" in line for line in images.notes)


def test_background_is_a_colour():
    with pytest.raises(ValueError, match="background is 'white'"):
        DataConfig(background="white")


def test_pictures_beside_the_classes_do_not_shift_the_others(tmp_path):
    root = fill(tmp_path)
    Image.fromarray(picture(70)).save(root / "0-first.png")
    images, everything = opened(root), opened(root, cond="off")
    assert len(images) == 6 and images.labels.tolist() == [0, 0, 0, 1, 1, 1] and images.names[0] == "a/0.png"
    assert len(everything) == 7 and everything.names[0] == "0-first.png"
    assert np.array_equal(images.pictures(range(6)), everything.pictures(range(1, 7)))
