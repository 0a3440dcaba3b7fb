"""`sagan bench` times what it says, on any preset's networks, and leaves nothing behind."""

from __future__ import annotations

from sagan.runtime import choose_runtime
from sagan.workflows import bench as module
from sagan.workflows.bench import bench, timed, what_binds


def test_it_times_training_and_drawing(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(module, "train_step", lambda game, batches: calls.append(len(list(batches))))
    rows = dict(bench(tiny("emblems", "run"), rounds=3))
    assert calls == [2] * 4  # n_dis batches for each of three steps and the one that is not timed
    assert rows["a training step"].endswith("2 + 1 updates, batch 8")
    assert rows["fastest and slowest"].endswith("of 3")
    assert {"machine", "arithmetic", "real pictures", "drawing one picture", "drawing many"} <= set(rows)
    assert rows["loading"].endswith("pictures a second from emblems, 0 workers") and "times" in rows["what binds"]
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


def test_what_binds_is_what_is_slower():
    assert what_binds(100.0, 450.0, 0) == "the training steps: loading is 4.5 times as fast"
    assert what_binds(300.0, 100.0, 2) == "loading: the steps could take 3.0 times as many pictures"
    assert "--workers" in what_binds(300.0, 100.0, 0)


def test_the_pictures_that_are_named_are_loaded(tiny, photos, monkeypatch):
    monkeypatch.setattr(module, "train_step", lambda game, batches: None)
    monkeypatch.setattr(module, "LOADING", 0.0)
    assert f"from {photos}, 0 workers" in dict(bench(tiny(photos, "run"), rounds=1))["loading"]
