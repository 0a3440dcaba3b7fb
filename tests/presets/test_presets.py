from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import torch

from sagan.config import RunConfig, build, flatten, from_toml, override, to_toml
from sagan.data.batches import Batch
from sagan.errors import ConfigError
from sagan.presets import PRESETS, find_preset, preset
from sagan.runtime import Runtime
from sagan.training.game import new_game
from sagan.training.step import train_step
from sagan.workflows.plan import plan

LARGE = ("sagan-128", "sagan-128-paper", "wgan-gp-32")  # ten seconds and more; their parts are trained elsewhere too


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_documented_and_survives_toml(name):
    entry, config = PRESETS[name], preset(name)
    assert entry.name == name == config.preset
    assert entry.summary and entry.source
    assert from_toml(to_toml(config), RunConfig()) == config
    for other in PRESETS:
        assert from_toml(to_toml(config), preset(other)) == config


@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name].result])
def test_the_result_of_a_preset_is_where_it_says(name):
    page, anchor = PRESETS[name].result.split("#")
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    assert anchor in {re.sub(r"[^\w-]+", "-", heading.lower()).strip("-") for heading in headings}


NAMES = (
    *(
        "resolution",
        "architecture",
        "g_ch",
        "d_ch",
        "g_attn",
        "d_attn",
        "g_sn",
        "d_sn",
        "d_norm",
        "d_pool",
        "attention",
    ),
    *("loss", "gp", "clip", "optimiser", "g_lr", "d_lr", "beta1", "beta2", "n_dis", "batch_size", "g_batch"),
    *("decay_steps", "ema", "ema_start", "init", "cond", "mirror", "z_dim"),
)
RESIDUAL = ("none", "sum", "official")
HINGE = ("hinge", 0.0, 0.0, "adam")
SAGAN = (0, 0.999, 1000, "xavier", "auto", False, 128)
EVERY = 100_000
TABLE = {
    "gan-32": (
        *(32, "dcgan", 64, 64, (), (), False, False, "batch", "sum", "official"),
        *("non-saturating", 0.0, 0.0, "adam", 2e-4, 2e-4, 0.5, 0.999, 1, 64, 0),
        *(0, 0.0, 1000, "normal", "off", False, 100),
    ),
    "wgan-32": (
        *(32, "dcgan", 64, 64, (), (), False, False, "none", "sum", "official"),
        *("wasserstein", 0.0, 0.01, "rmsprop", 5e-5, 5e-5, 0.0, 0.99, 5, 64, 0),
        *(0, 0.0, 1000, "normal", "off", False, 100),
    ),
    "wgan-gp-32": (
        *(32, "residual", 128, 128, (), (), False, False, "none", "mean", "official"),
        *("wasserstein", 10.0, 0.0, "adam", 2e-4, 2e-4, 0.0, 0.9, 5, 64, 128),
        *(EVERY, 0.0, 1000, "xavier-relu", "off", False, 128),
    ),
    "sngan-32": (
        *(32, "residual", 256, 128, (), (), False, True, *RESIDUAL),
        *(*HINGE, 2e-4, 2e-4, 0.0, 0.9, 5, 64, 0),
        *(EVERY, 0.0, 1000, "xavier-relu", "off", False, 128),
    ),
    "sagan-32": (
        *(32, "residual", 256, 128, (16,), (16,), True, True, *RESIDUAL),
        *(*HINGE, 1e-4, 4e-4, 0.0, 0.999, 1, 64, 0, *SAGAN),
    ),
    "sagan-32-cifar": (
        *(32, "residual", 256, 128, (16,), (16,), True, True, *RESIDUAL),
        *(*HINGE, 2e-4, 2e-4, 0.5, 0.999, 5, 64, 0),
        *(0, 0.0, 1000, "orthogonal", "auto", True, 128),
    ),
    "sagan-32-small": (
        *(32, "residual", 64, 64, (16,), (16,), True, True, *RESIDUAL),
        *(*HINGE, 2e-4, 8e-4, 0.0, 0.999, 1, 32, 0, *SAGAN),
    ),
    "sagan-64": (
        *(64, "residual", 64, 64, (32,), (32,), True, True, *RESIDUAL),
        *(*HINGE, 1e-4, 4e-4, 0.0, 0.999, 1, 64, 0, *SAGAN),
    ),
    "sagan-128": (
        *(128, "residual", 64, 64, (64,), (64,), True, True, *RESIDUAL),
        *(*HINGE, 1e-4, 4e-4, 0.0, 0.999, 1, 256, 0),
        *(0, 0.999, 2000, "xavier", "auto", False, 128),
    ),
    "sagan-128-paper": (
        *(128, "residual", 64, 64, (64,), (64,), True, True, *RESIDUAL),
        *(*HINGE, 1e-4, 4e-4, 0.0, 0.9, 1, 256, 0),
        *(0, 0.0, 0, "xavier", "auto", False, 128),
    ),
    "heykeetae-64": (
        *(64, "heykeetae", 64, 64, (16, 32), (8, 4), True, True, "none", "sum", "heykeetae"),
        *(*HINGE, 1e-4, 4e-4, 0.0, 0.9, 1, 64, 0),
        *(0, 0.0, 1000, "torch", "off", False, 128),
    ),
}


