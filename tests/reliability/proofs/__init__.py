"""The proofs behind docs/reliability.md: one module a promise, each with a small number for every change and a full one.

A module offers CLAIM (what is promised, one sentence), QUICK and FULL (how often it is tried), and

    prove(count, seed, workspace) -> Outcome

which does the thing `count` times and says how often the promise held. Everything random comes from `seed`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

# name -> module; the names are those of docs/reliability.md and of `measure.py`, in the order of its table
NAMES: tuple[str, ...] = (
    "kills",
    "faulted-calls",
    "power-loss",
    "bit-flips",
    "disk-full",
    "races",
    "resume-matrix",
    "observation",
    "signals",
    "non-finite",
    "bad-pictures",
    "fuzz-images",
    "worker-death",
    "fuzz-archives",
    "fuzz-checkpoints",
    "fuzz-records",
    "formats",
    "ranks",
)


def proof(name: str) -> ModuleType:
    """The module of one proof, such as 'bit-flips' -> proofs.bit_flips."""
    return import_module(f"{__name__}.{name.replace('-', '_')}")
