"""dataset.json: what it says about the classes, and each way in which it can be wrong."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.data.label_file import find_label_file, listing_by
from sagan.data.layout import NO_CLASS
from sagan.errors import DataError

NAMES = ["00/a.png", "00/b.png", "01/c.png", "01/d.png"]


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def listed(document, names=NAMES, base=""):
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return listing_by(payload, names, base, where=Path("set/dataset.json"))


def classes_of(found) -> dict[str, str]:
    return {name: found.classes[label] for name, label in zip(found.names, found.labels.tolist(), strict=True)}


def folder_of(root: Path, document, names=NAMES) -> Path:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(seed))
    (root / "dataset.json").write_text(json.dumps(document))
    return root


def zip_of(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


ROWS = [["00/a.png", 1], ["00/b.png", 0], ["01/c.png", 1], ["01/d.png", 0]]


def opened(path: Path, **settings):
    return open_images(DataConfig(data=str(path), **settings), 8)


# ---- what it says


def test_labels_come_from_the_file_and_not_from_the_folders(tmp_path):
    images = opened(folder_of(tmp_path, {"labels": ROWS}))
    assert images.classes == ("0", "1") and images.names == tuple(NAMES) and images.labels.tolist() == [1, 0, 1, 0]
    assert "The classes come from dataset.json." in images.notes
    assert not any("no pictures by their name" in note for note in images.notes)


def test_a_zip_says_the_same_as_the_folder_also_inside_a_folder_of_its_own(tmp_path):
    folder = folder_of(tmp_path / "set", {"labels": ROWS, "classes": ["cat", "dog"]})
    flat = opened(zip_of(folder, tmp_path / "flat.zip"))
    deep = opened(zip_of(folder, tmp_path / "deep.zip", "set/"))
    assert flat.classes == deep.classes == ("cat", "dog")
    assert flat.labels.tolist() == deep.labels.tolist() == [1, 0, 1, 0]
    assert flat.fingerprint == opened(folder).fingerprint
    assert deep.names[0] == "set/00/a.png" and not deep.skipped


def test_null_means_no_labels_whatever_the_folders(tmp_path):
    folder = folder_of(tmp_path, {"labels": None})
    images = opened(folder)
    assert images.classes == () and len(images) == 4 and any("has no labels" in note for note in images.notes)
    with pytest.raises(DataError, match="has no classes.*dataset.json"):
        opened(folder, cond="on")


def test_the_fingerprint_depends_on_the_labels(tmp_path):
    folder = folder_of(tmp_path, {"labels": ROWS})
    prints = [opened(folder).fingerprint]
    for document in ({"labels": ROWS[::-1]}, {"labels": [[name, 1 - label] for name, label in ROWS]}, {"labels": None}):
        (folder / "dataset.json").write_text(json.dumps(document))
        prints.append(opened(folder).fingerprint)
    assert prints[0] == prints[1] and len(set(prints)) == 3


def test_numbers_are_written_equally_long_and_stay_in_order():
    names = [f"{index}.png" for index in range(12)]
    found = listed({"labels": [[name, index] for index, name in enumerate(names)]}, names)
    assert found.classes == tuple(f"{index:02}" for index in range(12)) and list(found.classes) == sorted(found.classes)
    assert classes_of(found) == {f"{index}.png": f"{index:02}" for index in range(12)}


def test_numbers_that_do_not_occur_are_left_out():
    found = listed({"labels": [["00/a.png", 3], ["00/b.png", 1], ["01/c.png", 3], ["01/d.png", 1]]})
    assert found.classes == ("1", "3") and found.labels.tolist() == [1, 0, 1, 0]


def test_names_of_classes(tmp_path):
    document = {"labels": ROWS, "classes": ["cat", "dog", "eel"], "made by": {"somebody": [1.5]}}
    images = opened(folder_of(tmp_path, document))
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [1, 0, 1, 0]
    assert any("left out: eel" in note for note in images.notes)


def test_backslashes_dots_a_byte_order_mark_and_repeats_are_understood():
    rows = [["00\\a.png", 0], ["./00/b.png", 1], ["01/c.png", 1], ["01/c.png", 1], [".\\01\\d.png", 0]]
    found = listed(b"\xef\xbb\xbf" + json.dumps({"labels": rows}).encode())
    assert classes_of(found) == {"00/a.png": "0", "00/b.png": "1", "01/c.png": "1", "01/d.png": "0"}


def test_absent_and_unlisted_pictures_are_noted_with_count_and_first_name():
    found = listed({"labels": [["00/b.png", 0], ["gone\n.png", 1], ["01/c.png", 1], ["also.tif", 0]]})
    assert found.names == ["00/b.png", "01/c.png"] and found.labels.tolist() == [0, 1]
    absent, unlisted = found.notes[1:]
    assert absent.startswith("2 pictures that dataset.json lists are not here") and r"(the first: gone\n.png)" in absent
    assert unlisted.startswith("2 pictures are not listed") and "left out (the first: 00/a.png)" in unlisted


def test_where_the_file_may_lie():
    assert find_label_file(["a/1.png"], ["x.txt", "dataset.json", "a/dataset.json"]) == "dataset.json"
    assert find_label_file(["a/1.png", "a/b/2.png"], ["a/dataset.json"]) == "a/dataset.json"
    assert find_label_file(["a/1.png", "b/2.png"], ["a/dataset.json"]) is None
    assert find_label_file(["a/1.png"], ["notdataset.json", "a/dataset.json.bak"]) is None
    assert find_label_file([], ["dataset.json"]) is None


# ---- what is wrong with it


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{'labels': 1}", "is not JSON .*Write .*Or rename the file"),
        (b'{"labels": [["00/a.png", NaN]]}', "is not JSON .NaN is no number"),
        (b'{"labels": null, "labels": []}', "is not JSON .a name stands in it twice"),
        (b"\xff\xfe{\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"labels": [["00/a.png", ' + b"9" * 5000 + b"]]}", "is not JSON"),
        ([], "has not the layout .*rename the file"),
        ({}, "has not the layout"),
        ({"labels": {"00/a.png": 1}}, "has not the layout"),
        ({"labels": [["00/a.png", 0], ["00/b.png"]]}, "entry 1 of labels is not .path, number"),
        ({"labels": [[7, 0]]}, "entry 0 of labels is not"),
        ({"labels": [["00/a.png", [0, 1, 0]]]}, "gives 00/a.png a vector of 3 numbers .*the place of the 1"),
        ({"labels": [["00/a.png", 1.0]]}, "gives 00/a.png the label 1.0. Labels are whole numbers"),
        ({"labels": [["00/a.png", -1]]}, "the label -1"),
        ({"labels": [["00/a.png", True]]}, "the label true"),
        ({"labels": [["00/a.png", None]]}, "the label null"),
        ({"labels": [["00/a.png", "cat"]]}, 'the label "cat".*names of classes go into "classes"'),
        ({"labels": [["00/a.png", 0], ["00\\a.png", 2]]}, r"lists .*a.png twice, with the labels 0 and 2"),
        ({"labels": [["x.png", 0], ["y.png", 1]]}, "lists 2 pictures, none of which is here .the first: x.png"),
        ({"labels": []}, "lists no picture"),
        ({"labels": [["00/a.png", 0], ["00/b.png", 2]]}, "the label 2, .*more classes than its 2 pictures"),
        ({"labels": [["00/a.png", 10**30]]}, "more classes than its 1 pictures"),
        ({"labels": ROWS, "classes": ["cat"]}, "has the label 1, but 1 names of classes"),
        ({"labels": ROWS, "classes": ["cat", "cat"]}, "a name twice"),
        ({"labels": ROWS, "classes": ["cat", 7]}, "no list of names"),
        ({"labels": ROWS, "classes": "cat"}, "no list of names"),
    ],
)
def test_each_mistake_is_one_line_with_a_remedy(document, text):
    with pytest.raises(DataError, match=f"^set/dataset.json: .*{text}") as caught:
        listed(document)
    assert "\n" not in str(caught.value) and caught.value.remedy and len(str(caught.value)) < 400


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "set", {"labels": ROWS})
    packed = bytearray(zip_of(folder, tmp_path / "x.zip").read_bytes())
    entry = packed.rindex(b"PK\x01\x02", 0, packed.rindex(b"dataset.json"))
    packed[entry + 8] |= 1  # the flag for an encrypted entry
    (tmp_path / "x.zip").write_bytes(packed)
    with pytest.raises(DataError, match=r"x.zip/dataset.json: is encrypted"):
        opened(tmp_path / "x.zip")
    monkeypatch.setattr("sagan.data.sources.folder.MAX_BYTES", 10)
    with pytest.raises(DataError, match=r"set/dataset.json: has 0 MiB, more than 0"):
        opened(folder)


def test_pictures_without_a_class_are_marked_so():
    found = listed({"labels": None})
    assert found.names == NAMES and found.labels.tolist() == [NO_CLASS] * 4 and found.classes == ()


def test_the_example_of_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.S)
    found = listed(example.encode(), ["00000/img00000000.png", "00000/img00000001.png"])
    assert classes_of(found) == {"00000/img00000000.png": "dog", "00000/img00000001.png": "cat"}
