"""kwotsin/mimicry: its SAGAN networks for 32x32 and their own training steps."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from peers import Peer

PRESETS = ("sagan-32",)
POLICIES = (
    "a power iteration at every pass, real and fake in two passes, the graph of G built and dropped in D's update, D's"
    " gradients computed in G's update and dropped, running statistics moved in both updates, no moving average"
)


class Log:
    """What its steps write to; they compute the logged values either way."""

    def add_metric(self, name: str, value: object, group: str) -> None:
        pass


def build(preset: str, batch_size: int) -> Peer:
    package = ModuleType("torch_mimicry")  # its own __init__ wants TensorFlow
    package.__path__ = [str(Path(sys.path[0]) / "torch_mimicry")]
    sys.modules["torch_mimicry"] = package
    from torch_mimicry.nets.sagan import sagan_32

    generator = sagan_32.SAGANGenerator32(num_classes=10).train()
    discriminator = sagan_32.SAGANDiscriminator32(num_classes=10).train()
    g_optimiser = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.0, 0.9))
    d_optimiser = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.0, 0.9))

    def step(real: Tensor, labels: Tensor) -> None:
        with peer.arithmetic():  # its steps contain the backward pass, which autocast leaves as it is
            discriminator.train_step((real, labels), generator, d_optimiser, Log(), device=real.device)
            generator.train_step((real, labels), discriminator, g_optimiser, Log(), device=real.device)

    peer = Peer(generator, discriminator, step, POLICIES)
    return peer
