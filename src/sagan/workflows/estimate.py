"""What a run will cost here: time, memory and disk, from one small step that is really taken."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sagan.config import RunConfig
from sagan.data.batches import Batch
from sagan.models.build import parameter_count
from sagan.runtime import Runtime, memory_errors
from sagan.training.game import Game, new_game
from sagan.training.state import optimiser_tensors
from sagan.training.step import train_step

PROBE_PICTURES = 16


@dataclass(frozen=True)
class Estimate:
    """seconds_a_step: measured on a small batch and scaled to the whole one.  Bytes are of memory and of one checkpoint."""

    generator_parameters: int
    discriminator_parameters: int
    seconds_a_step: float
    memory_bytes: int
    checkpoint_bytes: int


def estimate(config: RunConfig, classes: int, runtime: Runtime) -> Estimate:
    """Take two steps of a throw-away game on a small batch, time the second and count what autograd keeps.

    Raises ResourceError when even the small batch does not fit into memory.
    """
    training = config.training
    pictures = min(PROBE_PICTURES, training.batch_size // training.grad_accum)
    fakes = max(1, pictures * training.fakes // training.batch_size)
    sizes = {"batch_size": pictures, "g_batch": fakes, "grad_accum": 1}
    rates = {"g_lr": 1e-8, "d_lr": 1e-8}  # too hot ones are for the run to find, not for its estimate
    small = training.model_copy(update=sizes | rates)
    with memory_errors():
        game = new_game(config.model, small, classes, runtime)
        batches = _blank_batches(config.model.resolution, config.model.channels, pictures)
        train_step(game, batches)
        seconds, kept = _observed_step(game, batches, runtime)
    generator, discriminator = parameter_count(game.generator), parameter_count(game.discriminator)
    states = _state_bytes(game)
    part = training.batch_size // training.grad_accum
    return Estimate(
        generator_parameters=generator,
        discriminator_parameters=discriminator,
        seconds_a_step=seconds * training.batch_size / pictures,
        memory_bytes=states + 4 * (generator + discriminator) + kept * part // pictures,
        checkpoint_bytes=states,
    )


def _observed_step(game: Game, batches: Iterator[Batch], runtime: Runtime) -> tuple[float, int]:
    """Take one step; returns (the seconds it took, the bytes that autograd kept for its backward passes)."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    runtime.synchronise()
    start = time.perf_counter()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        train_step(game, batches)
    runtime.synchronise()
    return time.perf_counter() - start, sum(kept.values())


def _state_bytes(game: Game) -> int:
    """All that a checkpoint holds: both networks, the average, both optimisers."""
    networks = (game.generator, game.discriminator, game.averaged.model)
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    return sum(tensor.nbytes for tensor in [*tensors, *optimiser_tensors(game).values()])


def _blank_batches(resolution: int, channels: int, pictures: int) -> Iterator[Batch]:
    zeros = torch.zeros(pictures, dtype=torch.int64)
    pixels = torch.arange(pictures * resolution * resolution * channels).remainder(251).to(torch.uint8)
    while True:
        yield Batch(pixels.view(pictures, resolution, resolution, channels).permute(0, 3, 1, 2), zeros, zeros)


def duration(seconds: float) -> str:
    """Seconds in words that a person reads at a glance: '42 s', '12 min', '3 h 20 min', '5 days'."""
    if not math.isfinite(seconds):
        return "for ever (no length was set)"
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes / 1440:.1f} days"


def size(count: int) -> str:
    """Bytes in MiB or GiB."""
    return f"{count / 2**20:,.0f} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"
