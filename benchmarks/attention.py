"""The attention core at the size of a 256x256 picture's map, and a gradient penalty through attention at 32x32: seconds and
extra peak memory of what the library takes, against the plain softmax.

    python benchmarks/attention.py

Forward and backward. Checked before: all ways give the same values and gradients. Memory is the growth of a fresh process's
peak. In bf16 only where the processor multiplies it. Writes benchmarks/results/attention[-bf16].json.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import torch
from memory import peak_mib
from results_file import Figure, with_precision, write_result
from timing import interleave, median, ratio, spread
from torch import Tensor, nn

from sagan.layers.attention import SelfAttention2d
from sagan.layers.attention_core import Core, attend
from sagan.losses.penalties import unit_norm_penalty
from sagan.runtime import choose_runtime, cpu_multiplies_bf16

# what is measured -> batch, queries, keys, width of queries, width of values; the two sides of it
CORES: tuple[Core, ...] = ("auto", "plain")
PENALTY: tuple[Core, ...] = ("explicit", "plain")
LARGE = (4, 16384, 4096, 16, 64)
PENALTY_SIDE, PENALTY_BATCH, PENALTY_CHANNELS = 32, 16, 128
ROUNDS = 6


def inputs(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys, values with gradients."""
    batch, queries, keys, width, values = shape
    generator = torch.Generator().manual_seed(0)
    sizes = ((queries, width), (keys, width), (keys, values))
    query, key, value = (torch.randn(batch, *size, generator=generator).to(dtype).requires_grad_() for size in sizes)
    return query, key, value


def core_pass(core: Core, dtype: torch.dtype, shape: tuple[int, ...] = LARGE) -> Callable[[], list[Tensor]]:
    tensors = inputs(shape, dtype)

    def call() -> list[Tensor]:
        mixed = attend(*tensors, core=core)
        return [mixed.detach(), *torch.autograd.grad(mixed.square().sum(), tensors)]

    return call


def penalty_pass(core: Core) -> Callable[[], list[Tensor]]:
    """WGAN-GP's penalty of a small critic with attention, and the gradients of it by the critic's weights."""
    torch.manual_seed(0)
    attention = SelfAttention2d(PENALTY_CHANNELS)
    attention.core = core
    nn.init.constant_(attention.gamma, 0.5)
    critic = nn.Sequential(nn.Conv2d(3, PENALTY_CHANNELS, 3, padding=1), attention)
    pictures = torch.randn(PENALTY_BATCH, 3, PENALTY_SIDE, PENALTY_SIDE).contiguous(memory_format=torch.channels_last)
    pictures.requires_grad_()
    weights = list(critic.parameters())

    def call() -> list[Tensor]:
        features: Tensor = critic(pictures)
        penalty = unit_norm_penalty(features.square().mean(dim=(1, 2, 3)), pictures)
        return [penalty.detach(), *torch.autograd.grad(penalty, weights)]

    return call


def measures() -> dict[str, dict[str, Callable[[], list[Tensor]]]]:
    """What is compared -> its sides, ours first."""
    batch, queries, keys, *_ = LARGE
    kinds = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if cpu_multiplies_bf16() else {})
    found = {
        f"{queries} x {keys} positions, batch {batch}, {name}": {core: core_pass(core, dtype) for core in CORES}
        for name, dtype in kinds.items()
    }
    name = f"penalty, attention over {PENALTY_SIDE}x{PENALTY_SIDE}, batch {PENALTY_BATCH}"
    return found | {name: {core: penalty_pass(core) for core in PENALTY}}


def require_equal(name: str, sides: dict[str, Callable[[], list[Tensor]]]) -> None:
    """SystemExit when the sides' values or gradients differ beyond rounding."""
    first, second = (call() for call in sides.values())
    bound = 3e-2 if "bf16" in name else 1e-4
    for one, other in zip(first, second, strict=True):
        error = float((one - other).float().norm() / other.float().norm().clamp_min(1e-12))
        if error > bound:
            raise SystemExit(f"{name}: the sides differ by {error:.1e}")


def extra_mib(name: str, side: str) -> float:
    """In a fresh process: what one call adds to its peak memory, the inputs being there and the kernels loaded."""
    command = [sys.executable, __file__, name, side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report_memory(name: str, side: str) -> None:
    choose_runtime("cpu")
    call = measures()[name][side]
    core_pass(side, torch.bfloat16 if "bf16" in name else torch.float32, (1, 64, 16, 16, 64))()  # type: ignore[arg-type]
    before = peak_mib()
    call()
    print(peak_mib() - before)


def main() -> None:
    if len(sys.argv) == 3:
        report_memory(*sys.argv[1:])
        return
    choose_runtime("cpu")
    figures: list[Figure] = []
    for name, sides in measures().items():
        require_equal(name, sides)
        samples = interleave(sides, ROUNDS)
        ours, plain = sides
        for side in sides:
            figures.append((f"{name}: {side}", round(median(samples[side]), 4), "s", spread(samples[side])))
            figures.append((f"{name}: {side}, memory", round(extra_mib(name, side), 1), "MiB", "extra peak"))
        middle, least, most = ratio(samples[plain], samples[ours])
        figures.append((f"{name}: {ours} is faster", round(middle, 2), "times", f"{least:.2f} to {most:.2f} by round"))
    for figure, value, unit, note in figures:
        print(f"{figure:64s} {value:10.4g} {unit:6s} {note}")
    note = "Forward and backward. auto and explicit are what the layer takes by itself; plain builds the whole map."
    write_result(with_precision("attention"), "python benchmarks/attention.py", figures, seed=0, note=note)


if __name__ == "__main__":
    main()
