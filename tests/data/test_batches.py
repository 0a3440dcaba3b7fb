"""Order is a pure function of (seed, position), whoever decodes."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from sagan.data.batches import Batches
from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import ConfigError, DataError
from sagan.randomness import Stream, permutation

COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    for seed in range(COUNT):
        (root / "ab"[seed % 2]).mkdir(exist_ok=True)
        array = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(array).save(root / "ab"[seed % 2] / f"{seed}.png")
    return root


@pytest.fixture(scope="module")
def held(folder):
    return open_images(DataConfig(data=str(folder)), 8)


@pytest.fixture
def read(folder):
    return open_images(DataConfig(data=str(folder), cache_mib=0), 8)


def take(batches: Batches, count: int):
    with batches:
        return [next(batches) for _ in range(count)]


def same(first, second):
    return all(torch.equal(a, b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True))


def test_shapes_types_and_memory_format(held):
    pixels, labels, ids = next(Batches(held, batch_size=4, seed=1))
    assert pixels.shape == (4, 3, 8, 8) and pixels.dtype == torch.uint8
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(pixels.permute(0, 2, 3, 1).numpy(), held.pictures(ids.numpy()))
    assert labels.dtype == ids.dtype == torch.int64 and labels.tolist() == held.labels[ids.numpy()].tolist()


def test_each_epoch_shows_each_picture_once_in_another_order(held):
    seen = torch.cat([batch.ids for batch in take(Batches(held, batch_size=5, seed=3), 4)]).tolist()
    assert sorted(seen[:COUNT]) == sorted(seen[COUNT:]) == list(range(COUNT))
    assert seen[:COUNT] == permutation(3, Stream.ORDER, 0, COUNT).tolist()
    assert seen[COUNT:] == permutation(3, Stream.ORDER, 1, COUNT).tolist()
    assert seen[:COUNT] != seen[COUNT:]


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_needs_one_integer(held, read, workers):
    whole = take(Batches(held, batch_size=4, seed=5, mirror=True), 6)
    first = Batches(read, batch_size=4, seed=5, mirror=True, workers=workers)
    start = take(first, 2)
    assert first.position == 8  # what the workers fetched ahead does not count
    rest = take(Batches(read, batch_size=4, seed=5, mirror=True, workers=workers, position=8), 4)
    assert same(whole, start + rest)


def test_mirror_flips_about_half_and_left_to_right(held):
    plain = take(Batches(held, batch_size=10, seed=2), 20)
    mirrored = take(Batches(held, batch_size=10, seed=2, mirror=True), 20)
    flipped = 0
    for one, two in zip(plain, mirrored, strict=True):
        for before, after in zip(one.pixels, two.pixels, strict=True):
            assert torch.equal(after, before) or torch.equal(after, before.flip(2))
            flipped += not torch.equal(after, before)
    assert 70 <= flipped <= 130  # 200 fair coins: four standard deviations are 28


def test_the_global_random_state_is_left_alone(read):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    take(Batches(read, batch_size=4, seed=5, workers=1), 2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_parquet_file_is_read_by_workers_too(folder, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    files = sorted(folder.rglob("*.png"))
    pq.write_table(
        pa.table({"image": [{"bytes": file.read_bytes()} for file in files]}), tmp_path / "x.parquet", row_group_size=3
    )
    images = open_images(DataConfig(data=str(tmp_path / "x.parquet"), cache_mib=0), 8)
    assert any("slow to reach" in line for line in images.notes)
    assert same(
        take(Batches(images, batch_size=4, seed=5), 3),
        take(Batches(images, batch_size=4, seed=5, workers=1), 3),
    )


def test_a_bad_picture_in_a_worker_is_our_error(folder, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    images = open_images(DataConfig(data=str(tmp_path), cache_mib=0), 8)
    (tmp_path / "x.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"x.png: changed since the set was opened") as caught:
        take(Batches(images, batch_size=2, seed=0, workers=1), 1)
    assert caught.value.remedy is not None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_worker_is_replaced_at_the_same_place(held, read):
    expected = take(Batches(held, batch_size=4, seed=5), 5)
    with Batches(read, batch_size=4, seed=5, workers=1) as batches:
        found = [next(batches)]
        for worker in batches._arriving._workers:
            os.kill(worker.pid, signal.SIGKILL)
            worker.join(10)
        found += [next(batches) for _ in range(4)]
    assert same(found, expected)


def uneven(root, counts=(9, 2)):
    """A folder with so many pictures of classes a, b, ..."""
    for kind, count in zip("abc", counts, strict=False):
        (root / kind).mkdir(parents=True)
        for seed in range(count):
            array = np.random.default_rng((ord(kind), seed)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(array).save(root / kind / f"{seed}.png")
    return root


@pytest.mark.parametrize("workers", [0, 2])
def test_balanced_batches_also_resume_from_one_integer(tmp_path, workers):
    held = open_images(DataConfig(data=str(uneven(tmp_path))), 8)
    read = open_images(DataConfig(data=str(tmp_path), cache_mib=0), 8)
    whole = take(Batches(held, batch_size=4, seed=5, mirror=True, balance=True), 6)
    rest = take(Batches(read, batch_size=4, seed=5, mirror=True, balance=True, workers=workers, position=8), 4)
    assert same(whole[2:], rest)
    shown = torch.cat([batch.labels for batch in whole]).tolist()
    assert shown.count(0) == shown.count(1) == 12
    plain = torch.cat([batch.labels for batch in take(Batches(held, batch_size=4, seed=5), 6)]).tolist()
    assert plain.count(1) < 8, "2 of 11 pictures are of class b"


def test_balance_needs_classes(tmp_path):
    images = open_images(DataConfig(data=str(uneven(tmp_path)), cond="off"), 8)
    with pytest.raises(ConfigError, match="balance is on for pictures without classes"):
        Batches(images, batch_size=4, seed=5, balance=True)


@pytest.mark.parametrize("channels", [1, 4])
def test_batches_have_the_channels_of_the_set(folder, channels):
    images = open_images(DataConfig(data=str(folder)), 8, channels=channels)
    pixels, _, ids = next(Batches(images, batch_size=4, seed=1))
    assert pixels.shape == (4, channels, 8, 8) and pixels.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(pixels.permute(0, 2, 3, 1).numpy(), images.pictures(ids.numpy()))
