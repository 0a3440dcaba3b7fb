"""`sagan bench` times what it says, on any preset's networks, and leaves nothing behind."""

from __future__ import annotations

from sagan.runtime import choose_runtime
from sagan.workflows import bench as module
from sagan.workflows.bench import bench, timed


def test_it_times_training_and_drawing(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(module, "train_step", lambda game, batches: calls.append(len(list(batches))))
    rows = dict(bench(tiny("emblems", "run"), rounds=3))
    assert calls == [2] * 4  # n_dis batches for each of three steps and the one that is not timed
    assert rows["a training step"].endswith("2 + 1 updates, batch 8")
    assert rows["fastest and slowest"].endswith("of 3")
    assert {"machine", "arithmetic", "real pictures", "drawing one picture", "drawing many"} <= set(rows)
    assert list(tmp_path.iterdir()) == []


def test_networks_without_classes_are_timed_without(tiny, monkeypatch):
    """As they would be trained."""
    games = []
    monkeypatch.setattr(module, "train_step", lambda game, batches: games.append(game))
    assert bench(tiny("emblems", "run", cond="off"), rounds=1) and bench(tiny("emblems", "run"), rounds=1)
    assert [game.generator.classes for game in games] == [0, 0, 10, 10]


def test_the_first_call_is_not_timed():
    calls = []
    assert len(timed(lambda: calls.append(1), 2, choose_runtime("cpu"))) == 2 and len(calls) == 3
