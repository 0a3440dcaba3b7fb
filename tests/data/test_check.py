"""What `sagan data check` reports."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from sagan.data.check import check_data
from sagan.data.config import DataConfig
from sagan.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for seed in range(8):
        (tmp_path / "ab"[seed % 2]).mkdir(exist_ok=True)
        array = np.random.default_rng(seed).integers(0, 256, (10 + seed % 2, 10, 3), dtype=np.uint8)
        Image.fromarray(array).save(tmp_path / "ab"[seed % 2] / f"{seed}.png")
    return tmp_path


def test_a_good_set(folder):
    found = check_data(DataConfig(data=str(folder)), 16)
    assert found.usable and found.verdict == "Ready to train: 8 pictures in 2 classes."
    assert (found.count, found.tried, found.classes) == (8, 8, {"a": 4, "b": 4})
    assert found.sizes == {(10, 10): 4, (10, 11): 4} and found.modes == {"RGB": 8}
    assert found.preview.shape == (8, 16, 16, 3) and found.preview_classes == ["a"] * 4 + ["b"] * 4
    assert any("too few" in line for line in found.notes) and any("enlarged" in line for line in found.notes)


def test_duplicates_also_across_classes(folder):
    shutil.copy(folder / "a" / "0.png", folder / "a" / "copy.png")
    shutil.copy(folder / "a" / "2.png", folder / "b" / "copy.png")
    found = check_data(DataConfig(data=str(folder)), 16)
    assert found.duplicates == [("a/0.png", "a/copy.png"), ("a/2.png", "b/copy.png")]
    assert found.across_classes == [("a/2.png", "b/copy.png")]


def test_bad_files_make_it_unusable_and_are_all_listed(folder):
    (folder / "a" / "zero.png").touch()
    (folder / "b" / "text.png").write_text("text")
    found = check_data(DataConfig(data=str(folder)), 16)
    assert not found.usable and "2 of 10 pictures (20.0%)" in found.verdict
    assert {item.where: item.reason_code for item in found.bad} == {
        "a/zero.png": "empty",
        "b/text.png": "not-a-picture",
    }
    assert check_data(DataConfig(data=str(folder), max_bad=0.5), 16).usable


def test_an_empty_class_is_shown_with_zero(folder):
    (folder / "c").mkdir()
    found = check_data(DataConfig(data=str(folder)), 16)
    assert not found.usable and found.classes["c"] == 0 and "c/" in found.verdict
    assert check_data(DataConfig(data=str(folder), cond="off"), 16).usable


def test_classes_asked_for_in_vain(folder):
    found = check_data(DataConfig(data=str(folder / "a"), cond="on"), 16)
    assert not found.usable and "no classes" in found.verdict and found.count == 4


def test_a_path_that_is_not_there(folder):
    with pytest.raises(DataError, match="does not exist"):
        check_data(DataConfig(data=str(folder / "zzz")), 16)


def test_the_built_in_set():
    pytest.importorskip("sagan.data.emblems")
    found = check_data(DataConfig(), 16)
    assert found.usable and len(found.classes) == 8 and found.count == 8192


def test_transparency_and_grey_are_counted_on_the_pixels(tmp_path):
    for seed in range(5):
        array = np.random.default_rng(seed).integers(0, 256, (10, 10, 4), dtype=np.uint8)
        array[..., 3] = 255 if seed < 2 else 128  # an alpha of 255 everywhere is none
        array[..., :3] = array[..., :1] if seed == 4 else array[..., :3]
        Image.fromarray(array).save(tmp_path / f"{seed}.png")
    found = check_data(DataConfig(data=str(tmp_path)), 16)
    assert (found.transparent, found.grey, found.preview.shape) == (3, 1, (5, 16, 16, 3))
    assert any("3 of 5 pictures have transparency" in line and "--channels 4" in line for line in found.notes)
    kept = check_data(DataConfig(data=str(tmp_path)), 16, channels=4)
    assert kept.transparent == 3 and kept.preview.shape == (5, 16, 16, 4)
    assert not any("transparency" in line for line in kept.notes)
    (tmp_path / "2.png").unlink()
    (tmp_path / "3.png").unlink()
    few = check_data(DataConfig(data=str(tmp_path)), 16)
    assert any("1 of 3 pictures have transparency" in line and "--channels" not in line for line in few.notes)


def test_grey_pictures_suggest_one_channel(tmp_path):
    for seed in range(3):
        grey = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8))
        grey.convert("RGB" if seed else "L").save(tmp_path / f"{seed}.{'png' if seed < 2 else 'jpg'}")
    found = check_data(DataConfig(data=str(tmp_path)), 16)
    assert found.grey == 3 and any("--channels 1" in line for line in found.notes)
    assert not any("--channels" in line for line in check_data(DataConfig(data=str(tmp_path)), 16, channels=1).notes)
    assert any("says nothing" in line for line in check_data(DataConfig(data=str(tmp_path)), 16, channels=4).notes)
    Image.new("RGB", (20, 20), (9, 9, 10)).save(tmp_path / "blue.png")
    assert not any("--channels" in line for line in check_data(DataConfig(data=str(tmp_path)), 16).notes)


@pytest.mark.parametrize(("small", "suggested"), [(1, True), (2, False)])
def test_balance_is_suggested_beyond_five_to_one(folder, small, suggested):
    """Ten pictures in a: ten to two is five to one, and not more."""
    for index in range(6):
        shutil.copy(folder / "a" / "0.png", folder / "a" / f"more{index}.png")
    for path in sorted((folder / "b").iterdir())[small:]:
        path.unlink()
    found = check_data(DataConfig(data=str(folder)), 16)
    assert found.classes == {"a": 10, "b": small}
    lines = [line for line in found.notes if "--balance" in line]
    assert bool(lines) is suggested
    assert not suggested or "a, has 10 pictures and the smallest, b, has 1" in lines[0]
    assert not any("--balance" in line for line in check_data(DataConfig(data=str(folder), balance=True), 16).notes)


def test_balance_without_classes_is_unusable(folder):
    found = check_data(DataConfig(data=str(folder), cond="off", balance=True), 16)
    assert not found.usable and "balance is on" in found.verdict and found.count == 8
