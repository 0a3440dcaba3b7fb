"""What a run would be and cost, without starting it: `sagan train --dry-run`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sagan.config import RunConfig
from sagan.data.images import EMBLEMS, ImageSet
from sagan.data.stream.mixing import Mixing
from sagan.data.stream.opening import StreamedSet, open_pictures, stream_memory
from sagan.presets import run_folder
from sagan.runtime import choose_runtime
from sagan.training.config import TrainingConfig
from sagan.training.loop import length_of
from sagan.workflows.estimate import duration, size
from sagan.workflows.fit import fit, in_parts
from sagan.workflows.tensorboard import require_tensorboard


@dataclass(frozen=True)
class Plan:
    """The resolved record, and rows of (name, value) about its size and cost."""

    config: RunConfig
    rows: list[tuple[str, str]]


def plan(config: RunConfig, *, fit_batch: bool = False) -> Plan:
    """Open the pictures, take some small steps and throw them away. Writes nothing; a run's progress is not looked at.

    fit_batch: as `train` has it, where there is no run yet.
    Raises what `train` would raise about the options, the device and the pictures.
    """
    if config.output.tensorboard:
        require_tensorboard()
    runtime = choose_runtime(config.output.device, config.output.threads)
    model = config.model
    images = open_pictures(config.data, model.resolution, channels=model.channels, threads=runtime.threads)
    found = fit(config, len(images.classes), runtime)
    if fit_batch:
        config = in_parts(found)
        found = replace(found, config=config)
    cost = found.cost
    training, output = config.training, config.output
    shown = training.batch_size * training.n_dis
    steps, limit = expected_steps(training, cost.seconds_a_step)
    length = (
        f"{steps:,.0f} steps, {steps * shown / images.total:,.1f} epochs; ended by --{limit}" if limit else "no limit"
    )
    saves = output.keep + (2 if config.data.data == EMBLEMS else 1)  # the best, and the new one beside the old
    saves += config.training.health != "off"  # the last sound one, while the run fails
    rows = [
        ("run folder", str(run_folder(config))),
        ("pictures", f"{images.total:,}, {len(images.classes)} classes" if images.classes else f"{images.total:,}"),
        *_about_a_stream(config, images),
        ("parameters", f"G {cost.generator_parameters:,}, D {cost.discriminator_parameters:,}"),
        ("device", f"{runtime.device}, {runtime.threads} threads, {runtime.precision(training.precision)}"),
        ("memory, about", found.words()),
        *([] if found.fits else [("does not fit", found.offer())]),
        ("disk", f"{size(cost.checkpoint_bytes)} a checkpoint, at most {size(saves * cost.checkpoint_bytes)} kept"),
        ("steps an epoch", f"{images.total / shown:,.1f}"),
        ("time a step, about", f"{cost.seconds_a_step:.2f} s"),
        ("length", length),
        ("time in all, about", duration(steps * cost.seconds_a_step)),
    ]
    return Plan(config, rows)


def _about_a_stream(config: RunConfig, images: ImageSet) -> list[tuple[str, str]]:
    """Where it is read from, and how well it is mixed: not as well as files, which are shuffled whole."""
    if not isinstance(images, StreamedSet):
        return []
    training, files, listing = config.training, images.listing.files, images.listing
    window = config.data.shuffle_window
    mixing = Mixing(listing.rows, training.seed, training.batch_size, training.grad_accum, window)
    near = f"{mixing.lanes * mixing.largest:,} at a time" if mixing.windows > 1 else "whole"
    return [
        ("streamed from", f"{len(files.shards):,} {files.kind} shards, {size(listing.size)}"),
        ("shuffled", f"{len(listing.rows):,} pieces in {mixing.lanes} lanes, pictures {near}; not exactly at random"),
        ("memory for the stream", size(stream_memory(images, mixing))),
    ]


def expected_steps(training: TrainingConfig, seconds_a_step: float) -> tuple[float, str]:
    """Steps until the nearest limit, and that limit's option; infinitely many and "" without one."""
    length, shown = length_of(training), training.batch_size * training.n_dis
    limits = {
        "steps": length.steps,
        "kimg": None if length.images is None else length.images / shown,
        "time": None if length.seconds is None else length.seconds / seconds_a_step,
    }
    steps = {name: float(count) for name, count in limits.items() if count is not None}
    nearest = min(steps, key=lambda name: steps[name], default="")
    return steps.get(nearest, float("inf")), nearest
