"""Scores in the loop: which checkpoint is best, when nothing gets better, and that nobody is disturbed by looking."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.folder import steps
from sagan.checkpoint.retention import read_best
from sagan.presets import preset
from sagan.training.reporting import Note
from sagan.workflows.run_folder import RunFolder
from sagan.workflows.scoring import FEWEST, Scorer, score_checkpoint, scorer_of
from sagan.workflows.train import train

TINY = dict(
    resolution=16, z_dim=8, g_ch=16, d_ch=16, batch_size=4, precision="fp32", threads=1, device="cpu", sample_every=0,
    log_every=1, seed=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A thousand colour pictures, the fewest that are scored, as an array."""
    path = tmp_path_factory.mktemp("many") / "many.npy"
    random = np.random.default_rng(0)
    base = random.integers(0, 256, (FEWEST, 4, 4, 3), dtype=np.uint8)
    np.save(path, base.repeat(4, axis=1).repeat(4, axis=2))
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def scores(folder):
    return [row for row in map(json.loads, folder.log.read_text().splitlines()) if "protocol" in row]


@pytest.mark.parametrize(("higher", "best"), [(True, 30), (False, 20)])
def test_the_best_step_is_kept_by_the_direction_of_its_score(folder, higher, best):
    values = iter([0.5, 0.2, 0.9, 0.4, 0.6])
    scorer = Scorer(lambda generator: {"main": next(values), "other": 1.0}, "main", higher, "a protocol")
    found = [score_checkpoint(folder, scorer, None, step, lambda event: None) for step in (10, 20, 30, 40, 50)]
    assert found[-1].best == best and read_best(folder.path).step == best
    assert found[-1].since == (2 if higher else 3)
    assert [row["score/main"] for row in scores(folder)] == [0.5, 0.2, 0.9, 0.4, 0.6]
    assert {row["protocol"] for row in scores(folder)} == {"a protocol"}


def test_numbers_of_another_protocol_are_not_compared(folder):
    one = Scorer(lambda generator: {"main": 0.9}, "main", True, "one")
    other = Scorer(lambda generator: {"main": 0.1}, "main", True, "other")
    score_checkpoint(folder, one, None, 10, lambda event: None)
    assert score_checkpoint(folder, other, None, 20, lambda event: None).best == 20


def test_a_run_on_many_pictures_is_scored_and_keeps_its_best(many, tmp_path):
    config = preset("sagan-32-small", **TINY, data=str(many), out=str(tmp_path / "run"), steps=4, save_every=2)
    train(config)
    folder = RunFolder(tmp_path / "run")
    rows = scores(folder)
    assert [row["step"] for row in rows] == [2, 4]
    assert all(row["score/frechet"] > 0 and "score/recall" in row for row in rows)
    best = read_best(folder.path)
    assert best.step == min(rows, key=lambda row: row["score/frechet"])["step"]
    assert "sagan-32" in best.protocol and "FID" not in best.protocol


def test_scoring_changes_no_number_of_the_training(many, tmp_path):
    finals = {}
    for score in ("auto", "off"):
        options = {"data": str(many), "out": str(tmp_path / score), "steps": 3, "save_every": 1, "score": score}
        train(preset("sagan-32-small", **TINY, **options))
        checkpoint = tmp_path / score / "checkpoints" / "step-00000003"
        finals[score] = {
            name: (checkpoint / name).read_bytes() for name in ("model.safetensors", "optimiser.safetensors")
        }
    assert finals["auto"] == finals["off"]
    assert scores(RunFolder(tmp_path / "auto")) and not scores(RunFolder(tmp_path / "off"))


def test_a_run_ends_when_its_patience_does(many, tmp_path, monkeypatch):
    worse = iter(range(100))
    fake = Scorer(lambda generator: {"frechet": float(next(worse))}, "frechet", False, "made up")
    monkeypatch.setattr("sagan.workflows.chores.scorer_of", lambda config, images: fake)
    notes = []
    options = {"data": str(many), "out": str(tmp_path / "run"), "steps": 50, "save_every": 1, "patience": 3}
    result = train(preset("sagan-32-small", **TINY, **options), watch=notes.append)
    assert "patience" in result.stopped and 4 <= result.step <= 6
    assert steps(tmp_path / "run")[0] <= 1, "the best one, of step 1, is still there"
    assert any(isinstance(note, Note) and note.text == "No better frechet score since step 1." for note in notes)


def test_few_pictures_and_grey_ones_are_not_scored(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "one.png")
    options = {"data": str(tmp_path), "out": str(tmp_path / "run"), "steps": 1}
    train(preset("sagan-32-small", **TINY, **options))
    assert scores(RunFolder(tmp_path / "run")) == []
    config = preset("sagan-32-small", **TINY, data="emblems", score="off")
    assert scorer_of(config, None) is None
