"""Every row asks about one thing: its record differs from the base in that alone."""

from __future__ import annotations

import pytest

from sagan.config import override
from sagan.errors import ConfigError
from sagan.models.build import build_discriminator, build_generator, parameter_count
from sagan.presets import PRESETS, preset
from sagan.workflows.ablation.rows import GROUPS, common_maps, essence, groups_of, record_of, same_training


def rows(base, group):
    (found,) = groups_of(base, [group])
    return {row.name: record_of(base, row, 0) for row in found.rows}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("demo", [8, 16]),  # G has 8, 16, 32; D has 16, 8
        ("sagan-64", [8, 16, 32]),  # G has 8 to 64; D has 32 to 4
        ("sagan-128", [8, 16, 32, 64]),  # the paper's table 1
    ],
)
def test_attention_stands_at_every_map_that_both_networks_have(name, places):
    assert common_maps(preset(name)) == places
    kinds = {
        row: (r.model.attention, r.model.g_attn, r.model.d_attn) for row, r in rows(preset(name), "attention").items()
    }
    assert kinds.pop("none") == ("official", (), ())
    expected = {f"attention-{side}": ("official", (side,), (side,)) for side in places}
    assert kinds == expected | {f"residual-{side}": ("residual", (side,), (side,)) for side in places}


def test_maps_that_are_odd_or_too_narrow_for_attention_are_left_out():
    assert common_maps(preset("sagan-32-small", resolution=28)) == [14]  # of 14 and 7
    narrow = preset("sagan-64", g_ch=4, d_ch=4, g_attn=0, d_attn=0)  # G: 32, 16, 8 channels at 8, 16, 32; D: 16, 8, 4
    assert common_maps(narrow) == [8, 16]


def test_the_control_has_as_many_parameters_as_attention_in_both_networks():
    made = rows(preset("demo"), "attention")
    for side in (8, 16):
        counts = [
            [
                parameter_count(build(made[f"{kind}-{side}"].model, 8))
                for build in (build_generator, build_discriminator)
            ]
            for kind in ("attention", "residual")
        ]
        assert counts[0] == counts[1]


def test_spectral_norm_takes_all_four_places():
    places = {row: (r.model.g_sn, r.model.d_sn) for row, r in rows(preset("demo"), "spectral").items()}
    assert places == {"both": (True, True), "d": (False, True), "g": (True, False), "none": (False, False)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sagan-32", {"two": (1e-4, 4e-4), "slow": (1e-4, 1e-4), "middle": (2e-4, 2e-4), "fast": (4e-4, 4e-4)}),
        ("demo", {"two": (3e-4, 1.2e-3), "slow": (3e-4, 3e-4), "middle": (6e-4, 6e-4), "fast": (1.2e-3, 1.2e-3)}),
    ],
)
def test_rates_are_the_papers_pair_and_three_equal_ones(name, expected):
    found = rows(preset(name), "rates")
    assert {row: (r.training.g_lr, r.training.d_lr) for row, r in found.items()} == expected


def test_losses_come_with_the_bound_of_their_paper():
    found = {
        row: (r.training.loss, r.training.clip, r.training.gp, r.model.d_sn)
        for row, r in rows(preset("demo"), "losses").items()
    }
    assert found == {
        "hinge": ("hinge", 0.0, 0.0, True),
        "gan": ("non-saturating", 0.0, 0.0, True),
        "wgan": ("wasserstein", 0.01, 0.0, False),
        "wgan-gp": ("wasserstein", 0.0, 10.0, False),
    }


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_preset_can_be_ablated_and_a_row_changes_nothing_it_does_not_name(name, group):
    base = preset(name)
    (found,) = groups_of(base, [group])
    for row in found.rows:
        before, after = essence(base), essence(record_of(base, row, 7))
        strays = {option for option in before if before[option] != after[option]} - {"seed", *row.options}
        assert not strays and after["seed"] == 7
    assert len({repr(essence(record_of(base, row, 0))) for row in found.rows}) == len(found.rows)


def test_a_record_without_batch_norm_keeps_its_norm_under_a_penalty():
    assert rows(preset("gan-32"), "losses")["wgan-gp"].model.d_norm == "layer"
    assert rows(preset("demo"), "losses")["wgan-gp"].model.d_norm == "none"


def test_only_what_decides_the_outcome_tells_records_apart():
    base = preset("demo")
    assert same_training(base, override(base, threads=1, out="elsewhere", save_every=7, workers=3, data="moved"))
    assert not same_training(base, override(base, time="8m"))
    assert not same_training(base, override(base, mirror=True))


@pytest.mark.parametrize(
    ("wanted", "line"), [(["atention"], "rows has 'atention'. Choose from"), ([], "rows names none")]
)
def test_unknown_rows_are_refused(wanted, line):
    with pytest.raises(ConfigError, match=line):
        groups_of(preset("demo"), wanted)
