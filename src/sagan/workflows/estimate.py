"""What a run will cost here: time, memory and disk, from one small step that is really taken."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from sagan.config import RunConfig
from sagan.data.batches import Batch
from sagan.models.build import parameter_count
from sagan.runtime import Runtime, memory_errors
from sagan.training.config import TrainingConfig
from sagan.training.game import Game, new_game
from sagan.training.state import optimiser_tensors
from sagan.training.step import train_step

PROBE_PICTURES = 16
SMALLER_PROBE = 4  # the two together tell what grows with the pictures from what does not


@dataclass(frozen=True)
class Memory:
    """What training takes. fixed: bytes whatever the batch: networks, optimisers, average, gradients, a copy to go back to.

    a_picture: bytes for each real picture of a part of the batch, with the fakes that go with it.
    """

    fixed: int
    a_picture: int

    def of(self, part: int) -> int:
        """Bytes for parts of so many real pictures."""
        return self.fixed + self.a_picture * part


@dataclass(frozen=True)
class Estimate:
    """seconds_a_step: measured on a small batch and scaled to the whole one.  Bytes are of memory and of one checkpoint.

    memory: what `memory_bytes`, those of a part of the record's batch, come from.
    """

    generator_parameters: int
    discriminator_parameters: int
    seconds_a_step: float
    memory: Memory
    memory_bytes: int
    checkpoint_bytes: int


def estimate(config: RunConfig, classes: int, runtime: Runtime, processes: int = 1) -> Estimate:
    """Take three steps of a throw-away game on small batches: time one, and count the memory of two sizes.

    processes: that share the batch.
    Raises ResourceError when even the small batch does not fit into memory.
    """
    training = config.training
    part = max(1, training.batch_size // (training.grad_accum * processes))
    sizes = sorted({min(PROBE_PICTURES, part), min(SMALLER_PROBE, part)})
    with memory_errors():
        game = new_game(config.model, _small(training, sizes[-1]), classes, runtime)
        peaks = {}
        for pictures in reversed(sizes):  # the first step makes what stays, the optimisers' memory
            game.config = _small(training, pictures)
            batches = blank_batches(config.model.resolution, config.model.channels, pictures)
            if pictures == sizes[-1]:
                train_step(game, batches)
                seconds = _timed_step(game, batches, runtime)
            peaks[pictures] = runtime.peak_memory(lambda: train_step(game, batches))  # noqa: B023  # called at once
    generator, discriminator = parameter_count(game.generator), parameter_count(game.discriminator)
    states = _state_bytes(game)
    memory = _memory(peaks, 2 * states)
    return Estimate(
        generator_parameters=generator,
        discriminator_parameters=discriminator,
        seconds_a_step=seconds * training.batch_size / (sizes[-1] * processes),
        memory=memory,
        memory_bytes=memory.of(part),
        checkpoint_bytes=states,
    )


def _small(training: TrainingConfig, pictures: int) -> TrainingConfig:
    fakes = max(1, pictures * training.fakes // training.batch_size)
    sizes = {"batch_size": pictures, "g_batch": fakes, "grad_accum": 1}
    rates = {"g_lr": 1e-8, "d_lr": 1e-8}  # too hot ones are for the run to find, not for its estimate
    return training.model_copy(update=sizes | rates)


def _memory(peaks: dict[int, int], states: int) -> Memory:
    """peaks: pictures -> bytes of a step beyond what stays.  states: bytes that stay."""
    (few, low), (many, high) = min(peaks.items()), max(peaks.items())
    a_picture = (high - low) / (many - few) if many > few else high / many
    return Memory(states + max(0, round(low - a_picture * few)), max(1, round(a_picture)))


def _timed_step(game: Game, batches: Iterator[Batch], runtime: Runtime) -> float:
    runtime.synchronise()
    start = time.perf_counter()
    train_step(game, batches)
    runtime.synchronise()
    return time.perf_counter() - start


def _state_bytes(game: Game) -> int:
    """All that a checkpoint holds: both networks, the average, both optimisers."""
    networks = (game.generator, game.discriminator, game.averaged.model)
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    return sum(tensor.nbytes for tensor in [*tensors, *optimiser_tensors(game).values()])


def blank_batches(resolution: int, channels: int, pictures: int) -> Iterator[Batch]:
    """Endless batches of so many pictures of nothing in particular."""
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
