"""What the paper's run would ask of larger machines: a million steps of `sagan-128` at batch 256, by arithmetic, and what
failures would cost it, by simulation.

    python benchmarks/scaling.py

Counted: operations, weights, gradients, the size of a checkpoint. Assumed, and named in every figure: how fast a device
computes and talks, how often one fails, how long a restart takes. Nothing here was measured on a GPU. Writes
benchmarks/results/scaling-arithmetic.json.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from arithmetic import as_written, operations
from results_file import Figure, write_result

from sagan.data.batches import Batch
from sagan.presets.assemble import assemble
from sagan.runtime import choose_runtime
from sagan.training.game import Game, new_game
from sagan.training.state import game_tensors
from sagan.training.step import train_step

PRESET, STEPS, BATCH, CLASSES = "sagan-128", 1_000_000, 256, 1000
COUNTED_AT = 2  # pictures; operations grow with them in proportion
DEVICES = (1, 8, 64)
TERAFLOPS = 200.0  # that a device keeps up, of some 1,000 that it has in bf16
LINK = 25e9  # bytes a second between machines
DEVICE_FAILS_EVERY = 50_000.0  # hours, on the mean
RESTART = 5 / 60  # hours, to notice, start and open
HOURLY_PRICE = 3.0  # of a device
INTERVALS = (0.25, 1.0, 4.0)  # hours between checkpoints
TRIALS = 2000


@dataclass(frozen=True)
class Asked:
    """What one step asks for, and what it moves. flop: of an image.  Bytes are of float32."""

    flop: float
    gradient_bytes: int
    checkpoint_bytes: int


def asked() -> Asked:
    config = assemble({"batch_size": COUNTED_AT, "precision": "fp32"}, preset=PRESET, resume="off")
    game = new_game(config.model, config.training, CLASSES, choose_runtime("cpu"))
    side = game.generator.resolution
    pixels = torch.zeros(COUNTED_AT, side, side, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    batch = Batch(pixels, torch.zeros(COUNTED_AT, dtype=torch.int64), torch.arange(COUNTED_AT))
    with as_written():
        gigaflop = operations(lambda: train_step(game, iter([batch])))
    return Asked(gigaflop * 1e9 / COUNTED_AT, 4 * weights(game), sum(t.nbytes for t in game_tensors(game).values()))


def weights(game: Game) -> int:
    networks = (game.generator, game.discriminator)
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def step_seconds(need: Asked, devices: int) -> tuple[float, float]:
    """(computing, averaging gradients) of one step; a ring sends each gradient twice but for a share."""
    computing = need.flop * BATCH / devices / (TERAFLOPS * 1e12)
    return computing, 2 * (devices - 1) / devices * need.gradient_bytes / LINK


def lost_hours(hours: float, devices: int, interval: float, seed: int) -> float:
    """Mean hours that failures add to a run of `hours`, where each sends it back to its last checkpoint."""
    random, added = np.random.default_rng(seed), 0.0
    for _ in range(TRIALS):
        done = spent = 0.0
        while done < hours:
            until = random.exponential(DEVICE_FAILS_EVERY / devices)
            if done + until >= hours:
                spent += hours - done
                break
            reached = done + until
            spent += until + RESTART
            done = reached - reached % interval
        added += spent - hours
    return added / TRIALS


def main() -> None:
    need = asked()
    figures: list[Figure] = [
        ("operations of an image", round(need.flop / 1e9, 1), "GFLOP", "one update of each network"),
        ("gradients of a step", round(need.gradient_bytes / 2**20), "MiB", "both networks, sent once each"),
        ("a checkpoint", round(need.checkpoint_bytes / 2**20), "MiB", "weights, average, optimisers"),
        ("pictures read", round(STEPS * BATCH * 128 * 128 * 3 / 1e12, 1), "TB", "as bytes of 128x128, over the run"),
    ]
    for devices in DEVICES:
        computing, talking = step_seconds(need, devices)
        hours = STEPS * (computing + talking) / 3600
        name = f"{devices} device{'s' if devices > 1 else ''}"
        note = f"{1000 * computing:.0f} ms computing at {TERAFLOPS:.0f} TFLOP/s, {1000 * talking:.0f} ms averaging"
        figures.append((f"{name}: the run", round(hours, 1), "hours", note))
        figures.append((f"{name}: cost", round(hours * devices * HOURLY_PRICE), "", f"at {HOURLY_PRICE:g} an hour"))
        figures.append(
            (f"{name}: pictures", round(BATCH / (computing + talking)), "a second", "to be read and decoded")
        )
        for interval in INTERVALS:
            lost = lost_hours(hours, devices, interval, seed=0)
            saved_every = f"{name}: lost, checkpoint each {60 * interval:g} min"
            figures.append(
                (saved_every, round(lost, 3), "hours", f"a device fails each {DEVICE_FAILS_EVERY:,.0f} hours")
            )
    for name, value, unit, note in figures:
        print(f"  {name:46s} {value:12g} {unit:9s} {note}")
    write_result(
        "scaling-arithmetic", "python benchmarks/scaling.py", figures, seed=0, note="Assumptions are in the notes."
    )


if __name__ == "__main__":
    main()
