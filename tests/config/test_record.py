from __future__ import annotations

import pytest
from pydantic import ValidationError

from sagan.config import (
    SLOTS,
    TABLES,
    Change,
    RunConfig,
    build,
    difference,
    flatten,
    from_toml,
    option_classes,
    override,
    to_toml,
)
from sagan.errors import ConfigError


def message(call) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_no_option_name_stands_in_two_records():
    names = ["preset", *(name for record in TABLES.values() for name in record.model_fields)]
    assert len(names) == len(set(names)) == len(SLOTS)
    assert set(TABLES) | {"preset"} == set(RunConfig.model_fields)


def test_every_option_has_a_class():
    classes = option_classes()
    assert set(classes) == set(SLOTS)
    assert set(classes.values()) == {"free", "schedule", "structural"}
    some = {"out": "free", "workers": "free", "device": "free", "steps": "free", "g_lr": "schedule", "d_lr": "schedule"}
    some |= {"seed": "structural", "resolution": "structural", "batch_size": "structural", "loss": "structural"}
    assert {name: classes[name] for name in some} == some


def test_overriding_one_rate_keeps_the_other():
    changed = override(build({"d_lr": 3e-4, "g_lr": 1e-4}), g_lr=2e-4)
    assert (changed.training.g_lr, changed.training.d_lr) == (2e-4, 3e-4)


def test_sizes_that_nobody_set_follow_the_resolution():
    at_32 = build({"resolution": 32})
    assert (at_32.model.g_ch, at_32.model.d_ch, at_32.model.g_attn, at_32.model.d_attn) == (256, 128, (16,), (16,))
    at_64 = override(at_32, resolution=64)
    assert (at_64.model.g_ch, at_64.model.d_ch, at_64.model.g_attn, at_64.model.d_attn) == (64, 64, (32,), (32,))


def test_sizes_that_somebody_set_stay():
    narrow = override(override(build({"g_ch": 48, "d_attn": (8,)}), resolution=64), seed=5)
    assert (narrow.model.g_ch, narrow.model.d_ch, narrow.model.g_attn, narrow.model.d_attn) == (48, 64, (32,), (8,))


def test_override_leaves_the_original_alone_and_records_are_frozen():
    config = build({})
    override(config, seed=9)
    assert config.training.seed == 0
    with pytest.raises(ValidationError):
        config.training.seed = 3


def test_difference_names_what_changed_and_its_class():
    old = build({"seed": 1, "g_lr": 1e-4})
    assert difference(old, override(old)) == []
    assert difference(old, override(old, g_lr=2e-4, seed=2, out="x")) == [
        Change("g_lr", 1e-4, 2e-4, "schedule"),
        Change("seed", 1, 2, "structural"),
        Change("out", "", "x", "free"),
    ]


def test_flatten_tells_set_options_from_filled_ones():
    assert flatten(build({"seed": 3, "data": "photos"}), only_set=True) == {"seed": 3, "data": "photos"}
    assert set(flatten(build({}))) == set(SLOTS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": "many"}, "batch_size is 'many'. It must be a whole number from 2 to 65536."),
        ({"batch_size": 1}, "batch_size is 1. It must be a whole number from 2 to 65536."),
        ({"g_lr": 0}, "g_lr is 0. It must be a number above 0."),
        ({"g_lr": float("nan")}, "g_lr is nan. It must be a number above 0."),
        ({"ema": 1}, "ema is 1. It must be a number from 0 and below 1."),
        ({"n_dis": 0}, "n_dis is 0. It must be a whole number from 1 to 100."),
        ({"log_every": 0}, "log_every is 0. It must be a whole number, 1 or more."),
        ({"mirror": "maybe"}, "mirror is 'maybe'. It must be true or false."),
        ({"fit": "corp"}, "fit is 'corp'. It must be one of crop, pad, stretch. Did you mean crop?"),
        ({"g_attn": ("x",)}, "g_attn is 'x'. It must be whole numbers such as 16 or 16,32, or 0 for none."),
        ({"stepz": 5}, "unknown option 'stepz'. Did you mean steps?"),
    ],
)
def test_mistakes_are_told_in_one_line(options, said):
    assert message(lambda: build(options)) == said
    assert message(lambda: override(build({}), **options)) == said


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"resolution": 50}, "resolution is 50, and networks double a map of 4 to 7 pixels. Choose 16, 32, 64"),
        ({"g_attn": (5,)}, "g_attn has 5, but the maps there are [8, 16, 32]"),
        ({"time": "5"}, "time is '5'. Write it like 90s"),
        ({"batch_size": 64, "grad_accum": 7}, "grad_accum 7 does not divide batch_size 64"),
        ({"batch_size": 48, "bn_group": 32}, "bn_group 32 does not divide the 48 pictures"),
        ({"batch_size": 64, "grad_accum": 4, "bn_group": 12}, "bn_group 12 does not divide the 16 pictures"),
    ],
)
def test_the_records_own_checks_arrive_unchanged(options, start):
    assert message(lambda: build(options)).startswith(start)


@pytest.mark.parametrize("name", ["steps", "bn_group", "keep", "ema_start", "g_attn"])
@pytest.mark.parametrize("value", [2**63, 2**20_000, "1" + "0" * 30], ids=["64 bits", "6,021 digits", "text"])
def test_numbers_that_no_file_holds_are_refused(name, value):
    assert message(lambda: build({name: (value,) if name == "g_attn" else value})).startswith(f"{name} ")


def test_the_largest_number_survives():
    assert from_toml(to_toml(build({"steps": 2**63 - 1}))).training.steps == 2**63 - 1


def test_a_zero_byte_in_a_name_is_refused():
    assert message(lambda: build({"out": "a\0b"})) == "out is 'a\\x00b'. No name holds a zero byte."


def test_a_group_as_large_as_the_batch_is_the_batch():
    assert build({"batch_size": 4, "bn_group": 32}).model.bn_group == 32
    assert build({"batch_size": 64, "bn_group": 32}).model.bn_group == 32


def test_attention_can_be_off():
    assert build({"g_attn": 0, "d_attn": (0,)}).model.g_attn == ()
