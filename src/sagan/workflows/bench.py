"""How fast this machine trains and draws: the verb `sagan bench`. Reads no pictures, writes nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from sagan.config import RunConfig
from sagan.data.batches import Batch
from sagan.engines import open_engine
from sagan.runtime import Runtime, choose_runtime, environment, memory_errors
from sagan.sampling import INNER_BATCH, draw
from sagan.training.game import Game, new_game
from sagan.training.step import train_step
from sagan.workflows.estimate import duration

CLASSES = 10  # of a game with labels


def bench(config: RunConfig, *, rounds: int = 5) -> list[tuple[str, str]]:
    """Time whole training steps of a record at its own batch size, on pictures of noise, and drawing as `sagan sample` does.

    config: as `sagan train` would resolve it.  rounds: steps that are timed, after one that is not.
    Returns rows of (name, value). Raises ConfigError about the device, ResourceError where it does not fit into memory.
    """
    runtime = choose_runtime(config.output.device, config.output.threads)
    training = config.training
    with memory_errors():
        game = new_game(config.model, training, 0 if config.data.cond == "off" else CLASSES, runtime)
        if config.output.compile:
            runtime.compile(game.generator, game.discriminator)
        batch = _noise(game)
        steps = timed(lambda: train_step(game, iter([batch] * training.n_dis)), rounds, runtime)
        model = game.averaged.model
        engine = open_engine("torch", model, runtime, training.precision)  # as `sagan sample` draws
        one = timed(lambda: draw(model, [0], engine=engine), rounds, runtime)
        many = timed(lambda: draw(model, range(4 * INNER_BATCH), engine=engine), rounds, runtime)
    facts = environment(runtime, runtime.precision(training.precision))
    step = statistics.median(steps)
    shown = training.batch_size * training.n_dis
    rows = [
        (
            "machine",
            f"{facts['processor'] if facts['device'] == 'cpu' else facts['device']}, {runtime.threads} threads",
        ),
        ("arithmetic", f"{facts['precision']}, torch {facts['torch']}"),
        ("what was trained", f"{config.preset or 'custom'}, {config.model.resolution}x{config.model.resolution}"),
        ("a training step", f"{_seconds(step)}, {training.n_dis} + 1 updates, batch {training.batch_size}"),
        ("fastest and slowest", f"{_seconds(min(steps))} and {_seconds(max(steps))} of {rounds}"),
        ("real pictures", f"{shown / step:,.1f} a second"),
    ]
    if training.steps:
        rows.append(("a whole run", f"{training.steps:,} steps, {duration(training.steps * step)}"))
    return [
        *rows,
        ("drawing one picture", _seconds(statistics.median(one))),
        ("drawing many", f"{4 * INNER_BATCH / statistics.median(many):,.1f} pictures a second"),
    ]


def timed(call: Callable[[], object], rounds: int, runtime: Runtime) -> list[float]:
    """Seconds of each of `rounds` calls, after one that is not timed."""
    seconds = []
    for _ in range(rounds + 1):
        runtime.synchronise()
        start = time.perf_counter()
        call()
        runtime.synchronise()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def _noise(game: Game) -> Batch:
    generator = torch.Generator().manual_seed(game.config.seed)
    side, count = game.generator.resolution, game.config.batch_size
    pixels = torch.randint(0, 256, (count, side, side, game.generator.channels), dtype=torch.uint8, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return Batch(pixels.permute(0, 3, 1, 2), labels, torch.arange(count))


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
