"""Does a conditional generator draw what its label says? A small classifier, trained on the real pictures, names the samples.

    python benchmarks/classifier.py RUN --data $CIFAR10_PARQUET --weights classifier.safetensors --name NAME

Trains the classifier on all but 5,000 pictures of the set, drawn at random (once: --weights keeps it), and measures it on
those; then draws `--count` pictures with labels shared out evenly and counts how many it names right. Writes
benchmarks/results/NAME.json. The share is comparable only with figures of this script on the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from results_file import write_result
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sagan import open_generator
from sagan.data.config import DataConfig
from sagan.data.images import ImageSet, open_images
from sagan.runtime import choose_runtime
from sagan.sampling import draw
from sagan.training.reporting import read_log
from sagan.workflows.reporting import latest_values

HELD_OUT = 5000
BATCH = 128


def network(classes: int) -> nn.Sequential:
    """Six convolutions in three stages; about 0.3 million weights."""

    def stage(c_in: int, c_out: int) -> list[nn.Module]:
        return [
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]

    layers = [*stage(3, 32), *stage(32, 64), *stage(64, 128)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes))


def to_input(pixels: np.ndarray) -> Tensor:
    """(n, R, R, 3) uint8 -> (n, 3, R, R) in [-1, 1], channels last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def fit(model: nn.Module, images: ImageSet, ids: np.ndarray, epochs: int, seed: int) -> None:
    """SGD with a one-cycle rate; pictures are mirrored and shifted by up to four pixels."""
    rng = np.random.default_rng(seed)
    steps = epochs * (len(ids) // BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.2, total_steps=steps)
    model.train()
    for epoch in range(epochs):
        order = rng.permutation(ids)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            x = to_input(images.pictures(chosen))
            if rng.random() < 0.5:
                x = x.flip(3)
            down, right = rng.integers(-4, 5, size=2)
            x = torch.roll(x, (int(down), int(right)), dims=(2, 3))
            loss = F.cross_entropy(model(x), torch.from_numpy(images.labels[chosen]), label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.3f}", file=sys.stderr)


@torch.no_grad()
def named_right(model: nn.Module, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which pictures the classifier gives their label: (n,) bool."""
    model.eval()
    parts = [model(to_input(pixels[i : i + 512])).argmax(1).numpy() for i in range(0, len(pixels), 512)]
    return np.concatenate(parts) == labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="runs to judge")
    parser.add_argument("--data", required=True, help="the real pictures, as `sagan train` takes them")
    parser.add_argument("--weights", type=Path, default=Path("classifier.safetensors"))
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="a sentence for the result")
    parser.add_argument("--name", help="write benchmarks/results/NAME.json (one run only)")
    arguments = parser.parse_args()
    runtime = choose_runtime("cpu", arguments.threads)
    torch.manual_seed(arguments.seed)
    images = open_images(DataConfig(data=arguments.data), 32, threads=runtime.threads)
    model = network(len(images.classes)).to(memory_format=torch.channels_last)
    ids = np.random.default_rng(arguments.seed).permutation(len(images))  # the set may be sorted by class
    if arguments.weights.exists():
        model.load_state_dict(load_file(arguments.weights))
    else:
        fit(model, images, ids[:-HELD_OUT], arguments.epochs, arguments.seed)
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, arguments.weights)
    held = ids[-HELD_OUT:]
    accuracy = float(named_right(model, images.pictures(held), images.labels[held]).mean())
    print(f"real pictures held out: {accuracy:.1%} named right")
    for path in arguments.runs:
        opened = open_generator(path, device="cpu")
        labels = np.arange(arguments.count) % len(images.classes)
        start = time.perf_counter()
        right = named_right(model, draw(opened.generator, range(arguments.count), labels.tolist()), labels)
        share = float(right.mean())
        by_class = {name: float(right[labels == k].mean()) for k, name in enumerate(images.classes)}
        print(f"{path}: step {opened.record.step:,}: {share:.1%} of {arguments.count:,} samples named right")
        print("  " + ", ".join(f"{name} {value:.0%}" for name, value in by_class.items()))
        if arguments.name:
            figures = [
                ("samples named right", round(share, 4), "", f"step {opened.record.step}; chance is 0.1"),
                ("real held-out pictures named right", round(accuracy, 4), "", "the classifier's own accuracy"),
                *((f"samples named right: {name}", round(value, 3), "", "") for name, value in by_class.items()),
                ("time to draw and judge", round(time.perf_counter() - start, 1), "s", f"{arguments.count} pictures"),
            ]
            log = latest_values(read_log(path / "log.jsonl"))
            figures += [("training time", round(log["seconds"]), "s", f"{opened.record.step} steps")]
            figures += [
                (name.removeprefix("attention/"), round(value, 4), "", "at the end")
                for name, value in log.items()
                if name.endswith("/gamma")
            ]
            source = Path(arguments.data)
            known = images.fingerprint if source.is_dir() else hashlib.sha256(source.read_bytes()).hexdigest()
            shown = "PHOTOS" if source.is_dir() else "$CIFAR10_PARQUET"
            command = f"python benchmarks/classifier.py {path} --data {shown} --name {arguments.name}"
            data = {f"{source.name} (fingerprint of the set)" if source.is_dir() else source.name: known}
            write_result(arguments.name, command, figures, seed=arguments.seed, note=arguments.note, data=data)


if __name__ == "__main__":
    main()
