"""heykeetae/Self-Attention-GAN: its networks, and the order of calls of trainer.py with the hinge loss."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from peers import Peer

PRESETS = ("heykeetae-64",)
POLICIES = (
    "a power iteration at every pass, real and fake in two passes, D's loss propagated back through G, D's gradients"
    " computed in G's update and dropped, running statistics moved in both updates, no moving average"
)


def build(preset: str, batch_size: int) -> Peer:
    optimiser_module = import_module("torch.optim.optimizer")
    if not hasattr(optimiser_module, "required"):  # newer torch has dropped the name, which its code imports
        optimiser_module.required = None  # type: ignore[attr-defined]
    import sagan_models

    generator = sagan_models.Generator(batch_size, 64, 128, 64).train()
    discriminator = sagan_models.Discriminator(batch_size, 64, 64).train()
    networks: tuple[nn.Module, nn.Module] = (generator, discriminator)
    g_optimiser, d_optimiser = (
        torch.optim.Adam([p for p in network.parameters() if p.requires_grad], rate, betas=(0.0, 0.9))
        for network, rate in zip(networks, (1e-4, 4e-4), strict=True)
    )

    def forget() -> None:
        d_optimiser.zero_grad()
        g_optimiser.zero_grad()

    def step(real: Tensor, labels: Tensor) -> Tensor:
        with peer.arithmetic():
            on_real = discriminator(real)[0]
            fake = generator(torch.randn(batch_size, 128))[0]
            loss = relu(1 - on_real).mean() + relu(1 + discriminator(fake)[0]).mean()
        forget()
        loss.backward()
        d_optimiser.step()
        with peer.arithmetic():
            loss = -discriminator(generator(torch.randn(batch_size, 128))[0])[0].mean()
        forget()
        loss.backward()
        g_optimiser.step()
        return loss

    peer = Peer(generator, discriminator, step, POLICIES)
    return peer
