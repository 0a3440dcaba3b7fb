"""Opening a set: policies, fingerprint, memory or not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import ConfigError, DataError


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
    assert any("7 pictures are too few" in line for line in images.notes)


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


# ---- channels


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_in_memory_or_not(tmp_path, channels):
    root = fill(tmp_path)
    Image.fromarray(np.dstack([picture(77), picture(78)[..., :1]])).save(root / "a" / "clear.png")
    held = open_images(DataConfig(data=str(root)), 8, channels=channels)
    read = open_images(DataConfig(data=str(root), cache_mib=0), 8, channels=channels)
    pixels = held.pictures(range(7))
    assert held.channels == channels and pixels.shape == (7, 8, 8, channels) and held.in_memory and not read.in_memory
    assert np.array_equal(pixels, read.pictures(range(7)))
    assert held.fingerprint == opened(root).fingerprint, "the same files, however they are decoded"
    if channels == 4:
        opaque = [not name.endswith("clear.png") for name in held.names]
        assert (pixels[opaque, ..., 3] == 255).all() and pixels[np.invert(opaque), ..., 3].min() < 255


def test_what_transparency_hides_becomes_the_background(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "same-size.png")
    Image.new("RGBA", (24, 24), (255, 0, 0, 0)).save(tmp_path / "larger.png")
    images = open_images(DataConfig(data=str(tmp_path), background="#0a0b0c"), 8, channels=4)
    assert (images.pictures([0, 1]) == (10, 11, 12, 0)).all()


@pytest.mark.parametrize(("channels", "fits"), [(1, True), (3, True), (4, False)])
def test_the_cache_counts_the_channels(tmp_path, channels, fits):
    """1,300 pictures of 16 x 16 are 0.95 MiB with three channels and 1.27 with four."""
    np.save(tmp_path / "x.npy", np.zeros((1300, 4, 4), dtype=np.uint8))
    config = DataConfig(data=str(tmp_path / "x.npy"), cache_mib=1)
    assert open_images(config, 16, channels=channels).in_memory is fits


@pytest.mark.parametrize("stored", [1, 3, 4])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_of_any_channels_as_any_channels(tmp_path, stored, channels):
    array = np.random.default_rng(3).integers(
        1, 256, (2, 8, 8, stored), dtype=np.uint8
    )  # no alpha of 0: nothing hidden
    np.savez(tmp_path / "last.npz", images=array)
    np.savez(tmp_path / "first.npz", images=array.transpose(0, 3, 1, 2))
    last, first = (
        open_images(DataConfig(data=str(tmp_path / name)), 8, channels=channels).pictures([0, 1])
        for name in ("last.npz", "first.npz")
    )
    assert np.array_equal(last, first) and last.shape == (2, 8, 8, channels)
    if stored == channels:
        assert np.array_equal(last, array)
    if channels == 4 and stored < 4:
        assert (last[..., 3] == 255).all() and np.array_equal(last[..., 0], array[..., 0])


def test_other_numbers_of_channels_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"channels is 2. Choose 1 .*3 .*or 4"):
        open_images(DataConfig(data=str(tmp_path)), 8, channels=2)


def test_emblems_in_grey_and_with_an_opaque_alpha(monkeypatch):
    monkeypatch.setattr("sagan.data.images.EMBLEM_COUNT", 24)
    grey, colour, clear = (open_images(DataConfig(), 16, channels=channels) for channels in (1, 3, 4))
    shown = [images.pictures(range(24)) for images in (grey, colour, clear)]
    assert [pixels.shape for pixels in shown] == [(24, 16, 16, channels) for channels in (1, 3, 4)]
    assert np.abs(shown[0][..., 0] - shown[1] @ [0.299, 0.587, 0.114]).max() <= 0.51
    assert np.array_equal(shown[2][..., :3], shown[1]) and (shown[2][..., 3] == 255).all()
    assert grey.fingerprint == colour.fingerprint == clear.fingerprint


# ---- classes


def test_counts_of_the_classes(tmp_path):
    root = fill(tmp_path, 7)
    assert opened(root).class_counts() == (4, 3) and opened(root, cond="off").class_counts() == ()


def test_balance_needs_classes(tmp_path):
    root = fill(tmp_path)
    assert len(opened(root, balance=True)) == 6
    for settings in ({"data": str(root), "cond": "off"}, {"data": str(root / "a")}, {"data": "emblems", "cond": "off"}):
        with pytest.raises(ConfigError, match="balance is on, but the pictures are used without classes.*--balance"):
            open_images(DataConfig(**settings, balance=True), 16)
