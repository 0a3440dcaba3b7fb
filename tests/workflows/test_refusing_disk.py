"""A disk that refuses: what stops a run, what it goes on without, and what needs no writing at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sagan.checkpoint.folder import newest, step_folder, steps
from sagan.cli.main import main
from sagan.disk import Disk
from sagan.errors import ResourceError
from sagan.training.reporting import Note
from sagan.workflows import train as training
from sagan.workflows.train import train

EFFECTS = ("make_folder", "write", "rename", "append", "open_lock", "remove", "remove_empty")


@pytest.fixture
def refuse(monkeypatch):
    """refuse(words, number, times): writing to a path that holds the words fails, so many times; inf for ever."""

    def refuse(words, number=errno.ENOSPC, times=float("inf"), effects=("write", "append")):
        left = [times]

        def wrap(name, real):
            def effect(self, path, *rest):
                if words in str(path) and left[0] > 0:
                    left[0] -= 1
                    raise OSError(number, os.strerror(number), str(path))
                return real(self, path, *rest)

            monkeypatch.setattr(Disk, name, effect)

        for name in effects:
            wrap(name, getattr(Disk, name))
        return left

    return refuse


@pytest.fixture
def go(tiny, photos, tmp_path):
    """go(**options): train a small run with a save a step; (its folder, the notes it gave)."""

    def go(**options):
        out, notes = tmp_path / "run", []
        options = dict(steps=4, save_every=1, sample_every=0, keep=4) | options

        def watch(event):
            if isinstance(event, Note) and event.text.startswith("Warning"):
                notes.append(event.text)

        train(tiny(photos, out, **options), watch=watch)
        return out, notes

    return go


def test_a_save_that_fails_in_the_middle_is_told_and_training_goes_on(go, refuse):
    refuse("step-00000002")
    out, notes = go()
    assert steps(out) == [0, 1, 3, 4] and newest(out)[1] == []
    assert len(notes) == 1
    assert "no checkpoint at step 2, failed save 1 of 3 in a row before the run stops; training goes on" in notes[0]
    assert "the disk is full" in notes[0] and "Free some space" in notes[0]
    assert not [path for path in out.rglob(".tmp-*")]


def test_a_fault_that_passes_costs_nothing(go, refuse):
    left = refuse("step-00000002", errno.EIO, times=1)
    out, notes = go()
    assert (steps(out), notes, left) == ([1, 2, 3, 4], [], [0])


def test_space_that_retention_would_free_is_freed_before_the_second_try(go, monkeypatch):
    real, refused = Disk.write, []

    def only_three_fit(self, path, payload):
        folder = path.parent.parent
        if "step-" in str(path.parent.name) and len(list(folder.glob("step-*"))) > 2:
            refused.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, path, payload)

    monkeypatch.setattr("sagan.workflows.chores.retain", lambda *arguments, **named: ["not now"])
    monkeypatch.setattr(Disk, "write", only_three_fit)
    out, _ = go(keep=2, save_every=1)
    assert refused and steps(out) == [2, 3, 4], "the newest two stayed at each second try, and the new one joined them"


def test_working_in_between_starts_the_count_anew(go, refuse):
    refuse("step-00000001")
    refuse("step-00000003")
    out, notes = go(failed_saves=1)
    assert steps(out) == [0, 2, 4]
    assert [note.count("failed save 1 of 1") for note in notes] == [1, 1]


@pytest.mark.parametrize("allowed", [0, 1])
def test_more_failed_saves_in_a_row_than_allowed_end_the_run(go, refuse, tmp_path, allowed):
    for step in (2, 3):
        refuse(f"step-0000000{step}")
    with pytest.raises(ResourceError, match=f"step-0000000{2 + allowed}: the disk is full") as info:
        go(failed_saves=allowed, steps=9)
    assert info.value.exit_code == 5
    assert steps(tmp_path / "run") == [0, 1]


def test_the_last_save_of_a_run_may_not_fail(go, refuse, tmp_path):
    refuse("step-00000004")
    with pytest.raises(ResourceError, match="step-00000004"):
        go(failed_saves=99)
    assert newest(tmp_path / "run") == (step_folder(tmp_path / "run", 3), [])


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("/samples/.tmp-", "a grid of pictures"),
        ("log.jsonl", "a line of the log"),
    ],
)
def test_what_a_run_can_do_without_is_told_once(go, refuse, tmp_path, words, what, monkeypatch):
    def begin(*arguments, **keywords):
        refuse(words)  # only now: at the start each of them would stop the run
        return run_loop(*arguments, **keywords)

    run_loop = training.run_loop
    monkeypatch.setattr(training, "run_loop", begin)
    out, notes = go(sample_every=1, log_every=1)
    assert steps(out) == [1, 2, 3, 4]
    assert len(notes) == 1 and notes[0].startswith(f"Warning: {what} could not be written; training goes on. ")


def test_a_report_that_cannot_be_written_or_read_is_told(go, refuse, monkeypatch):
    def broken(folder):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("sagan.workflows.chores.write_report", broken)
    out, notes = go()
    assert steps(out)[-1] == 4
    assert len(notes) == 1 and "the report could not be written" in notes[0] and "EIO" in notes[0]


def test_without_best_json_nothing_is_deleted(go, refuse, monkeypatch):
    def full(*arguments):
        raise ResourceError("the disk is full", where="best.json")

    monkeypatch.setattr("sagan.workflows.chores.find_best", full)
    out, notes = go(keep=2)
    assert steps(out) == [0, 1, 2, 3, 4]
    assert len(notes) == 1 and "which checkpoint is best could not be written" in notes[0]


def test_tensorboard_events_are_worth_no_run(go, monkeypatch):
    class Board:
        def __init__(self, folder, step):
            pass

        def write(self, values):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    pytest.importorskip("torch.utils.tensorboard")
    monkeypatch.setattr("sagan.workflows.chores.TensorBoard", Board)
    out, notes = go(tensorboard=True, log_every=1)
    assert steps(out)[-1] == 4
    assert len(notes) == 1 and "TensorBoard's events could not be written" in notes[0]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["", "checkpoints", "samples"])
def test_a_folder_that_cannot_be_written_to_is_found_before_any_picture_is_read(
    tiny, photos, own_run, refuse, monkeypatch, contents, number, place
):
    monkeypatch.setattr(training, "open_with_notes", lambda *arguments, **keywords: pytest.fail("pictures were read"))
    before = contents(own_run)
    refuse(f"{own_run / place}/.tmp-probe", number)
    with pytest.raises(ResourceError, match=f"{Path(own_run / place).name}: ") as info:
        train(tiny(photos, own_run, steps=9))
    assert info.value.exit_code == 5
    assert contents(own_run).keys() == before.keys()


def test_a_model_folder_that_is_only_read_is_only_read(own_run, tmp_path, monkeypatch, contents, capsys):
    def read_only(name, real):
        def effect(self, path, *rest):
            if Path(path).is_relative_to(own_run):
                raise OSError(errno.EROFS, "Read-only file system")
            return real(self, path, *rest)

        monkeypatch.setattr(Disk, name, effect)

    for name in EFFECTS:
        read_only(name, getattr(Disk, name))
    (own_run / ".lock").unlink()
    before = contents(own_run)
    checkpoint = newest(own_run)[0]
    for source in (own_run, checkpoint, checkpoint / "generator.safetensors"):
        assert main(["sample", str(source), "-n", "2", "-o", str(tmp_path / "a.png")]) == 0
        assert main(["attend", str(source), "-o", str(tmp_path / "b.png")]) == 0
    assert main(["verify", str(own_run)]) == 0
    assert contents(own_run) == before, "not even a lock"
    assert main(["train", "--out", str(own_run), "--steps", "9"]) == 5
    assert "the file system is read-only" in capsys.readouterr().err
