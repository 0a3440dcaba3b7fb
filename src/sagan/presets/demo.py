"""The preset that always works: offline, on any processor, while you watch."""

from __future__ import annotations

from sagan.presets.preset import Preset

DEMO = Preset(
    name="demo",
    summary="the built-in emblems at 32x32 with narrow networks; a few minutes on two CPU cores",
    source="sagan-32 made narrow and fast: twice the generator's rate, an average that follows sooner",
    result="docs/results.md#demo",
    options={
        "data": "emblems",
        "resolution": 32,
        "g_ch": 64,
        "d_ch": 64,
        "batch_size": 64,
        "g_lr": 2e-4,
        "d_lr": 4e-4,
        "beta1": 0.0,
        "beta2": 0.999,
        "ema": 0.99,  # the published 0.999 would still remember the untrained network at the end of so short a run
        "ema_start": 100,
        "steps": 600,
        "sample_every": 100,
        "save_every": 200,
    },
)
