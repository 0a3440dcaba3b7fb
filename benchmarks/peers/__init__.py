"""Other implementations, timed beside ours from a checkout of theirs that the user names; nothing of them is stored here.

An adapter offers

    build(path, preset, batch_size) -> Peer

which imports the checkout's own networks at the sizes of our preset and repeats the order of calls of its own training loop:
one discriminator update, then one generator update. Only one peer can be imported in a process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from torch import Tensor, nn

NAMES = ("studiogan", "biggan", "mimicry", "heykeetae")


@dataclass
class Peer:
    """step: one update of each network on a batch of real pictures (B, 3, R, R) in [-1, 1] and labels (B,).

    arithmetic: the context its forward passes run in; replaced to time it under autocast.
    policies: how its step differs from ours, for the table.
    """

    generator: nn.Module
    discriminator: nn.Module
    step: Callable[[Tensor, Tensor], object]
    policies: str
    arithmetic: Callable[[], AbstractContextManager[object]] = nullcontext


def build(name: str, path: Path, preset: str, batch_size: int) -> Peer:
    """The named peer at a preset's sizes; SystemExit in one line when that cannot be."""
    if not path.is_dir():
        raise SystemExit(f"{path} is not a folder: --peer-path names a checkout of the peer's repository")
    adapter = import_module(f"peers.{name}")
    if preset not in adapter.PRESETS:
        raise SystemExit(f"{name} has no networks like {preset}: it has {', '.join(adapter.PRESETS)}")
    sys.path.insert(0, str(path / getattr(adapter, "SOURCE", ".")))
    return adapter.build(preset, batch_size)
