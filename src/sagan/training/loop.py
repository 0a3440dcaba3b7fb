"""Repeat the step until the run is long enough or somebody asks to stop; between steps, let the chores do their work."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sagan.data.batches import Batch, Endless
from sagan.errors import DataError, NumericError, PeerError, ResourceError, SaganError
from sagan.training.config import TrainingConfig, seconds
from sagan.training.game import Game
from sagan.training.guard import MOST, SNAPSHOT_EVERY, WITHIN, LastGood, breaks_too_often
from sagan.training.state import game_tensors
from sagan.training.step import Report, train_step


@dataclass(frozen=True)
class Moment:
    """What a chore sees after a step. seconds: training time of the whole run so far.  last: no step follows."""

    game: Game
    report: Report
    batch: Batch
    seconds: float
    last: bool


@dataclass(frozen=True)
class Chore:
    """Work beside training, done every so many steps and, if `at_end`, after the last step too. It changes no state."""

    every: int
    work: Callable[[Moment], None]
    at_end: bool = True
    settles: bool = False  # a run that breaks later never goes back to before this

    def is_due(self, moment: Moment) -> bool:
        on_time = self.every > 0 and moment.game.step % self.every == 0
        return on_time or (moment.last and self.at_end)


@dataclass(frozen=True)
class Setback:
    """A number left the finite. what: which.  broke_at, back_to: steps.  batch: the pictures that were shown last."""

    what: str
    broke_at: int
    back_to: int
    batch: Batch


class Starved(Exception):
    """Leaves the loop between two steps when there are no more pictures to be had. seconds: training time so far."""

    def __init__(self, cause: SaganError, seconds: float) -> None:
        super().__init__(str(cause))
        self.cause, self.seconds = cause, seconds


@dataclass(frozen=True)
class Length:
    """When a run is over: whichever limit comes first. None stands for no such limit."""

    steps: int | None
    images: int | None
    seconds: float | None

    def shares(self, game: Game, elapsed: float) -> dict[str, float]:
        """How much of each limit is used up, by the name of its option. elapsed: training time of the run in seconds."""
        parts = {"steps": (game.step, self.steps), "kimg": (game.images, self.images), "time": (elapsed, self.seconds)}
        return {name: done / limit for name, (done, limit) in parts.items() if limit is not None}

    def share(self, game: Game, elapsed: float) -> float:
        """How much of the run is done, from 0 to 1, by the limit that is nearest."""
        return min(1.0, max(self.shares(game, elapsed).values(), default=0.0))

    def seconds_left(self, game: Game, elapsed: float, seconds_a_step: float) -> float:
        """Training time until the nearest limit, infinite without one."""
        shown = game.config.batch_size * game.config.n_dis
        return min(
            math.inf if self.steps is None else (self.steps - game.step) * seconds_a_step,
            math.inf if self.images is None else (self.images - game.images) / shown * seconds_a_step,
            math.inf if self.seconds is None else self.seconds - elapsed,
        )


def length_of(training: TrainingConfig) -> Length:
    """The limits that a record sets."""
    return Length(
        steps=training.steps or None,
        images=math.ceil(training.kimg * 1000) or None,
        seconds=seconds(training.time) if training.time else None,
    )


def run_loop(
    game: Game,
    batches: Endless,
    *,
    length: Length,
    seconds_before: float,
    chores: Sequence[Chore],
    stop: Callable[[], bool],
    went_back: Callable[[Setback], None] = lambda setback: None,
    chores_count: bool = True,
) -> float:
    """Train until the length is reached or `stop()` says so. Returns the training time of the run at its last step, in
    seconds: with it `length` tells why the run ended, as it told the chores.

    Where several processes train together all of them leave at the same step, and have the same chores.

    seconds_before: training time before this call.  went_back: told each time that the game went back to its last good
    state because a number was not finite.  chores_count: whether the time of the chores is part of the run's; without it two
    runs of one length have trained equally long, whatever was measured beside them.
    Raises NumericError when numbers leave the finite too often; Starved when the next step's pictures cannot be read.
    """
    keeper, last_good = _Keeper(batches), LastGood(game)
    start, elapsed = time.monotonic() - seconds_before, seconds_before
    finished = length.share(game, elapsed) >= 1.0 or bool(*game.ranks.greatest(stop()))
    while not finished:
        step = game.step
        try:
            keeper.fetch(game.config.n_dis)
        except (DataError, PeerError, ResourceError) as error:
            raise Starved(error, elapsed) from error
        try:
            report = train_step(game, keeper)
        except NumericError as error:
            last_good.go_back(game, step)
            batches.seek(game.images)
            went_back(Setback(error.what, step, game.step, keeper.batch))
            if breaks_too_often(game.rollbacks):
                raise NumericError(
                    f"{error.what} at step {step:,}, for the {MOST + 1}th time in {WITHIN:,} steps",
                    remedy="The last checkpoint is intact: go on from it with --override and a smaller --g-lr and --d-lr.",
                ) from error
            continue
        elapsed, asked = game.ranks.greatest(time.monotonic() - start, stop())
        finished = length.share(game, elapsed) >= 1.0 or bool(asked)
        moment = Moment(game, report, keeper.batch, elapsed, finished)
        due = [chore for chore in chores if chore.is_due(moment)]
        if game.ranks.size > 1 and any(chore.settles for chore in due):
            game.ranks.require_agreement(game_tensors(game))
        paused = time.monotonic()
        for chore in due:
            chore.work(moment)
        if not chores_count:
            start += time.monotonic() - paused
        if game.step % SNAPSHOT_EVERY == 0 or any(chore.settles for chore in due):
            last_good.keep(game)
    return elapsed


class _Keeper(Iterator[Batch]):
    """Passes on batches that were fetched before a step, so that none is missing in the middle of it; remembers the last."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._fetched: list[Batch] = []
        self.batch: Batch

    def fetch(self, count: int) -> None:
        """Take the batches of a step; what a step before left over, because it broke, is forgotten."""
        self._fetched = [next(self._batches) for _ in range(count)]

    def __next__(self) -> Batch:
        self.batch = self._fetched.pop(0)
        return self.batch
