"""Order is a pure function of (seed, position), whoever decodes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sagan.data import batches as module
from sagan.data import workers
from sagan.data.batches import Batches
from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import ConfigError, DataError, ResourceError
from sagan.randomness import Stream, permutation, uniform

COUNT = 10
needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


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


@pytest.mark.parametrize("processes", [0, 2])
def test_resume_needs_one_integer(held, read, processes):
    whole = take(Batches(held, batch_size=4, seed=5, mirror=True), 6)
    first = Batches(read, batch_size=4, seed=5, mirror=True, workers=processes)
    start = take(first, 2)
    assert first.position == 8  # what the workers fetched ahead does not count
    rest = take(Batches(read, batch_size=4, seed=5, mirror=True, workers=processes, position=8), 4)
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


@pytest.mark.parametrize("drawn", [1, 7, 4096])
@pytest.mark.parametrize("start", [0, 13])
def test_drawing_ahead_changes_nothing(held, drawn, start, monkeypatch):
    monkeypatch.setattr(module, "DRAWN", drawn)
    batches = Batches(held, batch_size=3, seed=5, mirror=True, position=start)
    for position in [*range(start, start + 60, 3), 2, 5, 40, 40, 39, 1]:
        if batches.position != position:
            batches.seek(position)
        batch = next(batches)
        places = range(position, position + 3)
        ids = [permutation(5, Stream.ORDER, place // COUNT, COUNT)[place % COUNT] for place in places]
        assert batch.ids.tolist() == ids
        squares = [
            square[:, ::-1] if uniform(5, Stream.MIRROR, place, 1)[0] < 0.5 else square
            for place, square in zip(places, held.pictures(ids), strict=True)
        ]
        assert np.array_equal(batch.pixels.permute(0, 2, 3, 1).numpy(), np.stack(squares))
        batch.ids.fill_(0)  # a batch is the caller's own
        batch.pixels.fill_(0)


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


def waited(condition, seconds=20.0):
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@needs_signals
def test_a_killed_worker_is_replaced_at_the_same_place(held, read):
    expected = take(Batches(held, batch_size=4, seed=5), 5)
    with Batches(read, batch_size=4, seed=5, workers=1) as batches:
        found = [next(batches)]
        for process in batches._ahead.processes:
            os.kill(process.pid, signal.SIGKILL)
            process.join(10)
        found += [next(batches) for _ in range(4)]
    assert same(found, expected)


class Trouble:
    """A source that does something about one picture: once, or each time."""

    slow_at_random = False

    def __init__(self, source, name, act, flag=None):
        self.path, self.listing = source.path, source.listing
        self.source, self.name, self.act, self.flag = source, name, act, flag

    def read(self, index):
        if self.listing.names[index] == self.name and (self.flag is None or not self.flag.exists()):
            if self.flag is not None:
                self.flag.touch()
            self.act()
        return self.source.read(index)

    def close(self):
        self.source.close()


def run_out():
    raise MemoryError


def hang():
    time.sleep(600)


def kill_oneself():
    os.kill(os.getpid(), signal.SIGKILL)


TROUBLES = {kill_oneself: "was ended by SIGKILL", run_out: "ran out of memory", hang: "did not get on for 0.5 s"}


@needs_signals
@pytest.mark.parametrize("act", TROUBLES)
def test_a_worker_lost_once_is_survived(held, read, tmp_path, monkeypatch, act):
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    monkeypatch.setattr(read, "_source", Trouble(read._source, "b/3.png", act, tmp_path / "happened"))
    found = take(Batches(read, batch_size=4, seed=5, workers=2, mirror=True), 6)
    assert (tmp_path / "happened").exists()
    assert same(found, take(Batches(held, batch_size=4, seed=5, mirror=True), 6))
    assert not multiprocessing.active_children()


@needs_signals
@pytest.mark.parametrize("act", TROUBLES)
def test_a_picture_that_ends_its_worker_each_time_is_named(read, monkeypatch, act):
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    monkeypatch.setattr(read, "_source", Trouble(read._source, "b/3.png", act))
    with pytest.raises(DataError, match=f"b/3.png: the process that decodes it {TROUBLES[act]}, 2 times") as caught:
        take(Batches(read, batch_size=4, seed=5, workers=2), 4)
    assert caught.value.exit_code == 3 and "Take the picture out" in caught.value.remedy
    assert not multiprocessing.active_children()


@needs_signals
def test_workers_that_die_between_pictures_end_in_an_error_about_memory(read, monkeypatch):
    monkeypatch.setattr(workers, "_decode", lambda images, task, slot: kill_oneself())
    with pytest.raises(ResourceError, match="a decoding process was ended by SIGKILL, 4 times in a row at picture 0"):
        take(Batches(read, batch_size=4, seed=5, workers=1), 1)


def test_a_fault_of_ours_in_a_worker_keeps_its_traceback(read, monkeypatch):
    monkeypatch.setattr(read, "_source", Trouble(read._source, "b/3.png", lambda: 1 / 0))
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError(.|\n)*"):
        take(Batches(read, batch_size=10, seed=5, workers=1), 1)


@needs_signals
def test_workers_leave_when_their_parent_is_killed(folder, tmp_path):
    """They notice by their pipes; a signal to the group, which the parent handles, does not end them."""
    code = f"""
        import os, signal, time
        from sagan.data.batches import Batches
        from sagan.data.config import DataConfig
        from sagan.data.images import open_images
        if __name__ == "__main__":
            batches = Batches(open_images(DataConfig(data={str(folder)!r}, cache_mib=0), 8), batch_size=4, seed=5, workers=2)
            next(batches), next(batches)  # both are at work
            for process in batches._ahead.processes:
                os.kill(process.pid, signal.SIGTERM)
            time.sleep(0.2)
            print(*(process.pid for process in batches._ahead.processes if process.is_alive()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / "parent.py").write_text(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, tmp_path / "parent.py"], capture_output=True, text=True, env=environment)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2, done.stderr
    assert waited(lambda: not any(alive(pid) for pid in pids))


