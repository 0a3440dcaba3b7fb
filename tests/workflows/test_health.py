"""The health watch in a run: it looks without touching, acts as the record says, and never goes back for ever."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from proofs.reference import digest

from sagan.checkpoint.folder import steps
from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.errors import HealthError
from sagan.health.judge import Judgement
from sagan.health.signs import is_look
from sagan.training.reporting import Note, read_log
from sagan.workflows import health
from sagan.workflows.estimate import Memory
from sagan.workflows.health import MOST_RETURNS, Observer, headline, remedies, spread_over
from sagan.workflows.train import train

HOW = {"steps": 10, "health_every": 2, "save_every": 2, "sample_every": 0, "log_every": 1, "keep": 2}


@pytest.fixture
def fails_from(monkeypatch):
    """fails_from(step, until=None): pictures that repeat from that step on, as far as the watch is told."""

    def start(step, until=10**9, where=lambda game: True):
        row = Observer.row

        def told(self, game, report):
            values = row(self, game, report) | {"health/nearest": 0.9, "health/features": 0.9, "health/distance": 0.5}
            values |= {"loss/discriminator": 1.5, "logit/real": 0.4, "logit/fake": 0.1}
            alike = step <= game.step < until and where(game)
            return values | ({"health/nearest": 0.05} if alike else {})

        monkeypatch.setattr(Observer, "row", told)

    return start


@pytest.fixture(autouse=True)
def without_an_estimate(monkeypatch):
    known = SimpleNamespace(seconds_a_step=0.1, memory=Memory(0, 1))
    monkeypatch.setattr("sagan.workflows.fit.estimate", lambda *arguments: known)


@pytest.fixture
def without_a_report(monkeypatch):
    monkeypatch.setattr("sagan.workflows.chores.write_report", lambda folder: folder.report)


def run(tiny, photos, out, said=None, **options):
    return train(tiny(photos, out, **(HOW | options)), watch=(said if said is not None else []).append)


def notes(said):
    return [event.text for event in said if isinstance(event, Note)]


def test_each_look_is_a_line_of_the_log(tiny, photos, tmp_path, without_a_report):
    run(tiny, photos, tmp_path / "run", health_every=3)
    rows = [row for row in read_log(tmp_path / "run" / "log.jsonl") if is_look(row)]
    assert [row["step"] for row in rows] == [3, 6, 9]
    names = {"health/pixels", "health/features", "health/nearest", "health/distance", "spectrum/generator"}
    assert names | {"spectrum/discriminator", "loss/discriminator", "logit/real", "logit/fake"} <= rows[0].keys()
    assert 0 < rows[0]["health/pixels"] < 5 and rows[0]["spectrum/generator"] > 0.1


def test_off_is_off(tiny, photos, tmp_path, without_a_report):
    run(tiny, photos, tmp_path / "run", health="off")
    assert not any(is_look(row) for row in read_log(tmp_path / "run" / "log.jsonl"))


def test_looking_changes_nothing(tiny, photos, tmp_path, without_a_report):
    for name, options in {"off": {"health": "off"}, "on": {"health_every": 1}, "seldom": {"health_every": 4}}.items():
        run(tiny, photos, tmp_path / name, steps=6, **options)
    assert digest(tmp_path / "on", 6) == digest(tmp_path / "off", 6) == digest(tmp_path / "seldom", 6)


def test_a_warning_names_cause_and_option_and_training_goes_on(tiny, photos, tmp_path, fails_from, without_a_report):
    fails_from(4, until=9)
    said = []
    assert run(tiny, photos, tmp_path / "run", said, steps=14).step == 14
    lines = [line for line in notes(said) if "collapsed" in line]
    assert len(lines) == 2
    assert lines[0].startswith("Warning: collapsed since step 4: the generator draws only a few kinds of pictures (")
    assert "--d-lr 0.0004" in lines[0] and "20 pictures are so few" in lines[0]
    assert lines[1] == "Step 12: collapsed no more."


def test_stop_ends_the_run_with_code_6_and_everything_saved(tiny, photos, tmp_path, fails_from):
    fails_from(4)
    out = tmp_path / "run"
    with pytest.raises(HealthError, match="collapsed since step 4") as caught:
        run(tiny, photos, out, health="stop", sample_every=5)
    assert caught.value.exit_code == 6
    assert "--d-lr" in str(caught.value) and "The last sound checkpoint is" in str(caught.value)
    assert "step-00000002" in str(caught.value)
    assert steps(out) == [2, 6, 7], "the newest two, and the sound one that is older"
    assert (out / "samples" / "step-00000007.png").exists()
    assert "collapsed since step 4" in (out / "report.html").read_text()


def test_a_run_at_its_end_is_finished_though_it_fails(tiny, photos, tmp_path, fails_from, without_a_report):
    fails_from(8)
    assert run(tiny, photos, tmp_path / "run", health="stop", steps=10).step == 10


def test_rollback_returns_to_the_sound_checkpoint_and_goes_on_otherwise(
    tiny, photos, tmp_path, fails_from, without_a_report
):
    fails_from(4, where=lambda game: not game.rollbacks)
    out, said = tmp_path / "run", []
    assert run(tiny, photos, out, said, health="rollback").step == 10
    assert any(
        line.startswith("Going back to step 2, return 1 of at most 3, and on with other noise") for line in notes(said)
    )
    state = json.loads((out / "checkpoints" / "step-00000010" / "state.json").read_text())
    assert state["rollbacks"] == [6]
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    (event,) = [row for row in rows if "broke_at" in row]
    assert (event["step"], event["broke_at"]) == (2, 6) and event["what"].startswith("collapsed since step 4")
    assert [row["step"] for row in rows if is_look(row)] == [2, 4, 6, 8, 10], "the steps that no longer count are cut"


def test_it_never_goes_back_for_ever(tiny, photos, tmp_path, fails_from, without_a_report):
    fails_from(4)
    said = []
    with pytest.raises(HealthError, match="went back 3 times"):
        run(tiny, photos, tmp_path / "run", said, health="rollback")
    assert sum(line.startswith("Going back") for line in notes(said)) == MOST_RETURNS == 3
    with pytest.raises(HealthError, match="went back 3 times"):  # nor does starting it again help
        run(tiny, photos, tmp_path / "run", said, health="rollback")
    assert sum(line.startswith("Going back") for line in notes(said)) == 3


def test_a_return_that_died_half_way_is_counted(tiny, photos, tmp_path, fails_from, monkeypatch, without_a_report):
    """Killed after the sound checkpoint was published and before the later ones went, as often as it takes."""
    fails_from(4)
    monkeypatch.setattr(health, "forget_after", _die)
    for _ in range(MOST_RETURNS):
        with pytest.raises(KeyboardInterrupt):
            run(tiny, photos, tmp_path / "run", health="rollback", steps=100)
    state = json.loads((tmp_path / "run" / "checkpoints" / "step-00000002" / "state.json").read_text())
    assert len(state["rollbacks"]) == MOST_RETURNS
    with pytest.raises(HealthError, match="went back 3 times"):
        run(tiny, photos, tmp_path / "run", health="rollback", steps=100)


def _die(*arguments):
    raise KeyboardInterrupt


def test_returns_after_numbers_that_were_not_finite_count_too(
    tiny, photos, tmp_path, fails_from, monkeypatch, without_a_report
):
    fails_from(4)
    monkeypatch.setattr(health, "MOST_RETURNS", 0)
    with pytest.raises(HealthError, match="collapsed"):
        run(tiny, photos, tmp_path / "run", health="rollback")


def test_without_a_sound_checkpoint_it_stops(tiny, photos, tmp_path, fails_from, without_a_report):
    fails_from(4)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(health, "restore", _refuse)
        with pytest.raises(HealthError, match="collapsed since step 4"):
            run(tiny, photos, tmp_path / "run", health="rollback")


def _refuse(*arguments):
    from sagan.errors import CheckpointCorrupt

    raise CheckpointCorrupt("not today")


def test_a_run_that_went_back_resumes_exactly(tiny, photos, tmp_path, fails_from, without_a_report):
    fails_from(4, where=lambda game: not game.rollbacks)
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    run(tiny, photos, whole, health="rollback", steps=12)
    for length in (5, 7, 12):  # between the two looks that failed; after the return
        run(tiny, photos, pieces, health="rollback", steps=length)
    assert digest(pieces, 12) == digest(whole, 12)


def test_each_return_halves_the_rates_where_the_record_asks_for_returns(tiny, photos, tmp_path):
    from sagan.runtime import choose_runtime
    from sagan.training.game import new_game

    shares = {}
    for policy in ("rollback", "warn"):
        config = tiny(photos, tmp_path, health=policy)
        game = new_game(config.model, config.training, 0, choose_runtime("cpu", 1))
        shares[policy] = []
        for rollbacks in ((), (5,), (5, 6), (5, 6, 7), (5, 6, 7, 8)):
            game.rollbacks = rollbacks
            shares[policy].append(game.rate_share)
    assert shares == {"rollback": [1, 0.5, 0.25, 0.125, 0.125], "warn": [1] * 5}


def test_the_observer_compares_pictures_of_the_same_classes(tiny, photos):
    images = open_images(DataConfig(data=str(photos)), 16)
    observer = Observer(images)
    assert observer._labels == images.labels.tolist() and len(observer._labels) == 20
    assert np.bincount(observer._labels).tolist() == [10, 10]


@pytest.mark.parametrize("count", [65, 80, 1000, 8192, 60_000])
@pytest.mark.parametrize("period", [2, 8, 10])
def test_the_real_pictures_come_from_all_classes_in_whatever_order_those_are(count, period):
    chosen = spread_over(count)
    assert 50 <= len(chosen) <= 64 and chosen.min() >= 0 and chosen.max() < count
    for labels in (np.arange(count) % period, np.arange(count) * period // count):
        shares = np.bincount(labels[chosen], minlength=period) / len(chosen)
        assert shares.min() > 0.4 / period and shares.max() < 2 / period
    assert spread_over(20).tolist() == list(range(20))


def test_a_set_of_fewer_than_eight_pictures_is_trained_on_without_a_spread(tiny, photos, tmp_path, without_a_report):
    few = tmp_path / "few"
    few.mkdir()
    for number, path in enumerate(sorted(photos.rglob("*.png"))[:5]):
        (few / f"{number}.png").write_bytes(path.read_bytes())
    run(tiny, few, tmp_path / "run", steps=4)
    row = next(row for row in read_log(tmp_path / "run" / "log.jsonl") if is_look(row))
    assert "spectrum/generator" in row and "health/nearest" not in row


def test_words_for_a_verdict():
    from sagan.health.advice import Advice

    assert headline(Judgement("saturated", 900, 700, ("a", "b"))).startswith(
        "saturated since step 700: the discriminator"
    )
    assert headline(Judgement("saturated", 900, 700, ("a", "b"))).endswith(" (a; b)")
    assert remedies(Advice("x", ("--d-lr 1",), ("--mirror", "more"))) == (
        "Go on with --d-lr 1 --override. In a new run: --mirror, more."
    )
    assert remedies(Advice("x")) == ""
