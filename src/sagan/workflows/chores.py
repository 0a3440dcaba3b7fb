"""What a training run does between steps: its log, its grids, its checkpoints, its report. All of it only looks."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sagan.checkpoint.generator_file import GeneratorRecord, pack_generator
from sagan.checkpoint.retention import publish_or_make_room, retain
from sagan.config import RunConfig
from sagan.data.batches import Endless
from sagan.data.images import ImageSet
from sagan.data.report import portable
from sagan.data.stream.opening import StreamedSet
from sagan.disk import append_line, cut_log
from sagan.errors import ResourceError, SaganError
from sagan.health.judge import Judgement, Watcher
from sagan.training.game import Game
from sagan.training.loop import Chore, Length, Moment, Setback
from sagan.training.reporting import Note, Progress, Saved, Watch, write_log_line
from sagan.training.state import GENERATOR, RunState, state_files
from sagan.training.step import to_signal
from sagan.training.stopping import StopSignals
from sagan.training.telemetry import PICTURES, observe_attention
from sagan.workflows.grids import picture_grid
from sagan.workflows.health import Observer, act, look, spared_checkpoint, watcher_of
from sagan.workflows.reporting import write_report
from sagan.workflows.run_folder import RunFolder, write_json, write_picture, write_skipped
from sagan.workflows.scoring import WORTH_SAYING, Scorer, score_checkpoint, scorer_of
from sagan.workflows.tensorboard import TensorBoard
from sagan.workflows.troubles import Troubles

REPORT_SHARE = 50  # a report is renewed when at least so many times its own cost has passed
EVENTS = "TensorBoard's events"


@dataclass
class Scene:
    """What every chore of one run shares."""

    config: RunConfig
    folder: RunFolder
    images: ImageSet
    batches: Endless
    length: Length
    environment: dict[str, str | int]
    watch: Watch
    stop: StopSignals
    last_log: tuple[float, int] | None = None
    latest: dict[str, float] = field(default_factory=dict)
    report_due: float = 0.0
    failed_saves: int = 0  # in a row, so far
    skipped: int = 0  # pictures of a stream that skipped.jsonl has
    observer: Observer | None = None  # with `watcher`: the health watch, unless the record has it off
    watcher: Watcher | None = None
    scorer: Scorer | None = None  # opened at the first checkpoint, as it looks at many pictures
    scorer_known: bool = False
    enough: bool = False  # whether the scores have stood still for as long as the record lets them
    failing: Judgement | None = None  # the verdict that ends the run, where the record asks for that

    def __post_init__(self) -> None:
        self.troubles = Troubles(self.watch)

    def start_health_watch(self) -> None:
        """Measure the real pictures, and read what the log tells of the run so far."""
        if self.config.training.health != "off":
            self.observer, self.watcher = Observer(self.images), watcher_of(self.config, self.folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; empty for an unconditional run."""
        return self.images.classes


@contextmanager
def chores_of(scene: Scene, step: int) -> Iterator[list[Chore]]:
    """The chores in their order: numbers, then what must not be lost, then pictures and the page that shows them.

    step: where the run stands.
    """
    output = scene.config.output

    def patient(work: Callable[[Moment], None]) -> Callable[[Moment], None]:
        """Work that a person who asked to stop would like to see done, and a system does not wait for."""
        return lambda moment: None if scene.stop.hurried and is_stopped(scene, moment) else work(moment)

    board: TensorBoard | None = None
    if output.tensorboard:
        with scene.troubles.tolerate(EVENTS, scene.folder.events):
            board = TensorBoard(scene.folder.events, step)
    try:
        health_every = 0 if scene.watcher is None else scene.config.training.health_every
        yield [
            Chore(1, lambda moment: announce(scene, moment)),
            Chore(output.log_every, lambda moment: log(scene, moment, board)),
            # Never at the end alone: a run that was stopped and goes on would have looked once more than one that was not.
            Chore(health_every, lambda moment: look(scene, moment), at_end=False),
            Chore(output.save_every, lambda moment: save(scene, moment), settles=True),
            Chore(
                output.sample_every, patient(lambda moment: show(scene, moment.game)), at_end=output.sample_every > 0
            ),
            Chore(output.save_every, patient(lambda moment: report(scene, moment))),
            Chore(health_every, lambda moment: act(scene, moment), at_end=False),  # last: what it ends is saved by now
        ]
    finally:
        if board is not None:
            with scene.troubles.tolerate(EVENTS, scene.folder.events):
                board.close()


