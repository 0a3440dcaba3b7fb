"""A pack: the same set, decoded once."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data.batches import Batches
from sagan.data.check import check_data
from sagan.data.config import DataConfig
from sagan.data.images import open_images, recipe_of
from sagan.data.pack import layout
from sagan.data.pack.reading import PackSource
from sagan.data.pack.writing import finish, write_pack
from sagan.data.sources import open_source
from sagan.errors import ConfigError, DataError, ResourceError


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 9, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path):
    """23 pictures of two classes, one beside them, and two that cannot be used."""
    root = tmp_path / "photos"
    for seed in range(23):
        folder = root / "ab"[seed % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed)).save(folder / f"{seed:02d}.png")
    Image.fromarray(picture(90)).save(root / "stray.png")
    (root / "b" / "05.png").write_bytes(b"no picture")
    (root / "b" / "zero.png").write_bytes(b"")
    return root


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 7 * 8 * 8 * 3)  # seven pictures


def config(path, **settings):
    return DataConfig(data=str(path), max_bad=0.5, **settings)


@pytest.fixture
def opened():
    """open_images whose sets are closed in the end."""
    with ExitStack() as stack:

        def open_set(*words, **options):
            images = open_images(*words, **options)
            stack.callback(images.close)
            return images

        yield open_set


def pack(root: Path, folder: Path, side: int = 8, **settings) -> Path:
    source = open_source(root)
    finish(write_pack(source, recipe_of(config(root, **settings), side), folder, name="photos"), source)
    source.close()
    return folder


@pytest.mark.parametrize("cond", ["auto", "off"])
@pytest.mark.parametrize("cache_mib", [0, 64])
def test_a_pack_is_the_set_that_it_was_made_of(photos, tmp_path, cond, cache_mib, opened):
    packed = pack(photos, tmp_path / "photos.pack")
    source = opened(config(photos, cond=cond, cache_mib=cache_mib), 8)
    read = opened(config(packed, cond=cond, cache_mib=cache_mib), 8)
    for name in ("name", "classes", "names", "fingerprint", "skipped", "facts", "notes"):
        assert getattr(read, name) == getattr(source, name), name
    assert len(source) == (23 if cond == "off" else 22) and read.decoded
    np.testing.assert_array_equal(read.labels, source.labels)
    np.testing.assert_array_equal(read.digests, source.digests)
    rows = np.random.default_rng(1).integers(0, len(source), 100)
    np.testing.assert_array_equal(read.pictures(rows), source.pictures(rows))


def test_batches_are_those_of_the_source(photos, tmp_path, opened):
    packed = pack(photos, tmp_path / "photos.pack")
    told = {"batch_size": 6, "seed": 3, "mirror": True, "position": 12}
    first = Batches(opened(config(photos), 8), **told)
    second = Batches(opened(config(packed, cache_mib=0), 8), workers=2, **told)
    assert second.workers == 0
    for _ in range(6):
        ours, theirs = next(first), next(second)
        for one, other in zip(ours, theirs, strict=True):
            assert one.equal(other)


def test_a_check_of_a_pack_says_what_a_check_of_its_source_says(photos, tmp_path):
    packed = pack(photos, tmp_path / "photos.pack")
    one, other = check_data(config(photos), 8), check_data(config(packed), 8)
    np.testing.assert_array_equal(one.preview, other.preview)
    for name in ("count", "tried", "classes", "sizes", "modes", "duplicates", "bad", "notes", "verdict"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(photos, tmp_path, channels, opened):
    source = open_source(photos)
    folder = tmp_path / "p"
    finish(write_pack(source, recipe_of(config(photos), 8, channels), folder, name="p"), source)
    rows = np.arange(22)
    ours = opened(config(folder, cache_mib=0), 8, channels=channels).pictures(rows)
    np.testing.assert_array_equal(ours, opened(config(photos), 8, channels=channels).pictures(rows))


def test_training_with_other_squares_is_refused_with_the_words_that_help(photos, tmp_path, opened):
    packed = pack(photos, tmp_path / "photos.pack", background="#000000")
    with pytest.raises(ConfigError, match=r"--resolution 8 where 16 is asked for, --background #000000 where #ffffff"):
        opened(config(packed), 16)
    with pytest.raises(ConfigError, match="Train with --fit crop"):
        opened(config(packed, fit="pad", background="#000000"), 8)


def test_what_was_broken_off_goes_on_after_the_last_whole_shard(photos, tmp_path, opened):
    folder, source = tmp_path / "p", open_source(photos)
    recipe = recipe_of(config(photos), 8)

    def until(done, total):
        if done > 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pack(source, recipe, folder, name="p", progress=until)
    with pytest.raises(DataError, match=r"not finished.*goes on"):
        opened(config(folder), 8)
    kept = (folder / "00000.pixels").stat().st_mtime_ns
    (folder / "00001.pixels").write_bytes(b"what a crash left")
    result = write_pack(source, recipe, folder, name="p")
    assert result.found == 2  # of three: the second has an index, but other pixels
    assert (folder / "00000.pixels").stat().st_mtime_ns == kept
    finish(result, source)
    np.testing.assert_array_equal(
        opened(config(folder), 8).pictures(np.arange(22)), opened(config(photos), 8).pictures(np.arange(22))
    )
    assert not (folder / "packing.json").exists()


def test_a_finished_pack_is_left_as_it_is(photos, tmp_path):
    folder = pack(photos, tmp_path / "p")
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = write_pack(open_source(photos), recipe_of(config(photos), 8), folder, name="photos")
    finish(again, open_source(photos))
    assert again.found == again.made.shards == 4 and again.kept == 23 and len(again.skipped) == 2
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir() if file.name != ".lock"} == {
        name: when for name, when in before.items() if name != ".lock"
    }


def test_a_folder_with_anything_else_is_refused_and_left_alone(photos, tmp_path):
    source, recipe = open_source(photos), recipe_of(config(photos), 8)
    with pytest.raises(ConfigError, match="holds other files"):
        write_pack(source, recipe, photos, name="p")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        write_pack(source, recipe, file, name="p")
    folder = pack(photos, tmp_path / "p")
    with pytest.raises(ConfigError, match=r"something else: resolution 8, not 16"):
        write_pack(source, recipe_of(config(photos), 16), folder, name="photos")
    (photos / "a" / "00.png").rename(photos / "b" / "00.png")
    with pytest.raises(ConfigError, match="other pictures or classes"):
        write_pack(open_source(photos), recipe, folder, name="photos")


def test_too_little_room_is_said_before_anything_is_written(photos, tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(ResourceError, match=r"needs .* more, and .* are free"):
        write_pack(open_source(photos), recipe_of(config(photos), 8), tmp_path / "p", name="p")
    assert not (tmp_path / "p").exists()


def test_every_changed_byte_of_pixels_is_noticed_when_it_is_read(photos, tmp_path, opened):
    packed = pack(photos, tmp_path / "p")
    images = opened(config(packed, cache_mib=0), 8)
    expected = images.pictures(np.arange(22))
    file = packed / "00001.pixels"
    payload = file.read_bytes()
    file.write_bytes(payload[:200] + bytes([payload[200] ^ 1]) + payload[201:])
    images = opened(config(packed, cache_mib=0), 8)
    bad = []
    for row in range(22):
        try:
            np.testing.assert_array_equal(images.pictures([row])[0], expected[row])
        except DataError as error:
            assert images.names[row] in str(error) and "00001.pixels" in str(error)
            bad.append(row)
    assert len(bad) == 1


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda p: (p / "00001.pixels").unlink(), "is gone"),
        (lambda p: os.truncate(p / "00001.pixels", 100), "has 100 bytes"),
        (lambda p: (p / "00001.index").unlink(), "is gone"),
        (lambda p: os.truncate(p / "00001.index", 100), "is damaged"),
        (lambda p: (p / "00001.index").write_bytes((p / "00000.index").read_bytes()), "another index"),
        (lambda p: (p / "pack.json").write_text("{}"), "is damaged"),
        (lambda p: (p / "pack.json").write_text("[" * 5000), "is damaged"),
        (lambda p: edit(p, lambda facts: facts["made"].update(format=2)), "another version"),
        (lambda p: edit(p, lambda facts: facts["made"].update(pictures=9999)), "another number of shards"),
        (lambda p: edit(p, lambda facts: facts["classes"].clear()), "labels without a class"),
        (lambda p: edit(p, lambda facts: facts["shards"].pop()), "another number of shards"),
    ],
)
def test_a_damaged_pack_is_refused_in_one_line(photos, tmp_path, harm, words, opened):
    packed = pack(photos, tmp_path / "p")
    harm(packed)
    with pytest.raises(DataError, match=words) as caught:
        opened(config(packed), 8)
    assert "\n" not in str(caught.value) and "sagan data pack" in str(caught.value)


def edit(folder: Path, change) -> None:
    facts = json.loads((folder / "pack.json").read_text())
    change(facts)
    (folder / "pack.json").write_text(json.dumps(facts))


def test_flipped_bits_of_an_index_are_refused(photos, tmp_path):
    packed = pack(photos, tmp_path / "p")
    file = packed / "00002.index"
    payload = file.read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(payload), 200).tolist():
        damaged = bytearray(payload)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.raises(DataError):
            PackSource(packed)


def test_names_that_are_no_text_and_many_files_at_a_time(tmp_path, monkeypatch, opened):
    monkeypatch.setattr("sagan.data.pack.reading.MOST_OPEN", 2)
    root = tmp_path / "odd"
    root.mkdir()
    for seed in range(40):
        name = os.fsdecode(b"p\xff%02d\n.png" % seed)
        try:
            Image.fromarray(picture(seed)).save(root / name)
        except (OSError, UnicodeError):
            pytest.skip("this file system takes no such names")
    packed = pack(root, tmp_path / "p")
    one, other = opened(config(root), 8), opened(config(packed, cache_mib=0), 8)
    assert one.names == other.names and one.fingerprint == other.fingerprint
    copy = pickle.loads(pickle.dumps(other))  # as a process that is not forked gets it
    for rows in (np.arange(40), np.arange(40)[::-1]):
        np.testing.assert_array_equal(one.pictures(rows), copy.pictures(rows))
    copy.close()


def test_a_killed_packing_loses_nothing(photos, tmp_path, opened):
    """Killed with SIGKILL at five moments, each later than the one before; then finished."""
    folder = tmp_path / "p"
    code = f"""
