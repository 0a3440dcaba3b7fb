"""Train the offline feature network `sagan-32`, the default of `sagan evaluate`, and write its weights and its accuracy.

    python benchmarks/offline_features.py --data $CIFAR10_PARQUET

Trains on the first 45,000 pictures of CIFAR-10 with their labels, and on the 8,192 emblems with theirs (a head of its own
each); the last 5,000 pictures and 1,024 emblems that are in no set are held out. Writes weights in half precision, batch norm
folded away, to src/sagan/metrics/sagan-32.safetensors, prints their SHA-256, which belongs into src/sagan/metrics/offline.py,
and writes benchmarks/results/offline-features.json.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from results_file import write_result
from torch import Tensor

from sagan.data.config import DataConfig
from sagan.data.emblems import SET_SIZE, render
from sagan.data.images import open_images
from sagan.metrics.network32 import DIMENSION, HEADS, Network32, without_norms
from sagan.runtime import choose_runtime

TRAINED, HELD_OUT = 45_000, 5_000
BATCH = 128
WEIGHTS = Path(__file__).parents[1] / "src" / "sagan" / "metrics" / "sagan-32.safetensors"


def to_input(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, 32, 32, 3) uint8 -> (n, 3, 32, 32) in [-1, 1], channels last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def augment(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Each picture mirrored or not, shifted by up to two pixels, a little brighter, more contrasted, more colourful."""
    count, _, side, _ = x.shape
    padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
    rows = torch.from_numpy(rng.integers(0, 5, size=(count, 1)) + np.arange(side))
    columns = rng.integers(0, 5, size=(count, 1)) + np.arange(side)
    columns = torch.from_numpy(np.where(rng.random((count, 1)) < 0.5, columns[:, ::-1], columns))
    which = torch.arange(count)[:, None, None]
    x = padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    gain, offset, colour = (
        torch.from_numpy(rng.uniform(low, high, size=(count, 1, 1, 1)).astype(np.float32))
        for low, high in ((0.8, 1.2), (-0.15, 0.15), (0.6, 1.2))
    )
    grey = x.mean(1, keepdim=True)
    return (gain * (grey + colour * (x - grey)) + offset).contiguous(memory_format=torch.channels_last)


def loss_of(model: Network32, x: Tensor, labels: Tensor, emblem: Tensor) -> Tensor:
    """Mean cross-entropy, each picture under the head of its set."""
    features = model(x)
    total = features.new_zeros(())
    for head, chosen in (("cifar10", ~emblem), ("emblems", emblem)):
        logits = model.heads[head](features[chosen])
        total = total + F.cross_entropy(logits, labels[chosen], label_smoothing=0.1, reduction="sum")
    return total / len(x)


@torch.no_grad()
def accuracy(model: Network32, head: str, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of pictures that a head names right."""
    model.eval()
    parts = [model.heads[head](model(to_input(pixels[i : i + 500]))).argmax(1) for i in range(0, len(pixels), 500)]
    return float((torch.cat(parts).numpy() == labels).mean())


def fit(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], emblem: NDArray[np.bool_], arguments: argparse.Namespace
) -> Network32:
    """SGD with a one-cycle rate. pixels: (n, 32, 32, 3); labels: (n,) within the set that `emblem` (n,) says."""
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    model = Network32(norms=True).to(memory_format=torch.channels_last).train()
    steps = arguments.epochs * (len(pixels) // BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.3, total_steps=steps, pct_start=0.2)
    for epoch in range(arguments.epochs):
        start, order = time.perf_counter(), rng.permutation(len(pixels))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            x = augment(to_input(pixels[chosen]), rng)
            loss = loss_of(model, x, torch.from_numpy(labels[chosen]), torch.from_numpy(emblem[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            done = first // BATCH + 1
            if done % 50 == 0:
                print(f"  {done * BATCH:,} pictures, loss {loss.item():.3f}", file=sys.stderr, flush=True)
        line = f"epoch {epoch + 1}/{arguments.epochs}: loss {loss.item():.3f}, {time.perf_counter() - start:.0f} s"
        print(line, file=sys.stderr, flush=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="CIFAR-10's 50,000 training pictures")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    choose_runtime("cpu", arguments.threads)
    images = open_images(DataConfig(data=arguments.data), 32, threads=arguments.threads)
    if len(images) != TRAINED + HELD_OUT or len(images.classes) != HEADS["cifar10"]:
        raise SystemExit(
            f"{len(images)} pictures of {len(images.classes)} classes: this is not CIFAR-10's training set"
        )
    real = images.pictures(np.arange(TRAINED))
    drawn, drawn_labels = render(np.arange(SET_SIZE))
    start = time.perf_counter()
    model = fit(
        np.concatenate([real, drawn]),
        np.concatenate([images.labels[:TRAINED], drawn_labels]),
        np.arange(TRAINED + SET_SIZE) >= TRAINED,
        arguments,
    )
    seconds = time.perf_counter() - start
    stored = {name: tensor.half().contiguous() for name, tensor in without_norms(model.eval()).state_dict().items()}
    payload = safetensors.torch.save(stored)
    arguments.out.write_bytes(payload)
    final = Network32().eval()
    final.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    held = np.arange(TRAINED, TRAINED + HELD_OUT)
    others, other_labels = render(np.arange(SET_SIZE, SET_SIZE + 1024))
    figures = [
        (
            "held-out CIFAR-10 pictures named right",
            round(accuracy(final, "cifar10", images.pictures(held), images.labels[held]), 4),
            "",
            "the last 5,000; chance is 0.1",
        ),
        (
            "held-out emblems named right",
            round(accuracy(final, "emblems", others, other_labels), 4),
            "",
            "chance is 0.125",
        ),
        ("features", DIMENSION, "", "width of the vector"),
        ("weights", sum(t.numel() for t in stored.values()), "", f"{len(payload)} bytes in half precision"),
        ("training", round(seconds), "s", f"{arguments.epochs} epochs, {arguments.threads} thread(s)"),
    ]
    for figure in figures:
        print(*figure)
    digest = hashlib.sha256(payload).hexdigest()
    print("SHA-256", digest)
    source = Path(arguments.data)
    data = {source.name: hashlib.sha256(source.read_bytes()).hexdigest()} if source.is_file() else {}
    command = f"python benchmarks/offline_features.py --data $CIFAR10_PARQUET --epochs {arguments.epochs}"
    note = f"The offline features of `sagan evaluate`; never to be called FID. Weights' SHA-256: {digest}"
    write_result("offline-features", command, figures, seed=arguments.seed, note=note, data=data)


if __name__ == "__main__":
    main()
