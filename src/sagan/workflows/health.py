"""The health watch of a run: what is measured at each look, what a verdict leads to, and the way back to a sound checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sagan.checkpoint.folder import read_folder, step_folder, steps
from sagan.checkpoint.generator_file import parse_generator
from sagan.checkpoint.retention import forget_after
from sagan.config import RunConfig
from sagan.data.image_set import ImageSet
from sagan.disk import append_line, cut_log
from sagan.errors import CheckpointError, HealthError
from sagan.health.advice import WORDS, Advice, Setup, advise
from sagan.health.judge import Judgement, Watcher, judge, patience_of
from sagan.health.spread import FEWEST, Reference
from sagan.models.network import Generator
from sagan.sampling import draw
from sagan.training.game import Game
from sagan.training.loop import Moment
from sagan.training.reporting import Note, as_logged, read_log, write_log_line
from sagan.training.state import GENERATOR, RunState, restore
from sagan.training.telemetry import observe_spectra
from sagan.workflows.run_folder import RunFolder

if TYPE_CHECKING:
    from sagan.workflows.chores import Scene

PICTURES = 64
GOLDEN = (5.0**0.5 - 1.0) / 2.0
MOST_RETURNS = 3  # a run that went back so often, for whatever reason, stops at the next failing verdict


class Failing(Exception):
    """Leaves the loop when a run is to go back. seconds: its training time so far."""

    def __init__(self, judgement: Judgement, seconds: float) -> None:
        super().__init__(judgement.verdict)
        self.judgement, self.seconds = judgement, seconds


class Observer:
    """Measures a run at each look: always the same seeds, beside real pictures that are measured once.

    The generated pictures have the classes of the real ones. Of a set too small for that no spread is measured.
    """

    def __init__(self, images: ImageSet) -> None:
        chosen = spread_over(len(images))
        self._labels: list[int] | None = images.labels[chosen].tolist() if images.classes else None
        self._reference = Reference(images.pictures(chosen)) if len(chosen) >= FEWEST else None

    def row(self, game: Game, report: Mapping[str, Tensor]) -> dict[str, float]:
        """A line of the log: step, losses and logits of the last update, largest singular values, spread. Changes nothing."""
        values: dict[str, float] = {"step": game.step} | {name: float(value) for name, value in report.items()}
        values |= observe_spectra(game) | self._spread(game.averaged.model)
        return as_logged({name: value for name, value in values.items() if math.isfinite(value)})

    def _spread(self, generator: Generator) -> dict[str, float]:
        if self._reference is None:
            return {}
        drawn = draw(generator, range(self._reference.count), self._labels)
        return {f"health/{name}": value for name, value in vars(self._reference.measure(drawn)).items()}


def spread_over(count: int) -> NDArray[np.int64]:
    """PICTURES places in a set of `count`, or all, in order: evenly, but never in step with the classes, which may take turns.

    The multiples of the golden ratio modulo 1 lie so.
    """
    if count <= PICTURES:
        return np.arange(count)
    return np.unique(np.floor((np.arange(PICTURES) * GOLDEN) % 1.0 * count).astype(np.int64))


def watcher_of(config: RunConfig, folder: RunFolder) -> Watcher:
    """A watcher that knows what the log of a run tells of it."""
    return judge_log(config, read_log(folder.log))


def judge_log(config: RunConfig, rows: Sequence[Mapping[str, float]]) -> Watcher:
    """A watcher that was shown these lines of a run's log."""
    training = config.training
    return judge(rows, training.loss, patience_of(rate=training.g_lr, ema=training.ema))


def setup_of(config: RunConfig, pictures: int) -> Setup:
    """What advice depends on. pictures: in the set; 0 when it is not known."""
    training = config.training
    return Setup(
        loss=training.loss,
        g_lr=training.g_lr,
        d_lr=training.d_lr,
        n_dis=training.n_dis,
        batch_size=training.batch_size,
        bounded=config.model.d_sn or training.penalised or training.clip > 0,
        mirror=config.data.mirror,
        pictures=pictures,
        augmented=training.augment != "none",
    )


def look(scene: Scene, moment: Moment) -> None:
    """Measure, write the line, judge; say so when the verdict became a failing one, or no longer is."""
    assert scene.observer is not None and scene.watcher is not None
    row = scene.observer.row(moment.game, moment.report)
    with scene.troubles.tolerate("a line of the log", scene.folder.log):
        write_log_line(scene.folder.log, row)
    before, now = scene.watcher.judgement, scene.watcher.look(scene.latest | row)
    if now.failing and now.verdict != before.verdict:
        scene.watch(Note(f"Warning: {sentence(now, advise(now, setup_of(scene.config, len(scene.images))))}"))
    elif before.failing and not now.failing:
        scene.watch(Note(f"Step {now.step:,}: {before.verdict} no more."))


def act(scene: Scene, moment: Moment) -> None:
    """What the record asks for when a run fails: nothing at its last step, which ends it in any case.

    To stop, it asks for the end after one more step, at which everything is saved as at any end. Raises Failing to go back.
    """
    assert scene.watcher is not None
    judgement, policy = scene.watcher.judgement, scene.config.training.health
    if moment.last or not judgement.failing or judgement.step != moment.game.step:
        return
    if policy == "stop" or (policy == "rollback" and len(moment.game.rollbacks) >= MOST_RETURNS):
        scene.failing = judgement
    elif policy == "rollback":
        raise Failing(judgement, moment.seconds)