import sys, time
from sagan.data.pack import layout, writing
layout.SHARD_BYTES = 3 * 8 * 8 * 3
real = writing.write_atomic
def slow(*words):
    time.sleep(0.02); real(*words); print("w", flush=True); time.sleep(0.02)
writing.write_atomic = slow
from pathlib import Path
from sagan.data.config import DataConfig
from sagan.data.images import recipe_of
from sagan.data.sources import open_source
source = open_source(Path({str(photos)!r}))
done = writing.write_pack(source, recipe_of(DataConfig(data="x"), 8), Path({str(folder)!r}), name="p")
writing.finish(done, source)
print("found", done.found, flush=True)
"""
    found = []
    for writes in (1, 3, 4, 5, 6, None):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        seen = []
        for line in process.stdout:
            seen.append(line)
            if writes is not None and len(seen) == writes:
                time.sleep(0.005 * writes)
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
        process.stdout.close()
        process.wait()
        if writes is None:
            found = [line for line in seen if line.startswith("found")]
    assert found and int(found[0].split()[1]) >= 5
    rows = np.arange(22)
    images = opened(config(folder, cache_mib=0), 8)
    np.testing.assert_array_equal(images.pictures(rows), opened(config(photos), 8).pictures(rows))


def test_an_empty_index_of_a_shard_without_usable_pictures(tmp_path, opened):
    root = tmp_path / "mixed"
    root.mkdir()
    for seed in range(10):
        Image.fromarray(picture(seed)).save(root / f"{seed}.png")
    for seed in range(14):
        (root / f"bad{seed:02d}.png").write_bytes(io.BytesIO(b"x" * 10).getvalue())
    packed = pack(root, tmp_path / "p")
    images = opened(DataConfig(data=str(packed), max_bad=1), 8)
    assert len(images) == 10 and len(images.skipped) == 14