def alive(pid):
    """Whether a process runs; one that has ended and was not asked for its code does not."""
    try:
        os.kill(pid, 0)
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_workers_are_gone_after_each_use_and_leave_nothing_open(read):
    descriptors = Path("/proc/self/fd")
    take(Batches(read, batch_size=4, seed=5, workers=2), 1)
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0
    for _ in range(3):
        take(Batches(read, batch_size=4, seed=5, workers=2), 2)
    assert not multiprocessing.active_children()
    assert not descriptors.exists() or len(list(descriptors.iterdir())) == before


def test_workers_that_are_not_forked_give_the_same(held, read, monkeypatch):
    """As on macOS and Windows, where a process gets a copy of the set through a pipe."""
    spawning = multiprocessing.get_context("spawn")
    monkeypatch.setattr(workers.multiprocessing, "get_context", lambda: spawning)
    expected = take(Batches(held, batch_size=4, seed=5), 3)
    assert same(take(Batches(read, batch_size=4, seed=5, workers=1), 3), expected)


def uneven(root, counts=(9, 2)):
    """A folder with so many pictures of classes a, b, ..."""
    for kind, count in zip("abc", counts, strict=False):
        (root / kind).mkdir(parents=True)
        for seed in range(count):
            array = np.random.default_rng((ord(kind), seed)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(array).save(root / kind / f"{seed}.png")
    return root


@pytest.mark.parametrize("processes", [0, 2])
def test_balanced_batches_also_resume_from_one_integer(tmp_path, processes):
    held = open_images(DataConfig(data=str(uneven(tmp_path))), 8)
    read = open_images(DataConfig(data=str(tmp_path), cache_mib=0), 8)
    whole = take(Batches(held, batch_size=4, seed=5, mirror=True, balance=True), 6)
    rest = take(Batches(read, batch_size=4, seed=5, mirror=True, balance=True, workers=processes, position=8), 4)
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
