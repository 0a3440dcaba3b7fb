"""From a record to a trained run: the verb `sagan train`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from sagan.checkpoint.folder import prepare, steps
from sagan.config import Change, RunConfig
from sagan.disk import FolderLock, append_line, cut_log, ensure_folder
from sagan.errors import ConfigError, Interrupted
from sagan.presets import run_folder, run_of
from sagan.ranks import Ranks, join
from sagan.runtime import SMALLER_BATCH, Runtime, choose_runtime, environment, memory_errors, read_launch
from sagan.training.game import Game, new_game
from sagan.training.loop import Chore, Length, Starved, length_of, run_loop
from sagan.training.reporting import Note, Watch, nobody
from sagan.training.stopping import StopSignals
from sagan.workflows.chores import Scene, chores_of, idle_chores, publish_checkpoint, show, went_back
from sagan.workflows.estimate import duration
from sagan.workflows.fit import Fit, fit, in_parts, with_parts
from sagan.workflows.grids import real_grid
from sagan.workflows.health import Failing, return_to_sound, stopped
from sagan.workflows.loading import open_batches, open_with_notes
from sagan.workflows.resuming import check_pictures, check_record, find_checkpoint, go_on
from sagan.workflows.run_folder import RunFolder, data_facts, write_json, write_picture, write_skipped
from sagan.workflows.tensorboard import require_tensorboard
from sagan.workflows.warm_start import start_from

PATIENCE = "patience: its scores no longer became better"


class Asked(NamedTuple):
    """What was said about a run beside its record; see `train`."""

    resume: str
    override: bool
    accept_data_change: bool
    chores_count: bool
    fit_batch: bool


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
    first: bool = True  # whether this process speaks for all that trained together


def train(
    config: RunConfig,
    *,
    resume: str = "auto",
    override: bool = False,
    accept_data_change: bool = False,
    chores_count: bool = True,
    fit_batch: bool = False,
    watch: Watch = nobody,
) -> TrainResult:
    """Train by a record, or go on with its run, until its length is reached.

    resume: auto, off, or a run or checkpoint to go on from.  override: allow changed schedule options on resume.
    accept_data_change: allow other pictures on resume, with as many classes.
    chores_count: whether grids, checkpoints and scores use up the run's time too, as a person who waits would have it.
    fit_batch: where the run is new, work through its batch in as many parts (`grad_accum`) as memory asks for.
    watch: is told everything that a person would want to see.
    Raises SaganError's children; Interrupted after a signal during training, and HealthError when the record asks a failing
    run to stop, both with a checkpoint saved.
    """
    if config.output.tensorboard:
        require_tensorboard()
    launch = read_launch()
    runtime = choose_runtime(config.output.device, config.output.threads, launch)
    with join(launch, runtime.device, config.output.peer_timeout) as ranks:
        said = watch if ranks.first else nobody
        asked = Asked(resume, override, accept_data_change, chores_count, fit_batch)
        return _train(config, asked, said, runtime, ranks, launch.local_size if launch else 1)


def _train(config: RunConfig, asked: Asked, watch: Watch, runtime: Runtime, ranks: Ranks, sharing: int) -> TrainResult:
    """`train` for one of the processes that train together. The first one alone writes, and decides what the folder means.

    sharing: processes on this machine.
    """
    if ranks.size > 1 and config.training.health == "rollback":
        raise ConfigError(
            f"health is rollback, and {ranks.size} processes train together",
            remedy="Only a run of one process goes back by itself; use --health stop or warn.",
        )
    folder = RunFolder(run_folder(config))
    changes: list[Change] = []
    with FolderLock(folder.path) if ranks.first else nullcontext(), memory_errors():

        def begin() -> str | None:
            prepare(folder.path)
            for stored in _records_to_agree_with(folder, asked.resume):
                record = stored.read_record()
                changes.extend(check_record(record, config, stored, override=asked.override, watch=watch))
            found = find_checkpoint(folder, asked.resume, watch)
            return None if found is None else str(found)

        decided = ranks.decided(begin)
        checkpoint = None if decided is None else Path(decided)
        images = open_with_notes(config, runtime, watch)
        pictures = data_facts(images)

        def compare() -> None:
            if checkpoint is not None:
                where = config.data.data
                changes.extend(
                    check_pictures(checkpoint, pictures, where=where, accept=asked.accept_data_change, watch=watch)
                )

        ranks.decided(compare)
        fits: Fit | None = None

        def choose() -> int:
            nonlocal fits
            shared = sharing if runtime.device.type == "cpu" else 1  # a device of its own has a memory of its own
            fits = fit(config, len(images.classes), runtime, ranks.size, shared)
            is_new = checkpoint is None and not folder.record.exists()
            fits = replace(fits, config=in_parts(fits) if asked.fit_batch and is_new else config)
            return fits.config.training.grad_accum

        config = with_parts(config, ranks.decided(choose))
        counts = images.class_counts()
        game = new_game(config.model, config.training, len(images.classes), runtime, counts=counts, ranks=ranks)
        facts = environment(runtime, runtime.precision(config.training.precision))
        if ranks.size > 1:
            facts["processes"] = ranks.size
        state = None if checkpoint is None else go_on(game, checkpoint, facts, watch)
        if state is None and config.training.init_from:
            start_from(game, Path(config.training.init_from), watch)
        if config.output.compile:
            watch(Note("Compiling both networks: the first step takes minutes longer."))
            runtime.compile(game.generator, game.discriminator)
        seconds, position = (0.0, 0) if state is None else (state.seconds, state.position)
        rows = ranks.rows(config.training.batch_size, config.training.grad_accum)
        stop = StopSignals()  # entered around the loop: before it there is nothing to save, and a signal ends it all
        with closing(images), open_batches(config, images, position, rows) as batches:
            scene = Scene(config, folder, images, batches, length_of(config.training), facts, watch, stop)
            if ranks.first:
                _write_facts(scene, game, changes, pictures)
                _announce(scene, game, seconds, runtime, fits)
                scene.start_health_watch()
            with chores_of(scene, game.step) if ranks.first else idle_chores(scene) as chores, stop:
                with memory_errors(SMALLER_BATCH if fits is None else fits.after_all):
                    seconds = _train_on(scene, game, chores, seconds, asked.chores_count)
        if scene.failing is not None:
            raise stopped(scene, game, scene.failing)
        ended_by = limits_reached(scene.length, game, seconds) or (PATIENCE if scene.enough else "")
        (signal_number,) = ranks.greatest(stop.received or 0)
        if signal_number and not ended_by:
            raise Interrupted(
                f"stopped at step {game.step:,}; a checkpoint was saved",
                exit_code=128 + int(signal_number),
                remedy=f"Go on with: sagan train --resume {shlex.quote(str(folder.path))}",
            )
    grids = folder.grids()
    last = grids[-1] if grids else None
    words = f"reached its {ended_by}"
    return TrainResult(folder.path, game.step, game.images, seconds, last, folder.report, words, ranks.first)


def _train_on(scene: Scene, game: Game, chores: Sequence[Chore], seconds: float, chores_count: bool) -> float:
    """The loop, and the loop again after each return to a sound checkpoint, of which there are few; the training time.

    Raises HealthError, NumericError when going back does not help.
    """
    while True:
        try:
            return run_loop(
                game,
                scene.batches,
                length=scene.length,
                seconds_before=seconds,
                chores=chores,
                stop=lambda: scene.stop() or scene.enough or scene.failing is not None,
                went_back=lambda setback: went_back(scene, setback) if game.ranks.first else None,
                chores_count=chores_count,
            )
        except Starved as starved:
            keep_what_was_learned(scene, game, starved)
            raise starved.cause from None
        except Failing as failing:
            seconds = failing.seconds
            return_to_sound(scene, game, failing, lambda game, seconds: publish_checkpoint(scene, game, seconds))


def keep_what_was_learned(scene: Scene, game: Game, starved: Starved) -> None:
    """Save where the pictures ran out, unless that step is saved or other processes train too, who may be a step ahead."""
    if game.ranks.size > 1 or game.step in steps(scene.folder.path):
        return
    scene.batches.seek(game.images)
    with scene.troubles.tolerate("a checkpoint of the last step", scene.folder.path):
        publish_checkpoint(scene, game, starved.seconds)


def limits_reached(length: Length, game: Game, seconds: float) -> str:
    """Which limits ended a run, by option name; empty when none did."""
    return ", ".join(name for name, share in length.shares(game, seconds).items() if share >= 1.0)


def _records_to_agree_with(folder: RunFolder, resume: str) -> list[RunFolder]:
    """The run of this folder and, when going on from another one, that run too: its counters mean what its record says."""
    source = folder.path if resume in ("auto", "off") else run_of(Path(resume))
    return [folder] if source.resolve() == folder.path.resolve() else [folder, RunFolder(source)]


def _write_facts(scene: Scene, game: Game, changes: list[Change], pictures: dict[str, Any]) -> None:
    """The record, the machine and the pictures of the run; log lines after the checkpoint's step are cut off."""
    folder = scene.folder
    ensure_folder(folder.samples)
    if folder.log.exists():
        cut_log(folder.log, game.step)
    for change in changes:
        words = {"step": game.step, "changed": change.name, "from": str(change.old), "to": str(change.new)}
        append_line(folder.log, json.dumps(words))
    folder.write_record(scene.config)
    write_json(folder.environment, scene.environment)
    write_json(folder.data, pictures)
    write_skipped(folder, scene.images)
    write_picture(folder.reals, real_grid(scene.images, scene.classes))


