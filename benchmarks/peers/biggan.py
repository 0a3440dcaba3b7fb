"""ajbrock/BigGAN-PyTorch: its networks as scripts/launch_SAGAN_bs128x2_ema.sh sets them, and the order of calls of
train_fns.py without the script's gradient accumulation."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn.functional import relu

from peers import Peer

PRESETS = ("sagan-128",)
POLICIES = (
    "a power iteration at every pass (two for D, two for G in a step), real and fake in one pass, running statistics moved in"
    " both updates, a moving average of G"
)
CLASSES = 1000


def build(preset: str, batch_size: int) -> Peer:
    import BigGAN

    eps = {"SN_eps": 1e-8, "adam_eps": 1e-8}
    generator = BigGAN.Generator(
        G_ch=64, resolution=128, G_attn="64", n_classes=CLASSES, G_shared=False, G_lr=1e-4, G_init="xavier", BN_eps=1e-5, **eps
    ).train()  # fmt: skip
    discriminator = BigGAN.Discriminator(
        D_ch=64, resolution=128, D_attn="64", n_classes=CLASSES, D_lr=4e-4, D_init="xavier", **eps
    ).train()
    both = BigGAN.G_D(generator, discriminator)
    average = copy.deepcopy(generator)

    def train_only(of_generator: bool) -> None:
        for network, wanted in ((generator, of_generator), (discriminator, not of_generator)):
            for parameter in network.parameters():
                parameter.requires_grad_(wanted)

    def noise() -> tuple[Tensor, Tensor]:
        return torch.randn(batch_size, 128), torch.randint(CLASSES, (batch_size,))

    def step(real: Tensor, labels: Tensor) -> float:
        generator.optim.zero_grad(), discriminator.optim.zero_grad()
        train_only(of_generator=False)
        with peer.arithmetic():
            on_fake, on_real = both(*noise(), real, labels, train_G=False, split_D=False)
            loss = relu(1 - on_real).mean() + relu(1 + on_fake).mean()
        loss.backward()
        discriminator.optim.step()
        train_only(of_generator=True)
        generator.optim.zero_grad()
        with peer.arithmetic():
            loss = -both(*noise(), train_G=True, split_D=False).mean()
        loss.backward()
        generator.optim.step()
        with torch.no_grad():
            target = average.state_dict()
            for name, value in generator.state_dict().items():
                target[name].copy_(target[name] * 0.999 + value * 0.001)
        return loss.item()

    peer = Peer(generator, discriminator, step, POLICIES)
    return peer
