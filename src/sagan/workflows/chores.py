"""What a training run does between steps: its log, its grids, its checkpoints, its report. All of it only looks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from sagan.checkpoint.folder import publish
from sagan.checkpoint.generator_file import GeneratorRecord, pack_generator
from sagan.checkpoint.retention import read_best, retain, write_best
from sagan.config import RunConfig
from sagan.data.batches import Batches
from sagan.data.emblem_score import score
from sagan.data.images import EMBLEMS, ImageSet
from sagan.errors import CheckpointError, SaganError
from sagan.sampling import draw
from sagan.training.game import Game
from sagan.training.loop import Chore, Length, Moment
from sagan.training.reporting import Note, Progress, Saved, Watch, write_log_line
from sagan.training.state import GENERATOR, RunState, state_files
from sagan.training.step import to_signal
from sagan.training.telemetry import PICTURES, observe_attention
from sagan.workflows.grids import picture_grid
from sagan.workflows.reporting import write_report
from sagan.workflows.run_folder import RunFolder, write_picture
from sagan.workflows.tensorboard import TensorBoard

REPORT_SHARE = 50  # a report is renewed when at least so many times its own cost has passed
SCORED = 512
PROTOCOL = f"structure score, {SCORED} pictures, averaged generator"


@dataclass
class Scene:
    """What every chore of one run shares."""

    config: RunConfig
    folder: RunFolder
    images: ImageSet
    batches: Batches
    length: Length
    environment: dict[str, str | int]
    watch: Watch
    stop: Callable[[], bool]
    last_log: tuple[float, int] | None = None
    latest: dict[str, float] = field(default_factory=dict)
    report_due: float = 0.0

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
    board = TensorBoard(scene.folder.path / "tensorboard", step) if output.tensorboard else None
    try:
        yield [
            Chore(1, lambda moment: announce(scene, moment)),
            Chore(output.log_every, lambda moment: log(scene, moment, board)),
            Chore(output.save_every, lambda moment: save(scene, moment)),
            Chore(output.sample_every, lambda moment: show(scene, moment.game), at_end=output.sample_every > 0),
            Chore(output.save_every, lambda moment: report(scene, moment)),
        ]
    finally:
        if board is not None:
            board.close()


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
    if scene.last_log is not None and moment.seconds > scene.last_log[0]:
        before, images = scene.last_log
        values["rate/images_per_second"] = (game.images - images) / (moment.seconds - before)
    scene.last_log = (moment.seconds, game.images)
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    scene.latest.update(values)
    if not write_log_line(scene.folder.log, values):
        scene.watch(Note(f"Warning: the log {scene.folder.log} could not be written; training goes on."))
    if board is not None:
        board.write(values)


def show(scene: Scene, game: Game) -> None:
    """A grid of fixed latents, drawn from the averaged generator, classes in rows."""
    path = scene.folder.grid(game.step)
    write_picture(path, picture_grid(game.averaged.model, scene.classes))
    scene.watch(Saved(path, "grid"))


def save(scene: Scene, moment: Moment) -> None:
    """A checkpoint; then the best by the structure score (emblems only), and retention."""
    publish_checkpoint(scene, moment.game, moment.seconds)
    best = score_emblems(scene, moment)
    for warning in retain(scene.folder.path, scene.config.output.keep, best):
        scene.watch(Note(f"Warning: {warning}"))


def report(scene: Scene, moment: Moment) -> None:
    """Curves, attention figure and page; seldom enough to stay cheap, and never worth ending a run for."""
    if not moment.last and moment.seconds < scene.report_due:
        return
    start = time.monotonic()
    try:
        write_report(scene.folder)
    except SaganError as error:
        scene.watch(Note(f"Warning: the report could not be renewed: {error}"))
    scene.report_due = moment.seconds + REPORT_SHARE * (time.monotonic() - start)


def publish_checkpoint(scene: Scene, game: Game, seconds: float) -> None:
    """Write everything that a restart and a drawing need, visible all at once."""
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
    )
    files = {GENERATOR: pack_generator(game.averaged.model.state_dict(), record), **state_files(game, state)}
    scene.watch(Saved(publish(scene.folder.path, game.step, files), "checkpoint"))


def score_emblems(scene: Scene, moment: Moment) -> int | None:
    """Score the averaged generator where the truth is known; remember the best. Returns the best step, or None.

    Without classes each picture is compared with the class that it is nearest to.
    """
    if scene.config.data.data != EMBLEMS or scene.images.channels != 3:
        return None
    labels = np.arange(SCORED) % len(scene.classes) if scene.classes else None
    shares = score(draw(moment.game.averaged.model, range(SCORED), None if labels is None else labels.tolist()), labels)
    values = {name: float(getattr(shares, name)) for name in ("mirror", "beacons", "silhouette", "structure")}
    write_log_line(
        scene.folder.log, {"step": moment.game.step} | {f"score/{name}": value for name, value in values.items()}
    )
    try:
        best = read_best(scene.folder.path)
    except CheckpointError as error:
        scene.watch(Note(f"Warning: {error}"))
        best = None
    if best is None or best.protocol != PROTOCOL or values["structure"] >= best.value:
        write_best(scene.folder.path, moment.game.step, values["structure"], PROTOCOL)
        return moment.game.step
    return best.step
