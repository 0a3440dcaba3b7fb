"""How fast this machine trains, draws and loads, and which of them holds training up: `sagan bench`. Writes nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import closing

import torch

from sagan.config import RunConfig
from sagan.data.batches import Batch
from sagan.data.stream.opening import open_pictures
from sagan.engines import open_engine
from sagan.ranks import ALONE
from sagan.runtime import Runtime, choose_runtime, environment, memory_errors
from sagan.sampling import INNER_BATCH, draw
from sagan.training.game import Game, new_game
from sagan.training.step import train_step
from sagan.workflows.estimate import duration
from sagan.workflows.loading import open_batches

CLASSES = 10  # of a game with labels
LOADING = 0.5  # seconds in which batches are taken, at least
LEAST_LOADED = 256  # pictures


def bench(config: RunConfig, *, rounds: int = 5) -> list[tuple[str, str]]:
    """Time whole training steps of a record at its own batch size, on pictures of noise; drawing, as `sagan sample` does; and
    loading, from the record's own pictures.

    config: as `sagan train` would resolve it.  rounds: steps that are timed, after one that is not.
    Returns rows of (name, value). Raises ConfigError about the device, ResourceError where it does not fit into memory,
    DataError about the pictures.
    """
    runtime = choose_runtime(config.output.device, config.output.threads)
    training = config.training
    with memory_errors():
        loaded = _loading_rate(config, runtime)
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
        ("loading", f"{loaded:,.0f} pictures a second from {config.data.data}, {config.data.workers} workers"),
        ("what binds", what_binds(shown / step, loaded, config.data.workers)),
    ]


def what_binds(trained: float, loaded: float, workers: int) -> str:
    """Whether a run waits for its steps or for its pictures. trained, loaded: pictures a second of each alone.

    Without decoding processes the two take turns, so that a run is slower than either.
    """
    if loaded >= trained:
        return f"the training steps: loading is {loaded / trained:,.1f} times as fast"
    advice = "" if workers else "; --workers decode beside the training, and `sagan data pack` decodes once for all"
    return f"loading: the steps could take {trained / loaded:,.1f} times as many pictures{advice}"


def _loading_rate(config: RunConfig, runtime: Runtime) -> float:
    """Pictures a second from the record's set, as training takes them, when the first batch is there."""
    training, model = config.training, config.model
    images = open_pictures(config.data, model.resolution, channels=model.channels, threads=runtime.threads)
    rows = ALONE.rows(training.batch_size, training.grad_accum)
    with closing(images), open_batches(config, images, 0, rows) as batches:
        next(batches)
        start, shown = time.perf_counter(), 0
        while (seconds := time.perf_counter() - start) < LOADING or shown < LEAST_LOADED:
            shown += len(next(batches).ids)
    return shown / seconds


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
