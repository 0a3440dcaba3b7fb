from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from sagan.errors import NumericError, PeerError
from sagan.ranks import ALONE
from sagan.training.config import TrainingConfig
from sagan.training.loop import Chore, Length, Starved, length_of, run_loop

NEVER = Length(None, None, None)


@pytest.fixture
def play(monkeypatch):
    """play(length, ...): run the loop on a game that only counts: 10 pictures and 2 seconds a step."""

    class Copy:
        """LastGood of a game that has no tensors."""

        def __init__(self, game):
            self.keep(game)

        def keep(self, game):
            self.step = game.step

        def go_back(self, game, broke_at):
            game.step, game.images = self.step, 10 * self.step
            game.rollbacks = (*game.rollbacks, broke_at)

    class Numbers:
        """Batches that are their numbers; none after `last`."""

        def __init__(self, game, last):
            self.game, self.rest, self.last = game, iter(range(1000, 2000)), last

        def __iter__(self):
            return self

        def __next__(self):
            number = next(self.rest)
            if number > self.last:
                raise PeerError("the place of the pictures is gone")
            return number

        def seek(self, position):
            self.game.sought.append(position)
            self.rest = iter(range(1000 + position // 10, 2000))

    def run(
        length, *, stop=lambda game: False, losses=lambda step: 0.5, step=0, before=0.0, n_dis=1, last=1999, **options
    ):
        clock = SimpleNamespace(now=1000.0)
        game = SimpleNamespace(step=step, images=10 * step, sought=[], rollbacks=(), clock=clock, ranks=ALONE)
        game.config = SimpleNamespace(n_dis=n_dis)

        def one_step(game, batches):
            for _ in range(n_dis):
                next(batches)
            clock.now += 2.0
            loss = torch.tensor(losses(game.step + 1))
            game.step, game.images = game.step + 1, game.images + 10
            return {"loss/generator": loss}

        monkeypatch.setattr("sagan.training.loop.train_step", one_step)
        monkeypatch.setattr("sagan.training.loop.time", SimpleNamespace(monotonic=lambda: clock.now))
        monkeypatch.setattr("sagan.training.loop.LastGood", Copy)
        options = {"chores": (), **options}
        run.game = game
        took = run_loop(
            game, Numbers(game, last), length=length, seconds_before=before, stop=lambda: stop(game), **options
        )
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


def breaks_at(*steps):
    """A loss that is not finite the first time that each of these steps is taken."""
    left = list(steps)

    def losses(step):
        if step in left:
            left.remove(step)
            raise NumericError("loss/generator is not finite")
        return 0.5

    return losses


def test_a_step_that_breaks_goes_back_to_the_last_copy_and_on(play):
    setbacks, done = [], []
    game, _ = play(
        Length(250, None, None),
        chores=[Chore(10, lambda moment: done.append(moment.game.step))],
        losses=breaks_at(231, 7),
        went_back=setbacks.append,
    )
    assert [(one.what, one.broke_at, one.back_to) for one in setbacks] == [
        ("loss/generator is not finite", 6, 0), ("loss/generator is not finite", 230, 200)
    ]  # fmt: skip
    assert done == [*range(10, 231, 10), *range(210, 251, 10)]
    assert game.step == 250 and game.sought == [0, 2000]


def test_a_save_is_never_gone_back_behind(play):
    setbacks = []
    save = Chore(40, lambda moment: None, settles=True)
    play(Length(150, None, None), chores=[save], losses=breaks_at(139), went_back=setbacks.append)
    assert [(one.broke_at, one.back_to, one.batch) for one in setbacks] == [(138, 120, 1138)]


def test_a_run_that_breaks_again_and_again_ends_with_its_state_good_and_all_told(play):
    setbacks = []
    with pytest.raises(
        NumericError, match="^loss/generator is not finite at step 14, for the 4th time in 1,000 steps. The last"
    ) as info:
        play(Length(50, None, None), losses=breaks_at(12, 13, 14, 15), went_back=setbacks.append)
    assert info.value.exit_code == 6
    assert [one.broke_at for one in setbacks] == [11, 12, 13, 14]


def test_the_time_is_that_of_the_last_step(play):
    """What comes after it takes time too, and must not make a stopped run look like a finished one."""
    length, stops = Length(None, None, 9.0), iter([False, True])
    game, took = play(length, stop=lambda game: next(stops), chores=[Chore(0, lambda moment: None)])
    assert (game.step, took) == (1, 2.0) and length.share(game, took) < 1.0


@pytest.mark.parametrize(("count", "steps", "took"), [(True, 4, 12.5), (False, 5, 10.0)])
def test_the_time_of_chores_is_part_of_a_run_unless_told_otherwise(play, count, steps, took):
    """A step takes 2 seconds and the chore behind it 1.5: 2, 5.5, 9, 12.5 against 2, 4, 6, 8, 10."""

    def work(moment):
        moment.game.clock.now += 1.5

    game, seconds = play(Length(None, None, 10.0), chores=[Chore(1, work)], chores_count=count)
    assert (game.step, seconds) == (steps, took)


@pytest.mark.parametrize("n_dis", [1, 2, 3])
def test_pictures_that_cannot_be_had_end_it_between_two_steps(play, n_dis):
    """Not in the middle of one, where the discriminator has moved and the generator has not: it could not be saved."""
    with pytest.raises(Starved, match="the place of the pictures is gone") as caught:
        play(Length(100, None, None), n_dis=n_dis, last=1006)
    assert play.game.step == 7 // n_dis and caught.value.seconds == 2.0 * (7 // n_dis)
    assert isinstance(caught.value.cause, PeerError) and caught.value.cause.exit_code == 75
