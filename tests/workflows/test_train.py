from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys

import pytest
import torch
from PIL import Image

from sagan.checkpoint.folder import newest, steps, verify
from sagan.cli.main import main
from sagan.disk import Disk, FolderLock
from sagan.errors import BusyError, ConfigError, Interrupted, NumericError, ResourceError
from sagan.training.reporting import Note, Progress, Saved
from sagan.workflows.train import train


def notes(events):
    return [event.text for event in events if isinstance(event, Note)]


def test_a_run_leaves_what_the_documents_promise(trained):
    names = {path.name for path in trained.iterdir()}
    assert names >= {
        "run.toml", "environment.json", "data.json", "log.jsonl", "samples", "checkpoints",
        "curves.png", "attention.png", "attention.npz", "report.html", "MODEL_CARD.md",
    }  # fmt: skip
    assert not [name for name in names if name.startswith((".tmp-", ".trash-"))]
    grids = [path.name for path in sorted((trained / "samples").iterdir())]
    assert grids == ["reals.png"] + [f"step-{step:08d}.png" for step in (0, 2, 4, 5)]
    assert steps(trained) == [4, 5], "the newest two are kept"
    for step in (4, 5):
        manifest = verify(trained / "checkpoints" / f"step-{step:08d}")
        assert manifest["files"].keys() == {
            "generator.safetensors", "model.safetensors", "optimiser.safetensors", "state.json"
        }  # fmt: skip
    state = json.loads((trained / "checkpoints" / "step-00000005" / "state.json").read_text())
    assert (state["step"], state["critic_updates"], state["position"]) == (5, 10, 80)


def test_the_log_has_a_line_a_step(trained):
    rows = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["images"] for row in rows] == [16, 32, 48, 64, 80]
    assert [row["critic_updates"] for row in rows] == [2, 4, 6, 8, 10]
    assert all(earlier["seconds"] < later["seconds"] for earlier, later in zip(rows, rows[1:], strict=False))
    wanted = {"step", "images", "seconds", "loss/discriminator", "loss/generator", "logit/real", "logit/fake"}
    for layer in ("G.attention@8", "D.attention@8"):
        wanted |= {f"attention/{layer}/{what}" for what in ("gamma", "branch_ratio", "entropy", "distance")}
    assert all(wanted <= row.keys() for row in rows)
    assert all("rate/images_per_second" in row for row in rows[1:])
    assert rows[-1]["attention/D.attention@8/gamma"] != 0, "gamma leaves zero with the first update"


def test_grids_have_a_row_a_class_and_show_the_averaged_generator(trained, tiny, photos):
    from sagan.workflows.chores import picture_grid
    from sagan.workflows.openers import open_generator

    opened = open_generator(trained, device="cpu")
    torch.set_num_threads(1)  # as the run had it: another number may round a pixel differently
    assert opened.classes == ("barns", "boats")
    expected = picture_grid(opened.generator, opened.classes)
    with Image.open(trained / "samples" / "step-00000005.png") as grid:
        assert grid.tobytes() == expected.tobytes()
        assert grid.width > 3 * grid.height, "two rows of eight"


def test_events_tell_the_story(tiny, photos, tmp_path):
    events = []
    result = train(tiny(photos, tmp_path / "run", steps=3, save_every=2), watch=events.append)
    assert (result.run, result.step, result.images, result.stopped) == (tmp_path / "run", 3, 48, "reached its steps")
    assert result.grid == tmp_path / "run/samples/step-00000003.png" and result.report.exists()
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.step, event.steps, event.images) for event in progress] == [(1, 3, 16), (2, 3, 32), (3, 3, 48)]
    assert progress[-1].share == 1.0 and progress[-1].seconds_left == 0.0
    saved = [event.path.name for event in events if isinstance(event, Saved) and event.what == "checkpoint"]
    assert saved == ["step-00000000", "step-00000002", "step-00000003"]
    first = next(place for place, event in enumerate(events) if isinstance(event, Progress))
    before = notes(events[:first])
    assert any(re.fullmatch(r"20 pictures of 16x16, 2 classes; cpu, 1 threads, fp32\.", text) for text in before)
    assert any(re.match(r"Expected to take \d+ s in ", text) for text in before), "said before the first step"


def test_a_run_of_full_length_takes_no_step(own_run, tiny, photos, contents):
    before, events = contents(own_run / "checkpoints"), []
    result = train(tiny(photos, own_run, steps=5, log_every=1, sample_every=2, save_every=2), watch=events.append)
    assert result.step == 5 and contents(own_run / "checkpoints") == before
    assert any("The run has reached its steps already; ask for more to train longer." in text for text in notes(events))


