"""From a record to a trained run: the verb `sagan train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sagan.checkpoint.folder import sweep
from sagan.config import RunConfig
from sagan.data.batches import Batches
from sagan.data.images import ImageSet, open_images
from sagan.disk import FolderLock, cut_log, ensure_folder
from sagan.errors import Interrupted
from sagan.presets import run_folder, run_of
from sagan.runtime import Runtime, choose_runtime, environment
from sagan.training.game import Game, new_game
from sagan.training.loop import Length, length_of, run_loop
from sagan.training.reporting import Note, Watch, nobody
from sagan.training.stopping import StopSignals
from sagan.workflows.chores import Scene, chores_of, publish_checkpoint, real_grid, show
from sagan.workflows.estimate import duration, estimate
from sagan.workflows.resuming import check_record, find_checkpoint, go_on
from sagan.workflows.run_folder import RunFolder, data_facts, kept_if_used, write_json, write_picture


@dataclass(frozen=True)
class TrainResult:
    """Where a run stands and what it left. seconds: training time of the whole run.  stopped: why it ended."""

    run: Path
    step: int
    images: int
    seconds: float
    grid: Path | None
    report: Path
    stopped: str = "finished"


def train(config: RunConfig, *, resume: str = "auto", override: bool = False, watch: Watch = nobody) -> TrainResult:
    """Train by a record, or go on with its run, until its length is reached.

    resume: auto, off, or a run or checkpoint to go on from.  override: allow changed schedule options on resume.
    watch: is told everything that a person would want to see.
    Raises SaganError's children; Interrupted after a signal, with a checkpoint saved.
    """
    runtime = choose_runtime(config.output.device, config.output.threads)
    folder = RunFolder(run_folder(config))
    with kept_if_used(folder.path), FolderLock(folder.path), StopSignals() as stop:
        sweep(folder.path)
        for stored in _records_to_agree_with(folder, resume):
            check_record(stored.read_record(), config, stored, override=override, watch=watch)
        checkpoint = find_checkpoint(folder, resume, watch)
        images = open_images(
            config.data, config.model.resolution, note=lambda text: watch(Note(text)), threads=runtime.threads
        )
        game = new_game(config.model, config.training, len(images.classes), runtime)
        facts = environment(runtime, runtime.precision(config.training.precision))
        state = None if checkpoint is None else go_on(game, checkpoint, images.fingerprint, facts, watch)
        seconds = 0.0 if state is None else state.seconds
        with _batches(config, images, 0 if state is None else state.position) as batches:
            scene = Scene(config, folder, images, batches, length_of(config.training), facts, watch)
            _write_facts(scene, game)
            _announce(scene, game, seconds, runtime)
            chores = chores_of(scene)
            seconds = run_loop(game, batches, length=scene.length, seconds_before=seconds, chores=chores, stop=stop)
        if stop():
            raise Interrupted(
                f"stopped at step {game.step:,}; a checkpoint was saved in {folder.path}",
                exit_code=stop.exit_code,
                remedy="The same command goes on from there.",
            )
    grids = folder.grids()
    return TrainResult(folder.path, game.step, game.images, seconds, grids[-1] if grids else None, folder.report)


def _records_to_agree_with(folder: RunFolder, resume: str) -> list[RunFolder]:
    """The run of this folder and, when going on from another one, that run too: its counters mean what its record says."""
    source = folder.path if resume in ("auto", "off") else run_of(Path(resume))
    return [folder] if source.resolve() == folder.path.resolve() else [folder, RunFolder(source)]


def _batches(config: RunConfig, images: ImageSet, position: int) -> Batches:
    return Batches(
        images,
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        position=position,
        workers=config.data.workers,
        mirror=config.data.mirror,
    )


def _write_facts(scene: Scene, game: Game) -> None:
    """The record, the machine and the pictures of the run; a log line after the checkpoint's step is cut off."""
    folder = scene.folder
    ensure_folder(folder.samples)
    if folder.log.exists():
        cut_log(folder.log, game.step)
    folder.write_record(scene.config)
    write_json(folder.environment, scene.environment)
    write_json(folder.data, data_facts(scene.images, bool(scene.classes)))
    write_picture(folder.reals, real_grid(scene.images, scene.classes))


def _announce(scene: Scene, game: Game, seconds: float, runtime: Runtime) -> None:
    """Say what is about to happen and how long it takes; on a fresh start, keep the untrained generator's pictures."""
    config, length = scene.config, scene.length
    scene.watch(Note(f"Going on from step {game.step:,}.")) if game.step else None
    kind = f"{len(scene.classes)} classes" if scene.classes else "no classes"
    scene.watch(
        Note(
            f"{len(scene.images):,} pictures of {config.model.resolution}x{config.model.resolution}, {kind}; "
            f"{scene.environment['device']}, {runtime.threads} threads, {scene.environment['precision']}."
        )
    )
    if length.share(game, seconds) >= 1.0:
        scene.watch(Note(f"The run has its full length already ({game.step:,} steps); ask for more with --steps."))
    else:
        took = estimate(config, len(scene.classes), runtime).seconds_a_step
        scene.watch(Note(f"Expected to take {duration(_expected(length, game, seconds, took))} in {scene.folder.path}"))
    if game.step == 0:  # what training starts from, and proof that the folder can be written
        publish_checkpoint(scene, game, 0.0)
        if config.output.sample_every:
            show(scene, game)


def _expected(length: Length, game: Game, seconds: float, seconds_a_step: float) -> float:
    batch, n_dis = game.config.batch_size, game.config.n_dis
    limits = [
        None if length.steps is None else (length.steps - game.step) * seconds_a_step,
        None if length.images is None else (length.images - game.images) / (batch * n_dis) * seconds_a_step,
        None if length.seconds is None else length.seconds - seconds,
    ]
    return min((limit for limit in limits if limit is not None), default=float("inf"))
