from __future__ import annotations

import pytest

from sagan.config import RunConfig, build, flatten, from_toml, override, to_toml
from sagan.errors import ConfigError
from sagan.presets import PRESETS, find_preset, preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_documented_and_survives_toml(name):
    entry, config = PRESETS[name], preset(name)
    assert entry.name == name == config.preset
    assert entry.summary and entry.source and entry.result.startswith("docs/results.md#")
    assert from_toml(to_toml(config), RunConfig()) == config
    for other in PRESETS:
        assert from_toml(to_toml(config), preset(other)) == config


def test_the_table_of_recipes():
    names = ("resolution", "g_ch", "d_ch", "g_attn", "d_attn", "g_lr", "d_lr", "beta1", "beta2", "n_dis", "batch_size")
    common = (1e-4, 4e-4, 0.0, 0.999, 1)
    expected = {
        "sagan-32-small": (32, 64, 64, (16,), (16,), 2e-4, 8e-4, 0.0, 0.999, 1, 32),
        "sagan-32": (32, 256, 128, (16,), (16,), *common, 64),
        "sagan-64": (64, 64, 64, (32,), (32,), *common, 64),
        "sagan-128": (128, 64, 64, (64,), (64,), *common, 256),
    }
    for name, row in expected.items():
        options = flatten(preset(name))
        assert tuple(options[key] for key in names) == row, name
        assert (options["loss"], options["ema"], options["init"], options["mirror"]) == (
            "hinge",
            0.999,
            "xavier",
            False,
        )
        assert options["g_sn"] and options["d_sn"]


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