@contextmanager
def idle_chores(scene: Scene) -> Iterator[list[Chore]]:
    """For a process that is not the first of those that train together: the same chores at the same steps, without work."""
    yield [Chore(scene.config.output.save_every, lambda moment: None, settles=True)]


def is_stopped(scene: Scene, moment: Moment) -> bool:
    """Whether a signal ends the run before its length does."""
    return scene.stop() and scene.length.share(moment.game, moment.seconds) < 1.0


def announce(scene: Scene, moment: Moment) -> None:
    """Tell the watcher how far the run is."""
    if scene.stop() and moment.last:
        scene.watch(Note("Stopping here; saving first. Once more leaves at once."))
    share = scene.length.share(moment.game, moment.seconds)
    rate, left = scene.latest.get("rate/images_per_second", moment.game.images / moment.seconds), None
    if share > 0 and moment.game.step > 1:
        left = moment.seconds * (1 / share - 1)
    scene.watch(
        Progress(
            step=moment.game.step,
            steps=scene.length.steps,
            seconds=moment.seconds,
            seconds_left=left,
            images=moment.game.images,
            images_per_second=rate,
            share=share,
            losses={name: value for name, value in scene.latest.items() if "loss/" in name or "/gamma" in name},
        )
    )


def log(scene: Scene, moment: Moment, board: TensorBoard | None) -> None:
    """One line of log.jsonl: counters, losses, logits, attention telemetry, rate."""
    game = moment.game
    values: dict[str, float] = {
        "step": game.step,
        "critic_updates": game.critic_updates,
        "images": game.images,
        "seconds": round(moment.seconds, 3),
    }
    values |= {name: float(value) for name, value in moment.report.items()}
    pixels = to_signal(moment.batch.pixels[:PICTURES].to(game.device))
    values |= observe_attention(game, pixels, moment.batch.labels[:PICTURES].to(game.device))
    if isinstance(scene.images, StreamedSet):
        values |= {"data/seen": scene.images.seen, "data/skipped": scene.images.bad}
    if scene.last_log is not None and moment.seconds > scene.last_log[0]:
        before, images = scene.last_log
        values["rate/images_per_second"] = (game.images - images) / (moment.seconds - before)
    scene.last_log = (moment.seconds, game.images)
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    scene.latest.update(values)
    with scene.troubles.tolerate("a line of the log", scene.folder.log):
        write_log_line(scene.folder.log, values)
    if board is not None:
        with scene.troubles.tolerate(EVENTS, scene.folder.events):
            board.write(values)


def went_back(scene: Scene, setback: Setback) -> None:
    """After a number left the finite: say so, cut the steps that no longer count from the log, and keep the facts."""
    scene.watch(
        Note(
            f"Warning: {setback.what} at step {setback.broke_at:,}; "
            f"going back to step {setback.back_to:,} and on with other noise."
        )
    )
    facts = {"step": setback.back_to, "broke_at": setback.broke_at, "what": setback.what}
    pictures = [portable(scene.images.name_of(number)) for number in setback.batch.ids.tolist()]
    try:
        cut_log(scene.folder.log, setback.back_to)
        append_line(scene.folder.log, json.dumps(facts))
        write_json(scene.folder.setback, facts | {"pictures": pictures, "latest": scene.latest})
    except SaganError as error:  # the run is what matters
        scene.watch(Note(f"Warning: {error}"))
    scene.last_log = None
    if scene.watcher is not None:
        scene.watcher = watcher_of(scene.config, scene.folder)  # without the looks that were cut


