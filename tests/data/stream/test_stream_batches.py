"""Batches of a stream: the right pictures, from any position, with any processes, whatever is broken."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal

import numpy as np
import pytest
from PIL import Image
from shard_files import write_parquet

from sagan.data.config import DataConfig
from sagan.data.stream import listing as listing_module
from sagan.data.stream.batches import StreamBatches
from sagan.data.stream.opening import open_stream
from sagan.errors import DataError, PeerError

SIDE, BATCH, WINDOW = 8, 16, 60
needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


def opened(folder, **options):
    return open_stream(DataConfig(data=f"stream:{folder}", shuffle_window=WINDOW, **options), SIDE)


def batches_of(images, **options):
    return StreamBatches(images, **{"batch_size": BATCH, "seed": 5, "window": WINDOW, **options})


def take(batches, count):
    with batches:
        return [next(batches) for _ in range(count)]


def same(first, second):
    return all(
        (a.ids == b.ids).all() and (a.labels == b.labels).all() and (a.pixels == b.pixels).all()
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar"])
def test_the_pictures_and_classes_are_those_of_the_shards(shards, pictures, kind):
    images = opened(shards[kind])
    assert images.total == 240 and images.classes == ("0", "1", "2") and len(images) == 240
    batch = take(batches_of(images), 1)[0]
    for pixels, label, number in zip(batch.pixels, batch.labels.tolist(), batch.ids.tolist(), strict=True):
        expected = np.asarray(Image.open(io.BytesIO(pictures[0][number])))
        assert (pixels.permute(1, 2, 0).numpy() == expected).all() and label == pictures[1][number]
        assert images.name_of(number).endswith(f"#{number % 60}")


@pytest.mark.parametrize("kind", ["parquet", "arrow", "tar"])
def test_resume_needs_one_integer(shards, kind):
    """Also in the middle of a window, at its edges, at the end of an epoch, and back."""
    images = opened(shards[kind])
    expected = take(batches_of(images, mirror=True), 18)
    for start in (1, 3, 14, 15):
        found = take(batches_of(images, mirror=True, position=BATCH * start), 3)
        assert same(found, expected[start : start + 3]), start
    with batches_of(images, mirror=True) as batches:
        assert same([next(batches) for _ in range(8)], expected[:8])
        batches.seek(2 * BATCH)
        assert batches.position == 2 * BATCH and same([next(batches) for _ in range(5)], expected[2:7])


def test_an_epoch_shows_each_picture_once_and_classes_mixed(shards):
    ids = np.concatenate([batch.ids.numpy() for batch in take(batches_of(opened(shards["tar"])), 15)])
    assert sorted(ids.tolist()) == list(range(240))
    assert (np.diff(ids) == 1).mean() < 0.1


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_change_nothing(shards, processes):
    images = opened(shards["parquet"])
    assert same(take(batches_of(images, workers=processes, position=48), 20), take(batches_of(images, position=48), 20))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("size", "parts"), [(2, 1), (8, 2)])
def test_ranks_share_one_batch_and_its_order(shards, size, parts):
    images = opened(shards["tar"])
    whole = take(batches_of(images, parts=parts), 18)
    shares = np.arange(BATCH).reshape(parts, size, -1).swapaxes(0, 1).reshape(size, -1)
    for rows in shares:
        mine = take(batches_of(images, parts=parts, rows=rows), 18)
        for part, batch in zip(mine, whole, strict=True):
            assert (part.ids == batch.ids[rows]).all() and (part.pixels == batch.pixels[rows]).all()


def test_threads_change_nothing(shards, monkeypatch):
    images = opened(shards["tar"])
    expected = take(batches_of(images), 8)
    images.threads = 3
    monkeypatch.setattr("sagan.data.stream.lane.SMALL", 0)  # so that they are used for these too
    assert same(take(batches_of(images), 8), expected)


def test_the_seed_and_the_window_change_the_order(shards):
    images = opened(shards["tar"])
    first = take(batches_of(images), 1)[0].ids
    assert (take(batches_of(images, seed=6), 1)[0].ids != first).any()
    assert (take(batches_of(images, window=240), 1)[0].ids != first).any()


def write_set(folder, files, labels):
    folder.mkdir()
    write_parquet(folder / "a.parquet", files[:120], labels[:120])
    write_parquet(folder / "b.parquet", files[120:], labels[120:])
    return folder


@pytest.fixture
def broken(tmp_path, pictures):
    """A set with three pictures that cannot be used."""
    files = list(pictures[0])
    files[10], files[70], files[200] = b"", b"no picture", files[200][:60]
    return write_set(tmp_path / "broken", files, pictures[1])


def test_another_picture_of_its_window_stands_in_for_a_broken_one(broken):
    images = opened(broken, max_bad=0.05)
    assert sorted(one.where for one in images.skipped) == ["a.parquet#10", "a.parquet#70", "b.parquet#80"]
    expected = take(batches_of(images), 15)
    ids = np.concatenate([batch.ids.numpy() for batch in expected])
    assert not {10, 70, 200} & set(ids.tolist()) and len(set(ids.tolist())) == 237, "positions stay what they were"
    assert same(take(batches_of(images, position=BATCH * 7), 8), expected[7:])
    assert same(take(batches_of(images, workers=2), 15), expected)


def test_too_many_broken_ones_end_it(broken, monkeypatch):
    with pytest.raises(DataError, match=r"3 of 240 pictures \(1\.\d%\) cannot be used, more than max_bad 1.0%"):
        opened(broken)
    with pytest.raises(DataError, match="a.parquet#10: has 0 bytes"):
        opened(broken, on_bad="stop")
    images = opened(broken, max_bad=0.05)
    images.limits = DataConfig(max_bad=0.001)
    monkeypatch.setattr("sagan.data.stream.opening.ENOUGH", 100)
    with pytest.raises(DataError, match=r"of the \d+ pictures seen so far .* more than max_bad 0.1%: .*--max-bad"):
        take(batches_of(images), 15)


def test_a_shard_that_is_damaged_later_is_so_many_broken_pictures(tmp_path, pictures, monkeypatch):
    folder = write_set(tmp_path / "set", *pictures)
    images = opened(folder, max_bad=0.9)
    data = bytearray((folder / "b.parquet").read_bytes())
    data[4:4000] = bytes(3996)  # the first row groups
    (folder / "b.parquet").write_bytes(data)
    ids = np.concatenate([batch.ids.numpy() for batch in take(batches_of(images, batch_size=2, window=240), 120)])
    assert images.bad >= 10 and not set(range(120, 130)) & set(ids.tolist())
    assert any("damaged part of the Parquet file" in one.text for one in images.skipped)
    with pytest.raises(DataError, match=r"none of \d pictures from b.parquet#\d+ on can be used"):
        take(batches_of(images, window=40), 15)  # so small that damage fills some


def test_a_place_that_comes_back_is_waited_for_and_one_that_does_not_ends_it(tmp_path, pictures, monkeypatch):
    folder = write_set(tmp_path / "set", *pictures)
    images = opened(folder)
    expected = take(batches_of(images), 20)
    away, waits = folder.with_name("away"), []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3 and away.exists():
            away.rename(folder)

    monkeypatch.setattr(listing_module.time, "sleep", wait)
    with batches_of(images) as batches:
        found = [next(batches) for _ in range(4)]
        folder.rename(away)
        found += [next(batches) for _ in range(16)]
        assert same(found, expected) and waits == [1.0, 2.0, 4.0]
        folder.rename(folder.with_name("gone"))
        with pytest.raises(PeerError, match=r"parquet: cannot be read, tried 6 times .*Start the same command again"):
            for _ in range(16):
                next(batches)
    assert waits[3:] == list(listing_module.PAUSES)


@needs_signals
def test_a_killed_process_is_replaced_at_the_same_place(shards):
    images = opened(shards["parquet"])
    expected = take(batches_of(images), 8)
    with batches_of(images, workers=2) as batches:
        found = [next(batches)]
        for process in batches._crew.processes:
            os.kill(process.pid, signal.SIGKILL)
            process.join(10)
        found += [next(batches) for _ in range(7)]
    assert same(found, expected)
