"""Peak memory of a gradient penalty through an attention layer, second derivatives included, at growing maps.

    python benchmarks/bench_penalty_memory.py

One picture through a 1x1 convolution to 64 channels, attention as in the 128x128 discriminator, and a sum: WGAN-GP's penalty
of that logit and the backward pass through it. "explicit" is what the training step takes; "plain" builds the whole map. Each
figure is the growth of a fresh process's peak resident memory. Writes benchmarks/results/penalty-memory.json.
"""

from __future__ import annotations

import subprocess
import sys

import torch
from memory import peak_mib
from results_file import Figure, write_result
from torch import nn

from sagan.layers.attention import SelfAttention2d
from sagan.layers.attention_core import Core
from sagan.losses.penalties import unit_norm_penalty
from sagan.runtime import choose_runtime

SIDES = (32, 64, 128)
CORES: tuple[Core, ...] = ("explicit", "plain")
NAME = "penalty-memory"
CHANNELS = 64


def measure(core: Core, side: int) -> float:
    """MiB that one penalty adds to the peak; the kernels are loaded before by a small one."""
    choose_runtime("cpu")
    penalise(core, 8)
    before = peak_mib()
    penalise(core, side)
    return peak_mib() - before


def penalise(core: Core, side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    attention = SelfAttention2d(CHANNELS)
    attention.core = core
    nn.init.constant_(attention.gamma, 0.5)
    network = nn.Sequential(nn.Conv2d(3, CHANNELS, 1), attention)
    pictures = torch.randn(1, 3, side, side, generator=generator).requires_grad_()
    features: torch.Tensor = network(pictures)
    unit_norm_penalty(features.square().sum(dim=(1, 2, 3)), pictures).backward()


def main() -> None:
    if len(sys.argv) == 3:
        print(measure(sys.argv[1], int(sys.argv[2])))  # type: ignore[arg-type]
        return
    figures: list[Figure] = []
    for core in CORES:
        for side in SIDES:
            command = [sys.executable, __file__, core, str(side)]
            mib = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            figures.append(
                (f"{core}, {side}x{side} map", round(mib, 1), "MiB", "penalty and its backward pass, extra peak")
            )
            print(f"{core:8s} {side:4d}x{side:<4d} {mib:9.1f} MiB")
    note = "From 32x32 to 128x128 the positions grow 16-fold; the whole map grows 256-fold."
    write_result(NAME, "python benchmarks/bench_penalty_memory.py", figures, note=note)


if __name__ == "__main__":
    main()