def show(scene: Scene, game: Game) -> None:
    """A grid of fixed latents, drawn from the averaged generator, classes in rows."""
    path, grid = scene.folder.grid(game.step), picture_grid(game.averaged.model, scene.classes)
    with scene.troubles.tolerate("a grid of pictures", path):
        write_picture(path, grid)
        scene.watch(Saved(path, "grid"))


def save(scene: Scene, moment: Moment) -> None:
    """A checkpoint; then the best by its score, and retention, unless somebody waits.

    Some saves in a row may fail for the disk's sake (`failed_saves`), but never the last of a run: its work would be
    lost. Raises ResourceError.
    """
    try:
        publish_checkpoint(scene, moment.game, moment.seconds)
    except ResourceError as error:
        scene.failed_saves += 1
        allowed = scene.config.output.failed_saves
        if moment.last or scene.failed_saves > allowed:
            raise
        count = f"failed save {scene.failed_saves} of {allowed} in a row before the run stops"
        scene.watch(Note(f"Warning: no checkpoint at step {moment.game.step:,}, {count}; training goes on. {error}"))
        return
    if len(scene.images.skipped) > scene.skipped:
        with scene.troubles.tolerate("the list of pictures that were left out", scene.folder.skipped):
            write_skipped(scene.folder, scene.images)
            scene.skipped = len(scene.images.skipped)
    if is_stopped(scene, moment):
        return
    with scene.troubles.tolerate("which checkpoint is best", scene.folder.best):
        best = find_best(scene, moment)  # when it fails, nothing is deleted: the best one may be any
        kept = scene.config.output.keep
        for warning in retain(scene.folder.path, kept, moment.game.step, best, sound_step=spared_checkpoint(scene)):
            scene.watch(Note(f"Warning: {warning}"))


def report(scene: Scene, moment: Moment) -> None:
    """Curves, attention figure and page; seldom enough to stay cheap, and never worth ending a run for."""
    if not moment.last and moment.seconds < scene.report_due:
        return
    start = time.monotonic()
    with scene.troubles.tolerate("the report", scene.folder.report):
        write_report(scene.folder)
    scene.report_due = moment.seconds + REPORT_SHARE * (time.monotonic() - start)


def publish_checkpoint(scene: Scene, game: Game, seconds: float) -> None:
    """Write everything that a restart and a drawing need, visible all at once. Raises ResourceError."""
    training = scene.config.training
    record = GeneratorRecord(
        model=scene.config.model,
        classes=scene.classes,
        step=game.step,
        seed=training.seed,
        data_name=scene.images.name,
        data_fingerprint=scene.images.fingerprint,
    )
    state = RunState(
        step=game.step,
        critic_updates=game.critic_updates,
        position=scene.batches.position,
        seconds=seconds,
        data_fingerprint=scene.images.fingerprint,
        environment=scene.environment,
        rollbacks=game.rollbacks,
    )
    files = {GENERATOR: pack_generator(game.averaged.model.state_dict(), record), **state_files(game, state)}
    sound = spared_checkpoint(scene)
    saved = publish_or_make_room(scene.folder.path, game.step, files, scene.config.output.keep, sound_step=sound)
    scene.failed_saves = 0
    scene.watch(Saved(saved, "checkpoint"))


def find_best(scene: Scene, moment: Moment) -> int | None:
    """Score this checkpoint, where that is possible; the step of the best one. Says when long nothing has become better.

    Raises ResourceError when the disk does not let it be remembered.
    """
    if not scene.scorer_known:
        scene.scorer, scene.scorer_known = scorer_of(scene.config, scene.images), True
    if scene.scorer is None:
        return None
    game, patience = moment.game, scene.config.output.patience
    standing = score_checkpoint(scene.folder, scene.scorer, game.averaged.model, game.step, scene.watch)
    if standing.since and standing.since % WORTH_SAYING == 0:
        scene.watch(Note(f"No better {scene.scorer.headline} score since step {standing.best:,}."))
    scene.enough = 0 < patience <= standing.since
    return standing.best
