"""The line of ideas that SAGAN stands at the end of, each at 32x32 in its own published form.

All are unconditional, as their papers were, and none averages its generator: the average came later.
"""

from __future__ import annotations

from typing import Any

from sagan.presets.preset import Preset

BEFORE: dict[str, Any] = {
    "resolution": 32,
    "cond": "off",
    "g_attn": (),
    "d_attn": (),
    "batch_size": 64,
    "steps": 100_000,
    "ema": 0.0,
}
DCGAN: dict[str, Any] = BEFORE | {
    "architecture": "dcgan",
    "z_dim": 100,
    "g_sn": False,
    "d_sn": False,
    "init": "normal",
}

GAN_32 = Preset(
    name="gan-32",
    summary="32x32 pictures, plain convolutions with batch norm in both, non-saturating loss; the beginning of the line",
    source="the GAN paper's loss (arXiv:1406.2661) on DCGAN's networks and rates (arXiv:1511.06434)",
    result="docs/lineage.md#gan",
    options=DCGAN
    | {
        "d_norm": "batch",
        "loss": "non-saturating",
        "g_lr": 2e-4,
        "d_lr": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "n_dis": 1,
    },
)

WGAN_32 = Preset(
    name="wgan-32",
    summary="32x32 pictures, the Wasserstein loss with clipped weights, five discriminator updates a step",
    source="WGAN (arXiv:1701.07875), algorithm 1, on DCGAN's networks without batch norm in the discriminator",
    result="docs/lineage.md#wgan",
    options=DCGAN
    | {
        "loss": "wasserstein",
        "clip": 0.01,
        "optimiser": "rmsprop",
        "beta2": 0.99,  # torch's smoothing, which the paper's code left alone
        "g_lr": 5e-5,
        "d_lr": 5e-5,
        "n_dis": 5,
    },
)

WGAN_GP_32 = Preset(
    name="wgan-gp-32",
    summary="32x32 pictures, residual networks, a gradient penalty in place of clipping",
    source="WGAN-GP's residual networks for CIFAR-10 (arXiv:1704.00028, github.com/igul222/improved_wgan_training)",
    result="docs/lineage.md#wgan-gp",
    options=BEFORE
    | {
        "g_ch": 128,
        "d_ch": 128,
        "g_sn": False,
        "d_sn": False,
        "d_pool": "mean",
        "init": "xavier-relu",
        "loss": "wasserstein",
        "gp": 10.0,
        "g_lr": 2e-4,
        "d_lr": 2e-4,
        "decay_steps": 100_000,
        "beta1": 0.0,
        "beta2": 0.9,
        "n_dis": 5,
        "g_batch": 128,
    },
)

SNGAN_32 = Preset(
    name="sngan-32",
    summary="32x32 pictures, residual networks (G 256, D 128), spectral normalisation in the discriminator alone",
    source="SNGAN (arXiv:1802.05957), table 4 and setting of section 4.1 with the hinge loss",
    result="docs/lineage.md#sngan",
    options=BEFORE
    | {
        "g_ch": 256,
        "d_ch": 128,
        "g_sn": False,
        "d_sn": True,
        "init": "xavier-relu",
        "loss": "hinge",
        "g_lr": 2e-4,
        "d_lr": 2e-4,
        "decay_steps": 100_000,
        "beta1": 0.0,
        "beta2": 0.9,
        "n_dis": 5,
    },
)

HEYKEETAE_64 = Preset(
    name="heykeetae-64",
    summary="64x64 pictures, the SAGAN that most tutorials show: plain convolutions, attention at two sizes in each",
    source="github.com/heykeetae/Self-Attention-GAN: its networks, and the hinge loss with the rates of its readme",
    result="docs/lineage.md#first-steps",
    options={
        "resolution": 64,
        "cond": "off",
        "architecture": "heykeetae",
        "attention": "heykeetae",
        "g_attn": (16, 32),
        "d_attn": (8, 4),
        "init": "torch",
        "loss": "hinge",
        "g_lr": 1e-4,
        "d_lr": 4e-4,
        "beta1": 0.0,
        "beta2": 0.9,
        "n_dis": 1,
        "batch_size": 64,
        "ema": 0.0,
        "steps": 1_000_000,
    },
)
