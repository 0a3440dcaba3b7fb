"""Names alone -> classes."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.data.labels import drop_empty, used_labels
from sagan.data.layout import NO_CLASS, is_junk, lay_out
from sagan.errors import DataError


def test_class_folders_in_sorted_order_with_everything_below_them():
    found = lay_out(["dog/a.png", "Cat/x/y/b.png", "cat/c.png"], ["dog", "Cat", "Cat/x", "Cat/x/y", "cat"])
    assert found.classes == ("Cat", "cat", "dog")
    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {
        "Cat/x/y/b.png": 0,
        "cat/c.png": 1,
        "dog/a.png": 2,
    }
    assert found.notes == []


def test_a_lone_train_level_is_stepped_into():
    found = lay_out(["set/train/a/1.png", "set/train/b/2.png"], ["set", "set/train", "set/train/a", "set/train/b"])
    assert found.classes == ("a", "b") and found.labels.tolist() == [0, 1]
    assert len(found.notes) == 2 and "train/" in found.notes[1]


def test_of_train_and_test_only_train_is_used():
    found = lay_out(["train/a/1.png", "train/b/2.png", "test/a/3.png"], [])
    assert found.names == ["train/a/1.png", "train/b/2.png"] and found.classes == ("a", "b")
    assert "test/" in found.notes[0]


def test_train_beside_other_names_is_a_class():
    assert lay_out(["train/1.png", "bus/2.png"], []).classes == ("bus", "train")


def test_an_empty_folder_is_a_class_without_pictures():
    found = lay_out(["a/1.png", "b/2.png"], ["a", "b", "c"])
    classes, wanted, notes = used_labels(found, "auto", where="set")
    assert classes == ("a", "b", "c")
    with pytest.raises(DataError, match=r"set: class folder c/ without a usable picture.*delete it, or use --cond off"):
        drop_empty(found, classes, wanted, notes, where="set")


def test_pictures_beside_class_folders_have_no_class():
    found = lay_out(["0.png", "a/1.png", "a/2.png", "b/3.png"], [])
    assert found.labels.tolist() == [NO_CLASS, 0, 0, 1]
    classes, wanted, notes = used_labels(found, "auto", where="set")
    assert classes == ("a", "b") and wanted.tolist() == [1, 2, 3] and "1 pictures have no class" in notes[0]
    assert used_labels(found, "off", where="set")[1].tolist() == [0, 1, 2, 3]


def test_a_few_folders_beside_many_pictures_are_no_classes():
    found = lay_out(["0.png", "1.png", "2.png", "a/1.png", "b/3.png"], [])
    classes, wanted, notes = used_labels(found, "auto", where="set")
    assert classes == () and len(wanted) == 5 and "not taken as classes" in notes[0]
    assert used_labels(found, "on", where="set")[0] == ("a", "b")


def test_one_class():
    found = lay_out(["cats/1.png", "cats/2.png"], ["cats"])
    assert used_labels(found, "auto", where="set")[0] == ()
    classes, wanted, notes = used_labels(found, "on", where="set")
    assert classes == ("cats",) and len(wanted) == 2 and "single class" in notes[-1]


def test_classes_asked_for_where_there_are_none():
    with pytest.raises(DataError, match="set: has no classes.*folder of its own"):
        used_labels(lay_out(["1.png"], []), "on", where="set")


def test_unused_names_of_a_file_are_left_out_and_the_rest_numbered_anew():
    found = lay_out([], [])
    found.names, found.classes, found.empty_class_is_error = ["x", "y"], ("a", "b", "c"), False
    found.labels = np.array([2, 0])
    notes: list[str] = []
    classes, labels = drop_empty(found, found.classes, np.arange(2), notes, where="set")
    assert classes == ("a", "c") and labels.tolist() == [1, 0] and "left out: b" in notes[0]


@pytest.mark.parametrize("name", ["._a.jpg", "x/.DS_Store", "__MACOSX/a/b.jpg", "Thumbs.db", ".hidden/a.png"])
def test_junk(name):
    assert is_junk(name)


@pytest.mark.parametrize("name", ["a.jpg", "x/a..b.png", "MACOSX/a.png", "./a.png"])
def test_not_junk(name):
    assert not is_junk(name)
