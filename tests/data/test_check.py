"""What `sagan data check` reports."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from sagan.data.check import check_data, suggest_preset
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
    assert any("very few" in line for line in found.notes) and any("enlarged" in line for line in found.notes)


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


@pytest.mark.parametrize(
    ("sizes", "accelerator", "preset"),
    [
        ({(500, 400): 9}, False, "sagan-32-small"),
        ({(32, 32): 9, (500, 500): 5}, True, "sagan-32"),
        ({(200, 70): 9}, True, "sagan-64"),
        ({(500, 400): 9, (20, 20): 3}, True, "sagan-128"),
        ({}, True, "sagan-32"),
    ],
)
def test_the_median_short_side_and_the_hardware_choose_the_preset(sizes, accelerator, preset):
    assert suggest_preset(Counter(sizes), accelerator) == preset


def test_the_built_in_set():
    pytest.importorskip("sagan.data.emblems")
    found = check_data(DataConfig(), 16)
    assert found.usable and found.preset == "demo" and len(found.classes) == 8 and found.count == 8192
