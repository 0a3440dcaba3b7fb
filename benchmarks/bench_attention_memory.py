"""Peak memory of the attention core, forward and backward, at growing maps: fused and chunked against the plain softmax.

    python benchmarks/bench_attention_memory.py

Each figure is the growth of a fresh process's peak resident memory, so that nothing else is counted. One picture, keys pooled
2x2, 16 channels for queries and keys, 64 for values: the shape of the 128x128 networks' attention. Writes
benchmarks/results/attention-memory.json.
"""

from __future__ import annotations

import subprocess
import sys

import torch
from memory import peak_mib
from results_file import Figure, write_result

from sagan.layers.attention_core import Core, attend
from sagan.runtime import choose_runtime

SIDES = (32, 64, 128)
CORES: tuple[Core, ...] = ("fused", "chunked", "plain")
NAME = "attention-memory"


def measure(core: Core, side: int, backward: bool) -> float:
    """MiB that one pass adds to the peak; the kernels are loaded before by a small one."""
    choose_runtime("cpu")
    passes(core, 8, backward)
    before = peak_mib()
    passes(core, side, backward)
    return peak_mib() - before


def passes(core: Core, side: int, backward: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(1, count, width, generator=generator, requires_grad=backward)
        for count, width in ((side**2, 16), (side**2 // 4, 16), (side**2 // 4, 64))
    )
    mixed = attend(query, key, value, core=core)
    if backward:
        mixed.sum().backward()


def main() -> None:
    if len(sys.argv) == 4:
        print(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "backward"))  # type: ignore[arg-type]
        return
    figures: list[Figure] = []
    for core in CORES:
        for side in SIDES:
            command = [sys.executable, __file__, core, str(side), "backward"]
            mib = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            figures.append((f"{core}, {side}x{side} map", round(mib, 1), "MiB", "forward and backward, extra peak"))
            print(f"{core:8s} {side:4d}x{side:<4d} {mib:9.1f} MiB")
    note = "From 32x32 to 128x128 the positions grow 16-fold; the plain softmax's map grows 256-fold."
    write_result(
        NAME, f"python benchmarks/{NAME}.py".replace("/att", "/bench_att").replace("-", "_"), figures, note=note
    )


if __name__ == "__main__":
    main()