def _announce(scene: Scene, game: Game, seconds: float, runtime: Runtime, fits: Fit | None) -> None:
    """Say what is about to happen and how long it takes; on a fresh start, keep the untrained generator's pictures."""
    config, length, watch = scene.config, scene.length, scene.watch
    kind = f"{len(scene.classes)} classes" if scene.classes else "no classes"
    side, device, precision = config.model.resolution, scene.environment["device"], scene.environment["precision"]
    watch(
        Note(
            f"{scene.images.total:,} pictures of {side}x{side}, {kind}; {device}, {runtime.threads} threads, {precision}."
        )
    )
    if game.step:
        watch(Note(f"Going on from step {game.step:,}."))
    if reached := limits_reached(length, game, seconds):
        watch(Note(f"The run has reached its {reached} already; ask for more to train longer."))
        return
    assert fits is not None
    watch(Note(f"Memory for {fits.words()}."))
    if not fits.fits:
        watch(Note(f"Warning: that may be too much. {fits.offer()}"))
    took = fits.cost.seconds_a_step
    watch(Note(f"Expected to take {duration(length.seconds_left(game, seconds, took))} in {scene.folder.path}"))
    if game.step == 0:  # what training starts from, and proof that the folder can be written
        publish_checkpoint(scene, game, 0.0)
        if config.output.sample_every:
            show(scene, game)