def test_the_table_is_complete():
    assert set(TABLE) | {"demo"} == set(PRESETS)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_recipes(name):
    options = flatten(preset(name))
    assert {key: options[key] for key in NAMES} == dict(zip(NAMES, TABLE[name], strict=True))


def two_steps(name, **sizes):
    """The game of a preset after two steps on noise, at its structure and the given sizes."""
    config = preset(name, batch_size=4, g_batch=8 if preset(name).training.g_batch else 0, **sizes)
    classes = 0 if config.data.cond == "off" else 3
    game = new_game(config.model, config.training, classes, Runtime(torch.device("cpu"), 1))
    before = [parameter.detach().clone() for parameter in game.generator.parameters()]
    side, random = config.model.resolution, torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 3, side, side), generator=random, dtype=torch.uint8)
    batch = Batch(pixels, torch.tensor([0, 1, 2, 0]), torch.arange(4))
    for _ in range(2):
        report = train_step(game, itertools.repeat(batch))
        assert all(torch.isfinite(value) for value in report.values())
    assert any(not torch.equal(old, new) for old, new in zip(before, game.generator.parameters(), strict=True))
    return game


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] * (name in LARGE)) for name in PRESETS]
)
def test_every_preset_trains_two_steps(name):
    """At full structure and small widths."""
    game = two_steps(name, g_ch=8, d_ch=8)
    assert (game.step, game.critic_updates) == (2, 2 * preset(name).training.n_dis)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_two_steps_at_its_published_widths(name):
    assert two_steps(name).step == 2


OFF = {"augment": "none", "aug_p": 0.0, "lecam": 0.0, "cr": 0.0, "cr_fake": 0.0, "topk": 0.0}


@pytest.mark.parametrize("name", TABLE)
def test_nothing_that_the_papers_had_not_is_on(name):
    options = flatten(preset(name))
    assert {key: options[key] for key in OFF} == OFF


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_planned(name, photos):
    """`--dry-run`: the pictures are opened, two small steps taken, every cost is a number."""
    narrow = {"g_ch": 8, "d_ch": 8, "batch_size": 4, "g_batch": 0, "threads": 1, "device": "cpu"}
    rows = dict(plan(preset(name, data=str(photos), **narrow)).rows)
    assert rows["run folder"] == f"runs/photos-{name}"
    assert rows["length"].split(",")[0].isdigit() or "steps" in rows["length"]
    assert float(rows["time a step, about"].removesuffix(" s")) >= 0


def test_the_128_recipe_has_what_beat_the_paper():
    options = flatten(preset("sagan-128"))
    assert (options["bn_group"], options["ema_start"], options["steps"]) == (32, 2000, 1_000_000)
    assert preset("sagan-32").training.ema_start == 1000


def test_the_demo_needs_nothing():
    options = flatten(preset("demo"))
    assert (options["data"], options["resolution"], options["g_ch"], options["d_ch"]) == ("emblems", 32, 64, 48)


def test_another_resolution_takes_its_published_sizes():
    for config in (preset("sagan-32", resolution=64), override(preset("sagan-32"), resolution=64)):
        assert (config.model.g_ch, config.model.d_ch, config.model.g_attn) == (64, 64, (32,))
    small = preset("sagan-32-small", resolution=16)  # its widths are its own, its attention is not
    assert (small.model.g_ch, small.model.d_ch, small.model.g_attn) == (64, 64, (8,))


def test_overrides_win_and_only_they_change():
    changed = flatten(preset("sagan-64", g_lr=5e-5))
    assert changed.pop("g_lr") == 5e-5
    assert changed.items() <= flatten(preset("sagan-64")).items()


def test_unknown_names_get_the_nearest():
    for call in (lambda: preset("sagan-46"), lambda: find_preset("sagan-46")):
        with pytest.raises(ConfigError, match="unknown preset 'sagan-46'. Did you mean sagan-64?"):
            call()
    with pytest.raises(ConfigError, match="There are: demo, sagan-32-small"):
        preset("zzz")
    with pytest.raises(ConfigError, match="unknown option 'stepz'. Did you mean steps?"):
        preset("demo", stepz=3)


def test_presets_name_only_real_options():
    for entry in PRESETS.values():
        assert flatten(build(entry.options), only_set=True) == entry.options
