"""SAGAN (arXiv:1805.08318) at the published sizes: residual networks, attention in both, hinge loss, two time scales.

The recipe is the released code's, whose beta2 is 0.999 where the paper says 0.9, with the moving average that the best
public reproduction added (spec section 5.1).
"""

from __future__ import annotations

from typing import Any

from sagan.presets.preset import Preset

RECIPE: dict[str, Any] = {
    "loss": "hinge",
    "n_dis": 1,
    "g_lr": 1e-4,
    "d_lr": 4e-4,  # faster than the generator's on purpose: two time-scale rule, arXiv:1706.08500
    "beta1": 0.0,
    "beta2": 0.999,
    "g_sn": True,
    "d_sn": True,
    "init": "xavier",
    "ema": 0.999,
}

SAGAN_32 = Preset(
    name="sagan-32",
    summary="32x32 pictures at the published widths (G 256, D 128), attention at 16x16; 100,000 steps, for one GPU",
    source="SAGAN's released recipe on SNGAN's 32x32 networks (arXiv:1802.05957, table 4)",
    result="docs/lineage.md#sagan",
    options=RECIPE | {"resolution": 32, "batch_size": 64, "ema_start": 1000, "steps": 100_000},
)

SAGAN_32_SMALL = Preset(
    name="sagan-32-small",
    summary="32x32 pictures, narrow networks (G 64, D 64), attention at 16x16; for CPUs, an hour on two cores",
    source="sagan-32 made narrow; at another resolution the widths stay 64 and attention moves to the published place",
    result="docs/results.md#sagan-32-small",
    # An hour on two cores is a few thousand updates: half the batch and twice both rates, whose ratio stays.
    options=dict(SAGAN_32.options) | {"g_ch": 64, "d_ch": 64, "batch_size": 32, "g_lr": 2e-4, "d_lr": 8e-4},
)

SAGAN_32_CIFAR = Preset(
    name="sagan-32-cifar",
    summary="32x32 pictures at the published widths with the CIFAR-10 recipe: equal rates, five discriminator updates",
    source="PyTorch-StudioGAN's CIFAR-10 configuration, which mmgeneration trained to FID 9.43",
    result="docs/lineage.md#sagan",
    options=RECIPE
    | {
        "resolution": 32,
        "batch_size": 64,
        "g_lr": 2e-4,
        "d_lr": 2e-4,
        "beta1": 0.5,
        "n_dis": 5,
        "init": "orthogonal",
        "mirror": True,
        "ema": 0.0,
        "steps": 100_000,
    },
)

SAGAN_64 = Preset(
    name="sagan-64",
    summary="64x64 pictures at the published widths (G 64, D 64), attention at 32x32; 100,000 steps, for one GPU",
    source="SAGAN's released recipe on the 64x64 networks of PyTorch-StudioGAN",
    result="docs/lineage.md#first-steps",
    options=RECIPE | {"resolution": 64, "batch_size": 64, "ema_start": 1000, "steps": 100_000},
)

SAGAN_128 = Preset(
    name="sagan-128",
    summary="128x128 ImageNet, attention at 64x64, batch 256; 1,000,000 steps, for several GPUs",
    source="github.com/brain-research/self-attention-gan, with the average of mmgeneration's best run (FID 12.83)",
    result="",
    options=RECIPE
    | {
        "resolution": 128,
        "batch_size": 256,
        "bn_group": 32,  # batch norm saw 32 pictures a GPU in the run that beat the paper
        "mirror": False,
        "ema_start": 2000,
        "steps": 1_000_000,
    },
)

SAGAN_128_PAPER = Preset(
    name="sagan-128-paper",
    summary="sagan-128 by the letter of the paper: beta2 is 0.9 and there is no average",
    source="the paper's section 4 (arXiv:1805.08318), where it differs from its released code",
    result="",
    options=dict(SAGAN_128.options) | {"beta2": 0.9, "ema": 0.0, "ema_start": 0},
)
