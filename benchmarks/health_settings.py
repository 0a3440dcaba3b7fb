"""The runs of benchmarks/health_figures.py: some are meant to fail, each in its own way, and some to be sound.

`report` has other values of the knobs than `tune`, and other seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sagan.data.image_set import ImageSet

BASE: dict[str, Any] = dict(
    data="emblems", resolution=16, z_dim=32, g_ch=16, d_ch=16, batch_size=32, g_lr=1e-3, d_lr=1e-3, beta1=0.0, beta2=0.99,
    ema=0.95, ema_start=20, precision="fp32", threads=1, device="cpu",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One kind of run. options: beside BASE.  later: of training, from half of the run on.  pictures: of the set; 0 for all."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    later: dict[str, Any] = field(default_factory=dict)
    pictures: int = 0
    first_seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        return BASE | self.changes

    def choose(self, images: ImageSet, seed: int) -> ImageSet:
        """The pictures of a run: all, or a few drawn by its seed."""
        if not self.pictures:
            return images
        few = np.random.default_rng(seed).choice(len(images), self.pictures, replace=False)
        return replace(
            images,
            labels=images.labels[few],
            names=tuple(images.names[number] for number in few),
            digests=images.digests[few],
            _pixels=images.pictures(few),
        )


def settings(first_seed: int, entries: list[tuple[str, dict[str, Any]]]) -> list[Setting]:
    return [
        Setting(
            name,
            changes={key: value for key, value in options.items() if key not in ("later", "pictures")},
            later=options.get("later", {}),
            pictures=options.get("pictures", 0),
            first_seed=first_seed,
        )
        for name, options in entries
    ]


PROVOKED = {
    "tune": settings(0, [
        ("both rates 0.02", dict(g_lr=2e-2, d_lr=2e-2)),
        ("G's rate 0.02", dict(g_lr=2e-2, d_lr=2e-4)),
        ("D's rate 0.03, no SN", dict(d_lr=3e-2, d_sn=False)),
        ("G 200 times as fast as D", dict(g_lr=4e-3, d_lr=2e-5)),
        ("non-saturating, D's rate 0.04, no SN", dict(loss="ns", d_sn=False, d_lr=4e-2)),
        ("8 pictures, rates 0.01", dict(pictures=8, g_lr=1e-2, d_lr=1e-2)),
        ("rates x 30 at half", dict(later=dict(g_lr=3e-2, d_lr=3e-2))),
        ("G's rate x 50 at half", dict(later=dict(g_lr=5e-2))),
        ("D's rate x 0 at half", dict(later=dict(d_lr=1e-7, g_lr=4e-3))),
        ("wasserstein without a bound", dict(loss="wasserstein", d_sn=False, g_lr=1e-2, d_lr=1e-2)),
    ]),
    "report": settings(1000, [
        ("both rates 0.03", dict(g_lr=3e-2, d_lr=3e-2)),
        ("G's rate 0.03, least squares", dict(g_lr=3e-2, d_lr=3e-4, loss="lsgan")),
        ("D's rate 0.02, no SN", dict(d_lr=2e-2, d_sn=False)),
        ("G 600 times as fast as D, non-saturating", dict(g_lr=6e-3, d_lr=1e-5, loss="ns")),
        ("non-saturating, D's rate 0.06, no SN", dict(loss="ns", d_sn=False, d_lr=6e-2)),
        ("12 pictures, rates 0.02", dict(pictures=12, g_lr=2e-2, d_lr=2e-2)),
        ("rates x 20 at half, no classes", dict(cond="off", later=dict(g_lr=2e-2, d_lr=2e-2))),
        ("G's rate x 40 at half", dict(later=dict(g_lr=4e-2))),
        ("D stands still from half on", dict(later=dict(d_lr=1e-8, g_lr=3e-3))),
        ("wasserstein without a bound, momentum", dict(loss="wasserstein", d_sn=False, g_lr=2e-2, d_lr=2e-2, beta1=0.5)),
    ]),
}  # fmt: skip

SOUND = {
    "tune": settings(0, [
        ("base", {}),
        ("no classes", dict(cond="off")),
        ("D's rate x 2", dict(d_lr=2e-3)),
        ("non-saturating", dict(loss="ns")),
        ("no attention", dict(g_attn=0, d_attn=0)),
        ("rates 2e-3, mirrored", dict(g_lr=2e-3, d_lr=2e-3, mirror=True)),
        ("wider", dict(g_ch=24)),
        ("least squares", dict(loss="lsgan")),
        ("relativistic", dict(loss="rpgan")),
        ("n_dis 2", dict(n_dis=2)),
    ]),
    "report": settings(1000, [
        ("rates 7e-4", dict(g_lr=7e-4, d_lr=7e-4)),
        ("no classes, z 16", dict(cond="off", z_dim=16)),
        ("D's rate x 3", dict(d_lr=3e-3)),
        ("non-saturating, momentum", dict(loss="ns", beta1=0.5, beta2=0.999)),
        ("no attention in D", dict(d_attn=0)),
        ("rates 1.5e-3, mirrored", dict(g_lr=1.5e-3, d_lr=1.5e-3, mirror=True)),
        ("D wider", dict(d_ch=24)),
        ("least squares, z 64", dict(loss="lsgan", z_dim=64)),
        ("relativistic, batch 24", dict(loss="rpgan", batch_size=24)),
        ("no SN in G, batch 48", dict(g_sn=False, batch_size=48)),
    ]),
}  # fmt: skip
