from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from sagan.errors import NumericError
from sagan.training.config import TrainingConfig
from sagan.training.loop import CHECK_EVERY, Chore, Length, length_of, run_loop

NEVER = Length(None, None, None)


@pytest.fixture
def play(monkeypatch):
    """play(length, ...): run the loop on a game that only counts: 10 pictures and 2 seconds a step."""

    def run(length, *, chores=(), stop=lambda game: False, losses=lambda step: 0.5, step=0, before=0.0):
        game = SimpleNamespace(step=step, images=10 * step)
        clock = SimpleNamespace(now=1000.0)

        def one_step(game, batches):
            next(batches)
            game.step, game.images = game.step + 1, game.images + 10
            clock.now += 2.0
            return {"loss/generator": torch.tensor(losses(game.step))}

        monkeypatch.setattr("sagan.training.loop.train_step", one_step)
        monkeypatch.setattr("sagan.training.loop.time", SimpleNamespace(monotonic=lambda: clock.now))
        batches = iter(range(1000, 2000))
        took = run_loop(game, batches, length=length, seconds_before=before, chores=chores, stop=lambda: stop(game))
        return game, took

    return run


@pytest.mark.parametrize(
    ("length", "steps"),
    [
        (Length(7, None, None), 7),
        (Length(None, 41, None), 5),
        (Length(None, 40, None), 4),
        (Length(None, None, 9.0), 5),
        (Length(7, 30, 100.0), 3),
        (Length(7, 300, 4.0), 2),
        (Length(2, 300, 100.0), 2),
    ],
)
def test_the_nearest_limit_ends_a_run(play, length, steps):
    game, took = play(length)
    assert (game.step, took) == (steps, 2.0 * steps)


def test_time_and_steps_of_before_count(play):
    assert play(Length(None, None, 20.0), step=3, before=11.0)[0].step == 3 + 5
    assert play(Length(5, None, None), step=3, before=11.0)[1] == 11.0 + 4.0
    game, took = play(Length(5, None, None), step=5, before=11.0)
    assert (game.step, took) == (5, 11.0), "a finished run takes no further step"


def test_length_of_a_record():
    assert length_of(TrainingConfig(steps=0)) == NEVER
    assert length_of(TrainingConfig(steps=9, kimg=1.5, time="1m30s")) == Length(9, 1500, 90.0)
    assert length_of(TrainingConfig(steps=0, kimg=0.0001)).images == 1, "never zero by rounding"


def test_share_is_that_of_the_nearest_limit():
    game = SimpleNamespace(step=5, images=50)
    assert Length(20, 400, 100.0).share(game, 40.0) == 0.4
    assert Length(20, 100, 100.0).share(game, 40.0) == 0.5
    assert Length(4, None, None).share(game, 0.0) == 1.0
    assert NEVER.share(game, 1e9) == 0.0


def test_chores_are_done_when_due_and_once_at_the_end(play):
    done = []

    def chore(name, every, **options):
        return Chore(every, lambda moment: done.append((moment.game.step, name)), **options)

    play(
        Length(5, None, None),
        chores=[chore("two", 2), chore("five", 5), chore("end", 0), chore("not", 3, at_end=False)],
    )
    assert done == [(2, "two"), (3, "not"), (4, "two"), (5, "two"), (5, "five"), (5, "end")]


def test_a_chore_sees_the_step_that_was_taken(play):
    seen = []
    play(Length(3, None, None), chores=[Chore(1, seen.append)], before=1.0)
    assert [(moment.batch, moment.seconds, moment.last) for moment in seen] == [
        (1000, 3.0, False), (1001, 5.0, False), (1002, 7.0, True)
    ]  # fmt: skip
    assert seen[0].report["loss/generator"].item() == 0.5


def test_a_stop_ends_after_the_step_with_all_chores(play):
    done = []
    game, _ = play(Length(100, None, None), chores=[Chore(50, done.append)], stop=lambda game: game.step >= 3)
    assert game.step == 3 and [moment.last for moment in done] == [True]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_not_finite_stops_the_run_within_the_interval(play, bad):
    done = []
    with pytest.raises(
        NumericError, match=f"^loss/generator is {bad} at step {CHECK_EVERY}. The last checkpoint"
    ) as info:
        play(Length(50, None, None), chores=[Chore(5, done.append)], losses=lambda step: bad if step >= 7 else 0.5)
    assert info.value.exit_code == 6
    assert [moment.game.step for moment in done] != [] and len(done) == 1, "nothing is saved after the check"


def test_the_last_step_is_checked_before_it_is_saved(play):
    done = []
    with pytest.raises(NumericError, match="at step 3"):
        play(
            Length(3, None, None),
            chores=[Chore(0, done.append)],
            losses=lambda step: float("nan") if step == 3 else 1.0,
        )
    assert done == []
