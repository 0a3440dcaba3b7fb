"""POSTECH-CVLab/PyTorch-StudioGAN: the networks of src/models/resnet.py as its configurations CIFAR10/SAGAN,
Baby_ImageNet/SAGAN and ImageNet/SAGAN-256 (at 128) set them, and the order of calls of src/worker.py."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from peers import Peer

SOURCE = "src"
# our preset -> resolution, classes, attention after which block of G and of D, (learning rates), betas
PRESETS = {
    "sagan-32": (32, 10, [2], [1], (2e-4, 2e-4), (0.5, 0.999)),
    "sagan-64": (64, 100, [3], [1], (1e-4, 4e-4), (0.0, 0.999)),
    "sagan-128": (128, 1000, [4], [1], (1e-4, 4e-4), (0.0, 0.999)),
}
POLICIES = (
    "a power iteration at every pass (three for D, two for G in a step), real and fake in two passes, running statistics"
    " moved in G's update alone, no moving average, ReLU in place"
)


def build(preset: str, batch_size: int) -> Peer:
    resolution, classes, g_loc, d_loc, rates, betas = PRESETS[preset]
    generator, discriminator = networks(resolution, classes, g_loc, d_loc)
    optimisers = [
        torch.optim.Adam(network.parameters(), rate, betas=betas, eps=1e-6)
        for network, rate in zip((generator, discriminator), rates, strict=True)
    ]

    def noise() -> tuple[Tensor, Tensor]:
        return torch.randn(batch_size, 128), torch.randint(classes, (batch_size,))

    def step(real: Tensor, labels: Tensor) -> Tensor:
        update(generator, False), update(discriminator, True)
        for module in generator.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.track_running_stats = False
        optimisers[1].zero_grad()
        with peer.arithmetic():
            latents, fake_labels = noise()
            fake = generator(latents, fake_labels)
            on_real = discriminator(real, labels)["adv_output"]
            on_fake = discriminator(fake, fake_labels)["adv_output"]
            loss = relu(1 - on_real).mean() + relu(1 + on_fake).mean()
        loss.backward()
        optimisers[1].step()
        update(generator, True), update(discriminator, False)
        for module in generator.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.track_running_stats = True
        optimisers[0].zero_grad()
        with peer.arithmetic():
            latents, fake_labels = noise()
            loss = -discriminator(generator(latents, fake_labels), fake_labels)["adv_output"].mean()
        loss.backward()
        optimisers[0].step()
        return loss

    peer = Peer(generator, discriminator, step, POLICIES)
    return peer


def networks(resolution: int, classes: int, g_loc: list[int], d_loc: list[int]) -> tuple[nn.Module, nn.Module]:
    """Its own classes. utils.misc, which they import for one empty context, wants packages for pictures and plots."""
    stand_in = ModuleType("utils.misc")
    stand_in.dummy_context_mgr = nullcontext  # type: ignore[attr-defined]
    sys.modules["utils.misc"] = stand_in
    import utils

    utils.misc = stand_in
    from models import resnet
    from utils import ops

    modules = SimpleNamespace(
        g_conv2d=ops.snconv2d, g_linear=ops.snlinear, g_bn=ops.ConditionalBatchNorm2d, g_act_fn=nn.ReLU(inplace=True),
        d_conv2d=ops.snconv2d, d_linear=ops.snlinear, d_embedding=ops.sn_embedding, d_act_fn=nn.ReLU(inplace=True),
    )  # fmt: skip
    model = SimpleNamespace(info_type="N/A", g_info_injection="N/A")
    shared = {"num_classes": classes, "mixed_precision": False, "MODULES": modules, "MODEL": model}
    generator = resnet.Generator(
        z_dim=128, g_shared_dim="N/A", img_size=resolution, g_conv_dim=64, apply_attn=True, attn_g_loc=g_loc,
        g_cond_mtd="cBN", g_init="ortho", g_depth="N/A", **shared,
    )  # fmt: skip
    discriminator = resnet.Discriminator(
        img_size=resolution, d_conv_dim=64, apply_d_sn=True, apply_attn=True, attn_d_loc=d_loc, d_cond_mtd="PD",
        aux_cls_type="W/O", d_embed_dim="N/A", normalize_d_embed=False, d_init="ortho", d_depth="N/A", **shared,
    )  # fmt: skip
    return generator.train(), discriminator.train()


def update(network: nn.Module, wanted: bool) -> None:
    """Whether gradients are computed for its parameters."""
    for parameter in network.parameters():
        parameter.requires_grad_(wanted)
