"""The questions of the paper's ablations as rows: each is a record that differs from one base in what it asks about alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagan.config import RunConfig, flatten, override
from sagan.errors import ConfigError
from sagan.models.architecture import widths_at
from sagan.models.config import ATTENTION_CHANNELS, CONTROL_VARIANTS

GROUPS = ("attention", "spectral", "rates", "losses")
RATIO = 4.0  # of the discriminator's rate to the generator's: SAGAN section 4


@dataclass(frozen=True)
class Row:
    """One row of a table. name: for folders.  label: for readers.  options: what differs from the base record."""

    name: str
    label: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Rows that answer one question. The others are compared with the first.  note: how they may be read."""

    name: str
    title: str
    note: str
    rows: tuple[Row, ...]


def groups_of(base: RunConfig, wanted: Sequence[str] = GROUPS) -> list[Group]:
    """The groups of rows for a record. Raises ConfigError for a group that there is not."""
    for name in wanted:
        if name not in GROUPS:
            raise ConfigError(f"rows has {name!r}", remedy=f"Choose from {', '.join(GROUPS)}.")
    if not wanted:
        raise ConfigError("rows names none", remedy=f"Choose from {', '.join(GROUPS)}.")
    makers = {"attention": attention, "spectral": spectral, "rates": rates, "losses": losses}
    return [makers[name](base) for name in GROUPS if name in wanted]


def attention(base: RunConfig) -> Group:
    """None, attention, and the control of equal parameters, at each map size that both networks have (table 1)."""
    form = base.model.attention if base.model.attention not in CONTROL_VARIANTS else "official"
    rows = [Row("none", "none", {"g_attn": (), "d_attn": (), "attention": form})]
    for block, words in ((form, "attention"), ("residual", "residual block")):
        rows += [
            Row(
                f"{words.split()[0]}-{side}", f"{words} at {side}", {"g_attn": side, "d_attn": side, "attention": block}
            )
            for side in common_maps(base)
        ]
    note = (
        "In both networks at the same map size, as in the paper's table 1. The residual block has as many parameters as the"
        " released attention block and sees only neighbours: where it does as well, looking far is not what helped."
    )
    return Group("attention", "Attention", note, tuple(rows))


def common_maps(base: RunConfig) -> list[int]:
    """The map sizes that generator and discriminator share, wide and even enough for attention."""
    model = base.model
    ours, theirs = (
        widths_at(model.shape.generator_maps(model.size)),
        widths_at(model.shape.discriminator_maps(model.size)),
    )
    narrowest = {side: min(model.g_ch * ours[side], model.d_ch * theirs[side]) for side in ours.keys() & theirs.keys()}
    return sorted(side for side, width in narrowest.items() if width >= ATTENTION_CHANNELS and side % 2 == 0)


def spectral(base: RunConfig) -> Group:
    """Spectral normalisation in both networks, in one, in none (figures 3 and 4)."""
    places = (("both", "in G and D", True, True), ("d", "in D", False, True), ("g", "in G", True, False))
    rows = [
        Row(name, label, {"g_sn": g, "d_sn": d})
        for name, label, g, d in (*places, ("none", "in neither", False, False))
    ]
    note = (
        "The paper adds it to the generator of SNGAN, which has it in D alone. All else stays, the learning rates too."
    )
    return Group("spectral", "Spectral normalisation", note, tuple(rows))


def rates(base: RunConfig) -> Group:
    """Two time scales against equal rates (figures 3 and 4; arXiv:1706.08500)."""
    middle = (base.training.g_lr * base.training.d_lr) ** 0.5
    slow, fast = middle / RATIO**0.5, middle * RATIO**0.5
    pairs = (("two", slow, fast), ("slow", slow, slow), ("middle", middle, middle), ("fast", fast, fast))
    rows = []
    for name, g_lr, d_lr in pairs:
        g_lr, d_lr = float(f"{g_lr:.6g}"), float(f"{d_lr:.6g}")  # 2e-4 rather than 0.00019999999999999998
        label = f"G {g_lr:g}, D {d_lr:g}" if name == "two" else f"both {g_lr:g}"
        rows.append(Row(name, label, {"g_lr": g_lr, "d_lr": d_lr}))
    note = (
        "The first row is the paper's ratio of 1 to 4. Equal rates stand at the slower one, at the faster one and, with the"
        " same product as the pair, between: no single choice speaks for all equal rates."
    )
    return Group("rates", "Two time scales", note, tuple(rows))


def losses(base: RunConfig) -> Group:
    """The loss of each step of the lineage, with the bound that it came with (docs/lineage.md)."""
    plain = {"gp": 0.0, "r1": 0.0, "r2": 0.0, "clip": 0.0}
    norm = {"d_norm": "layer"} if base.model.d_norm == "batch" else {}  # a penalty looks at one picture's gradient
    rows = (
        Row("hinge", "hinge (SNGAN, SAGAN)", plain | {"loss": "hinge"}),
        Row("gan", "non-saturating (GAN)", plain | {"loss": "non-saturating"}),
        Row("wgan", "Wasserstein, clipped (WGAN)", plain | {"loss": "wasserstein", "clip": 0.01, "d_sn": False}),
        Row(
            "wgan-gp",
            "Wasserstein, penalty (WGAN-GP)",
            plain | norm | {"loss": "wasserstein", "gp": 10.0, "d_sn": False},
        ),
    )
    note = (
        "Networks, rates and updates a step are the base record's in every row, not those of each paper (the presets have"
        " those). The Wasserstein rows have their own bound in place of spectral normalisation in D, and a penalty costs time."
    )
    return Group("losses", "Losses of the lineage", note, rows)


def record_of(base: RunConfig, row: Row, seed: int) -> RunConfig:
    """The whole record of a row with one seed; its folder is still to be named."""
    return override(base, **row.options, seed=seed)


def same_training(one: RunConfig, other: RunConfig) -> bool:
    """Whether two records train the same thing for the same length: all but what and where a run writes."""
    return essence(one) == essence(other)


def essence(config: RunConfig) -> dict[str, Any]:
    """The options that decide what comes out. Not among them: [output], where the pictures lie (their fingerprint tells which
    they are), how they are read, and the preset's name."""
    silent = {"preset", "data", "workers", "cache_mib", *type(config.output).model_fields}
    return {name: value for name, value in flatten(config).items() if name not in silent}
