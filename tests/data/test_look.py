"""The quick look at a set: headers and a few pixels, never the whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data import look as look_module
from sagan.data.config import DataConfig
from sagan.data.decode import Header, decode, read_header
from sagan.data.faults import Fault
from sagan.data.images import recipe_of
from sagan.data.look import look_at_set
from sagan.data.pack.writing import finish, write_pack
from sagan.data.scan import prepare
from sagan.data.sources import open_source
from sagan.data.sources.folder import FolderSource
from sagan.errors import DataError


def save(path: Path, size=(30, 20), mode="RGB", seed=0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(Image.new(mode, (1, 1)).getbands()))
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array[..., 0] if shape[2] == 1 else array, mode).save(path, **options)
    return path


def look(path):
    return look_at_set(DataConfig(data=str(path)))


@pytest.fixture
def folder(tmp_path):
    for number in range(9):
        save(
            tmp_path / "set" / "ab"[number % 3 == 0] / f"{number}.{('png', 'jpg')[number % 2]}",
            (30 + number, 20),
            seed=number,
        )
    return tmp_path / "set"


def test_what_names_headers_and_pixels_tell(folder):
    shutil.copy(folder / "a" / "1.jpg", folder / "b" / "copy.jpg")
    (folder / "a" / "zero.png").touch()
    (folder / "a" / "text.png").write_text("text")
    found = look(folder)
    assert (found.listed, found.looked, found.unreadable, found.copies, found.pictures) == (12, 12, 2, 1, 9)
    assert found.classes == {"a": 8, "b": 4} and not found.grey and not found.transparent and found.packed is None
    assert found.short_side == 20 and found.sizes[31, 20] == 2
    assert look_at_set(DataConfig(data=str(folder), cond="off")).classes == {}


def test_a_set_of_colour_costs_one_decoded_picture(folder, monkeypatch):
    prepared = []
    monkeypatch.setattr(look_module, "prepare", lambda *given: prepared.append(1) or prepare(*given))
    look(folder)
    assert len(prepared) == 1


def test_grey_and_transparent_sets(tmp_path):
    for number in range(4):
        save(tmp_path / "grey" / f"{number}.png", mode="L", seed=number)
        save(tmp_path / "clear" / f"{number}.png", mode="RGBA", seed=number)
        save(tmp_path / "opaque" / f"{number}.png", mode="RGB", seed=number)
        level = Image.open(tmp_path / "grey" / f"{number}.png").convert("RGB")
        (tmp_path / "rgb-grey").mkdir(exist_ok=True)
        level.save(tmp_path / "rgb-grey" / f"{number}.png")
        (tmp_path / "all-opaque").mkdir(exist_ok=True)
        level.convert("RGBA").save(tmp_path / "all-opaque" / f"{number}.png")
    kinds = {name: look(tmp_path / name) for name in ("grey", "rgb-grey", "clear", "opaque", "all-opaque")}
    assert {name: (one.grey, one.transparent) for name, one in kinds.items()} == {
        "grey": (True, False),
        "rgb-grey": (True, False),
        "clear": (False, True),
        "opaque": (False, False),
        "all-opaque": (True, False),
    }
    save(tmp_path / "rgb-grey" / "blue.png", seed=9)
    assert not look(tmp_path / "rgb-grey").grey, "one picture with colours is enough"
    for number in range(2):
        save(tmp_path / "opaque" / f"clear{number}.png", mode="RGBA", seed=20 + number)
    assert not look(tmp_path / "opaque").transparent, "most must be"


def test_large_sets_are_looked_at_in_part_and_evenly(tmp_path, monkeypatch):
    for number in range(40):
        save(tmp_path / f"{number:02}.png", (10, 10 if number < 20 else 12), seed=number)
    read = []

    def note(self, index):
        read.append(index)
        return really(self, index)

    really = FolderSource.read
    monkeypatch.setattr(FolderSource, "read", note)
    monkeypatch.setattr(look_module, "LOOKED", 8)
    found = look(tmp_path)
    assert (found.listed, found.looked) == (40, 8) and found.sizes == {(10, 10): 4, (10, 12): 4}
    assert {0, 39} <= set(read)
    monkeypatch.setattr(look_module, "LOOKED", 30)
    monkeypatch.setattr(look_module, "FIRST", 4)
    monkeypatch.setattr(look_module, "BYTES", 12 * (tmp_path / "00.png").stat().st_size)
    assert 8 <= look(tmp_path).looked <= 13, "as many as the bytes allow"


def test_arrays_and_packs_know_without_decoding(tmp_path, folder):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 12, 10, 3), dtype=np.uint8)
    pixels[5] = pixels[4]
    np.savez(tmp_path / "x.npz", pixels, labels=np.array([0, 1, 0, 1, 0, 1]))
    found = look(tmp_path / "x.npz")
    assert (found.listed, found.copies, found.sizes, len(found.classes)) == (6, 1, {(10, 12): 6}, 2)
    source = open_source(folder)
    recipe = recipe_of(DataConfig(data=str(folder)), 16, 1)
    finish(write_pack(source, recipe, tmp_path / "set.pack", name="set"), source)
    packed = look(tmp_path / "set.pack")
    assert packed.packed == (16, 1) and packed.listed == 9 and packed.short_side == 20
    assert packed.classes == look(folder).classes


def test_nothing_usable_is_no_reason_to_stop(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG no")
    found = look(tmp_path)
    assert (found.pictures, found.short_side, found.grey, found.transparent) == (0, 0, False, False)
    with pytest.raises(DataError, match="does not exist"):
        look(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("x.png", "RGBA", {}),
        ("x.jpg", "RGB", {}),
        ("x.jpg", "CMYK", {}),
        ("x.webp", "RGB", {}),
        ("x.gif", "L", {}),
        ("x.bmp", "1", {}),
    ],
)
def test_a_header_says_what_decoding_says(tmp_path, name, mode, options):
    data = save(tmp_path / name, (33, 21), mode).read_bytes() if mode != "1" else b""
    if mode == "1":
        Image.new("1", (33, 21)).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
    whole = decode(data)
    assert read_header(data) == Header(whole.size, whole.mode)


def test_what_a_header_gives_away_is_a_fault(tmp_path):
    data = save(tmp_path / "x.png", (3000, 40)).read_bytes()
    for broken, code in ((b"", "empty"), (b"<html>", "not-a-picture"), (data, "too-thin")):
        found = read_header(broken)
        assert isinstance(found, Fault) and found.code == code
