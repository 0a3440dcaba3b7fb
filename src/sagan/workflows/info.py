"""What this installation and this machine are: the verb `sagan info`."""

from __future__ import annotations

import torch

from sagan.runtime import choose_runtime, cpu_multiplies_bf16, environment, tune_allocator


def info() -> list[tuple[str, str]]:
    """Rows of (name, value), for a bug report."""
    runtime = choose_runtime()
    rows = [(name, str(value)) for name, value in environment(runtime, runtime.precision("auto")).items()]
    return [
        *rows,
        ("vector units", torch.backends.cpu.get_cpu_capability()),
        ("bf16 matrix units", "yes" if cpu_multiplies_bf16() else "no"),
        ("allocator tuned", "yes" if tune_allocator() else "no"),
    ]