def test_the_time_limit(tiny, photos, tmp_path):
    result = train(tiny(photos, tmp_path / "run", steps=0, time="0.2s", sample_every=0, save_every=0))
    assert result.step >= 1 and result.seconds >= 0.2
    assert steps(tmp_path / "run") == [0, result.step]


def test_the_number_of_threads_stays_what_it_was(tiny, photos, tmp_path):
    """Reports are drawn between steps; were they to set the threads anew, the bits of a run would depend on them."""
    seen = []
    train(
        tiny(photos, tmp_path / "run", steps=2, save_every=1, sample_every=1),
        watch=lambda event: seen.append(torch.get_num_threads()),
    )
    assert set(seen[1:]) == {1}


def test_emblems_are_scored_and_the_best_is_remembered(tiny, tmp_path):
    out = tmp_path / "run"
    train(tiny("emblems", out, steps=1, sample_every=0))
    best = json.loads((out / "best.json").read_text())
    assert best["step"] == 1 and 0.0 <= best["value"] <= 1.0 and "512 pictures" in best["protocol"]
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert {"score/mirror", "score/beacons", "score/silhouette", "score/structure"} <= rows[-1].keys()


def test_a_signal_ends_after_the_step_with_a_checkpoint(tiny, photos, tmp_path):
    def interrupt(event):
        if isinstance(event, Progress) and event.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(
        Interrupted, match="stopped at step 3; a checkpoint was saved. Go on with: sagan train --resume .*run"
    ) as info:
        train(tiny(photos, tmp_path / "run", steps=50, save_every=0, sample_every=0), watch=interrupt)
    assert info.value.exit_code == 143
    assert steps(tmp_path / "run") == [0, 3]
    assert newest(tmp_path / "run")[1] == []


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_numbers_that_leave_the_finite_end_the_run_with_the_last_checkpoint_whole(tiny, photos, tmp_path):
    config = tiny(photos, tmp_path / "run", steps=40, save_every=2, sample_every=0, log_every=5, d_lr=1e30, d_sn=False)
    with pytest.raises(NumericError, match="The last checkpoint is intact|not finite") as info:
        train(config)
    assert info.value.exit_code == 6
    checkpoint, warnings = newest(tmp_path / "run")
    assert checkpoint is not None and warnings == []


@pytest.fixture
def full_disk(monkeypatch):
    """From now on nothing fits into a folder whose name holds the given words."""

    def fill(words, code=errno.ENOSPC):
        real = Disk.write

        def write(self, path, payload):
            if words in str(path):
                real(self, path, payload[: len(payload) // 2])
                raise OSError(code, os.strerror(code), str(path))
            real(self, path, payload)

        monkeypatch.setattr(Disk, "write", write)

    return fill


def test_a_full_disk_leaves_the_previous_checkpoint_whole(tiny, photos, tmp_path, full_disk, monkeypatch):
    out = tmp_path / "run"
    config = tiny(photos, out, steps=4, save_every=2, sample_every=0)
    full_disk("step-00000004")
    with pytest.raises(ResourceError, match="step-00000004: the disk is full: .* needed, .* free. Free some") as info:
        train(config)
    monkeypatch.undo()
    assert info.value.exit_code == 5
    assert steps(out) == [0, 2] and newest(out) == (out / "checkpoints/step-00000002", [])
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-00000000", "step-00000002"]
    assert train(config).step == 4, "with space again the same command goes on"


@pytest.mark.parametrize(("code", "words"), [(errno.EROFS, "read-only"), (errno.EACCES, "permission denied")])
def test_a_folder_that_cannot_be_written_to(tiny, photos, tmp_path, monkeypatch, code, words):
    def refuse(self, path):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Disk, "make_folder", refuse)
    with pytest.raises(ResourceError, match=f"run: .*{words}") as info:
        train(tiny(photos, tmp_path / "run"))
    assert info.value.exit_code == 5


def test_two_runs_in_one_folder(tiny, photos, own_run, contents, capsys):
    before = contents(own_run / "checkpoints")
    with FolderLock(own_run):
        with pytest.raises(BusyError):
            train(tiny(photos, own_run, steps=9))
        assert main(["train", "--out", str(own_run), "--steps", "9"]) == 7
    line = capsys.readouterr().err
    assert line.startswith("sagan: ") and line.count("\n") == 1 and str(os.getpid()) in line
    assert contents(own_run / "checkpoints") == before


def test_tensorboard_without_its_package_is_a_wish_that_can_be_granted(tiny, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'sagan-torch\[track\]'"):
        train(tiny(photos, tmp_path / "run", steps=1, tensorboard=True))