def stopped(scene: Scene, game: Game, judgement: Judgement) -> HealthError:
    """The error that ends a failing run: its verdict, the likely cause, what to change, where to go on from."""
    advice = advise(judgement, setup_of(scene.config, len(scene.images)))
    times = f"; went back {len(game.rollbacks)} times" if game.rollbacks else ""
    sound = sound_checkpoint(scene)
    remedy = "" if advice is None else f"{advice.cause} {remedies(advice)}"
    if sound is not None:
        remedy += f" The last sound checkpoint is {step_folder(scene.folder.path, sound)}."
    return HealthError(f"{headline(judgement)}{times}", where=scene.folder.path, remedy=remedy)


def sound_checkpoint(scene: Scene) -> int | None:
    """The newest checkpoint from before the looks that failed, by its step; None without one, or without a watch."""
    if scene.watcher is None:
        return None
    return max((step for step in steps(scene.folder.path) if step <= scene.watcher.sound_until), default=None)


def spared_checkpoint(scene: Scene) -> int | None:
    """The sound checkpoint that stays whatever `keep` says: once the run was looked at, and always where it may go back."""
    looked = scene.watcher is not None and scene.watcher.judgement.step > 0
    return sound_checkpoint(scene) if looked or scene.config.training.health == "rollback" else None


def return_to_sound(scene: Scene, game: Game, failing: Failing, publish: Callable[[Game, float], None]) -> None:
    """Put the newest sound checkpoint back, draw other noise from there on at half the rates, and forget what came after.

    The checkpoint is published anew with the number of returns in it, so that a run which dies now goes on the same way.
    Later checkpoints go after that: a run that dies in between may go back once more, and the longer of the two lists of
    returns counts then, so that none is forgotten.  publish: writes a checkpoint of a game and its training time.
    Raises HealthError when there is nothing to go back to, or it went back often enough.
    """
    broke_at, rollbacks = game.step, game.rollbacks
    state = _restore_newest(scene, game)
    if state is not None:
        game.rollbacks = max(rollbacks, state.rollbacks, key=len)
    if state is None or len(game.rollbacks) >= MOST_RETURNS:
        raise stopped(scene, game, failing.judgement)
    game.rollbacks = (*game.rollbacks, broke_at)
    scene.batches.seek(game.images)
    publish(game, failing.seconds)
    forget_after(scene.folder.path, game.step)
    scene.watch(
        Note(
            f"Going back to step {game.step:,}, return {len(game.rollbacks)} of at most {MOST_RETURNS}, and on with other "
            f"noise and learning rates of {game.config.g_lr * game.rate_share:g} and {game.config.d_lr * game.rate_share:g}."
        )
    )
    facts = {"step": game.step, "broke_at": broke_at, "what": headline(failing.judgement)}
    with scene.troubles.tolerate("a line of the log", scene.folder.log):
        cut_log(scene.folder.log, game.step)
        append_line(scene.folder.log, json.dumps(facts))
    scene.last_log, scene.latest = None, {}
    scene.watcher = watcher_of(scene.config, scene.folder)


def _restore_newest(scene: Scene, game: Game) -> RunState | None:
    assert scene.watcher is not None
    for step in reversed(steps(scene.folder.path)):
        if step > scene.watcher.sound_until:
            continue
        folder = step_folder(scene.folder.path, step)
        try:
            _, files = read_folder(folder)
            _, averaged = parse_generator(files[GENERATOR], folder / GENERATOR)
            return restore(game, files, averaged, folder)
        except CheckpointError as error:
            scene.watch(Note(f"Warning: passed over: {error}"))
    return None


def returns(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """'went back from step 600 to step 400', for each time that a run did, by its log."""
    back = [(row["broke_at"], row["step"]) for row in rows if "broke_at" in row]
    return [f"went back from step {broke_at:,.0f} to step {step:,.0f}" for broke_at, step in back]


def health_events(config: RunConfig, folder: RunFolder) -> list[str]:
    """What the page of a run says of its health: each return, and a verdict of failure with what to change."""
    rows = read_log(folder.log)
    events = [f"The run {words}." for words in returns(rows)]
    now = judge_log(config, rows).judgement
    return [*events, sentence(now, advise(now, setup_of(config, 0)))] if now.failing else events


def headline(judgement: Judgement) -> str:
    """'collapsed since step 300: the generator draws ... (numbers)'"""
    numbers = f" ({'; '.join(judgement.evidence)})" if judgement.evidence else ""
    return f"{judgement.verdict} since step {judgement.since:,}: {WORDS[judgement.verdict]}{numbers}"


def sentence(judgement: Judgement, advice: Advice | None) -> str:
    """A verdict with its likely cause and the options to change, in one line."""
    return f"{headline(judgement)}." + ("" if advice is None else f" {advice.cause} {remedies(advice)}")


def remedies(advice: Advice) -> str:
    """What to change, in one or two sentences."""
    now = f"Go on with {' '.join(advice.now)} --override." if advice.now else ""
    anew = f"In a new run: {', '.join(advice.anew)}." if advice.anew else ""
    return f"{now} {anew}".strip()
