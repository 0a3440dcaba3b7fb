"""The preset that always works: offline, on any processor, while you watch."""

from __future__ import annotations

from sagan.presets.preset import Preset

DEMO = Preset(
    name="demo",
    summary="the built-in emblems at 32x32 with narrow networks; at most seven minutes, meant for two CPU cores",
    source="sagan-32 made narrow and fast, by trial on the emblems: docs/lab-notes.md",
    result="docs/results.md#demo",
    options={
        "data": "emblems",
        "resolution": 32,
        "g_ch": 64,
        "d_ch": 48,
        "batch_size": 16,  # many small updates: at this length the number of updates is what counts
        "g_latent": "norms",  # through the stem alone the latent is soon lost, and every class is one picture
        "g_class_spread": 0.3,  # tables that start equal would have to move by about one within so few updates
        "g_lr": 3e-4,
        "d_lr": 1.2e-3,  # the two time scales of SAGAN section 4, three times as fast
        "beta1": 0.0,
        "beta2": 0.99,
        "ema": 0.99,  # the published 0.999 would still remember the untrained network at the end of so short a run
        "ema_start": 100,
        "steps": 1500,
        "time": "7m",  # a slower machine ends earlier rather than later
        "sample_every": 100,
        "save_every": 250,
    },
)
