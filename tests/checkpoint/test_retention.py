"""Retention keeps the newest whole ones and the best, and never ends a run."""

from __future__ import annotations

import errno

import pytest

from sagan.checkpoint.folder import newest, publish, step_folder, steps
from sagan.checkpoint.retention import forget_after, publish_or_make_room, read_best, retain, write_best
from sagan.disk import Disk
from sagan.errors import CheckpointCorrupt


@pytest.fixture
def run(tmp_path):
    for step in range(1, 7):
        publish(tmp_path, step, {"state.json": b"{}"})
    return tmp_path


def test_newest_and_best_stay(run):
    assert retain(run, 2, 6, 3) == []
    assert steps(run) == [3, 5, 6]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [f"step-{n:08d}" for n in (3, 5, 6)]


def test_the_last_sound_one_stays_too(run):
    retain(run, 2, 6, 3, sound_step=2)
    assert steps(run) == [2, 3, 5, 6]
    publish_or_make_room(run, 7, {"state.json": b"{}"}, 2, FailsOnce(), sound_step=3)
    assert steps(run) == [3, 5, 6, 7]


@pytest.mark.parametrize(("best", "left"), [(3, 3), (4, 4), (5, None), (None, None)])
def test_what_came_after_a_return_is_forgotten(run, best, left):
    if best is not None:
        write_best(run, best, 0.5, "a")
    forget_after(run, 4)
    assert steps(run) == [1, 2, 3, 4]
    found = read_best(run)
    assert (None if found is None else found.step) == left
    assert all(path.name.startswith("step-") for path in (run / "checkpoints").iterdir())


def test_a_damaged_best_does_not_keep_a_run_from_returning(run):
    (run / "best.json").write_text("{")
    forget_after(run, 5)
    assert steps(run) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("keep", [0, 1, -5])
def test_never_fewer_than_two(run, keep):
    retain(run, keep, 6)
    assert steps(run) == [5, 6]


def test_damaged_ones_neither_count_nor_go(run):
    (step_folder(run, 6) / "state.json").write_bytes(b"torn!")
    retain(run, 2, 6)
    assert steps(run) == [4, 5, 6]
    assert newest(run)[0] == step_folder(run, 5)


def test_what_lies_ahead_of_the_run_neither_counts_nor_goes(run):
    """It fell back to 3 since 4 to 6, of the right size, hold nothing but zeros; 3 and 4 anew must survive that."""
    for step in (4, 5, 6):
        (step_folder(run, step) / "state.json").write_bytes(bytes(2))
    publish(run, 4, {"state.json": b"{}"})
    retain(run, 2, 4)
    assert steps(run) == [3, 4, 5, 6]
    assert newest(run)[0] == step_folder(run, 4)


def test_room_is_never_made_of_what_the_run_stands_on(run):
    for step in (4, 5, 6):
        (step_folder(run, step) / "state.json").write_bytes(bytes(2))
    publish_or_make_room(run, 4, {"state.json": b"{}"}, 2, FailsOnce())
    assert steps(run) == [2, 3, 4, 5, 6]


def test_a_disk_that_refuses_is_a_warning(run):
    class ReadOnly(Disk):
        def rename(self, source, target):
            raise OSError(errno.EROFS, "Read-only file system")

    warnings = retain(run, 4, 6, None, ReadOnly())
    assert len(warnings) == 2 and "step-00000001" in warnings[0] and "read-only" in warnings[0]
    assert steps(run) == [1, 2, 3, 4, 5, 6]


def test_a_failed_delete_never_leaves_half_a_checkpoint_under_its_name(run):
    class Stuck(Disk):
        def remove(self, path):
            raise OSError(errno.EIO, "Input/output error")

    assert len(retain(run, 5, 6, None, Stuck())) == 1
    assert steps(run) == [2, 3, 4, 5, 6]


def test_best(tmp_path):
    assert read_best(tmp_path) is None
    write_best(tmp_path, 500, 12.5, "fid, 5000 pictures, EMA")
    best = read_best(tmp_path)
    assert (best.step, best.value, best.protocol) == (500, 12.5, "fid, 5000 pictures, EMA")
    for text in ('{"step": 1}', '{"step": "1", "value": 1.0, "protocol": ""}', "[]", "torn", '{"step": 1, "step": 2}'):
        (tmp_path / "best.json").write_text(text)
        with pytest.raises(CheckpointCorrupt, match=r"best.json"):
            read_best(tmp_path)


class FailsOnce(Disk):
    """The first write fails; then everything works."""

    def __init__(self):
        self.failed = False

    def write(self, path, payload):
        if not self.failed:
            self.failed = True
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(path, payload)


def test_a_second_try_comes_after_leftovers_and_what_retention_deletes(run):
    publish(run, 9, {"state.json": b"{}"})
    (run / "checkpoints" / ".trash-old").mkdir()
    write_best(run, 2, 1.0, "test")
    publish_or_make_room(run, 10, {"state.json": b"{}"}, 3, FailsOnce())
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [f"step-{n:08d}" for n in (2, 5, 6, 9, 10)]


def test_without_knowing_the_best_one_no_room_is_made(run):
    (run / "best.json").write_text("torn")
    publish_or_make_room(run, 10, {"state.json": b"{}"}, 2, FailsOnce())
    assert steps(run) == [1, 2, 3, 4, 5, 6, 10]


def test_a_save_that_works_deletes_nothing(run):
    publish_or_make_room(run, 10, {"state.json": b"{}"}, 2)
    assert steps(run) == [1, 2, 3, 4, 5, 6, 10]
