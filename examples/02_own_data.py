"""Train on data of your own: tensors that are in memory already, or any torch DataLoader.

    python examples/02_own_data.py

The update step asks for one thing: batches without end, each of `batch_size` pictures in uint8, their labels, and their
places in the set. There is no run on disk here; `sagan.train` is this loop with checkpoints around it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

import sagan
from sagan.data.batches import Batch
from sagan.runtime import choose_runtime
from sagan.training.game import new_game
from sagan.training.step import train_step
from sagan.visualise.grid import render_grid

CLASSES = ("discs", "rings")


def my_pictures(count: int, side: int) -> TensorDataset:
    """Stands for your data: pixels (count, 3, side, side) uint8, labels (count,), places (count,)."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % len(CLASSES)
    hole = 0.25 * labels[:, None, None]  # a ring is a disc with a hole
    line = torch.linspace(-1, 1, side)
    x, y = torch.rand(2, count, 1, 1, generator=random) - 0.5
    distance = torch.hypot(line[None, None, :] - x, line[None, :, None] - y)
    shape = (distance < 0.5) & (distance >= hole)
    colour = 128 + 127 * torch.rand(count, 3, 1, 1, generator=random)
    return TensorDataset((colour * shape[:, None]).byte(), labels, torch.arange(count))


def endless(loader: DataLoader) -> Iterator[Batch]:
    """The loader's batches, again and again."""
    while True:
        for columns in loader:
            yield Batch(*columns)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on tensors of your own.")
    parser.add_argument("--out", type=Path, default=Path("runs/02-own-data.png"), help="where the pictures go")
    parser.add_argument("--steps", type=int, default=500, help="the default takes some minutes on two cores")
    parser.add_argument("--width", type=int, default=48, help="base width of both networks")
    words = parser.parse_args()

    config = sagan.preset("demo", resolution=32, g_ch=words.width, d_ch=words.width)
    loader = DataLoader(
        my_pictures(1024, side=32),
        batch_size=config.training.batch_size,
        shuffle=True,
        drop_last=True,  # every batch is a whole one
    )
    batches = endless(loader)
    game = new_game(config.model, config.training, classes=len(CLASSES), runtime=choose_runtime())
    while game.step < words.steps:
        report = train_step(game, batches)
        if game.step % 50 == 0:
            print(f"step {game.step}: " + ", ".join(f"{name} {value:.2f}" for name, value in report.items()))

    # One row a class, and one latent a column: (16, 32, 32, 3) uint8.
    pictures = sagan.draw(game.averaged.model, seeds=[*range(8)] * 2, labels=[0] * 8 + [1] * 8)
    words.out.parent.mkdir(parents=True, exist_ok=True)
    render_grid(pictures, columns=8, row_names=CLASSES).save(words.out)
    print(f"pictures: {words.out}")


if __name__ == "__main__":
    main()
