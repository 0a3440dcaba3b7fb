"""The record of the networks: published values filled in, impossible ones refused in one line that names the choices."""

from __future__ import annotations

import pytest

from sagan.config import build
from sagan.errors import ConfigError
from sagan.models.config import ModelConfig


def one_line(**options) -> str:
    """What a person reads who asks for these options, on the command line or in Python."""
    with pytest.raises(ConfigError) as caught:
        build(options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("resolution", "g_ch", "d_ch", "attention"),
    [(16, 128, 128, 8), (32, 256, 128, 16), (64, 64, 64, 32), (128, 64, 64, 64)],
)
def test_published_sizes_are_filled_in(resolution, g_ch, d_ch, attention):
    model = ModelConfig(resolution=resolution)
    assert (model.g_ch, model.d_ch, model.g_attn, model.d_attn) == (g_ch, d_ch, (attention,), (attention,))
    assert (model.z_dim, model.g_sn, model.d_sn, model.bn_group, model.init) == (128, True, True, 0, "xavier")


def test_chosen_sizes_are_kept():
    model = ModelConfig(resolution=64, g_ch=24, d_ch=40, g_attn=(8, 64), d_attn=(4,))
    assert (model.g_ch, model.d_ch, model.g_attn, model.d_attn) == (24, 40, (8, 64), (4,))
    assert ModelConfig(g_ch=24).d_ch == 128


@pytest.mark.parametrize("none", [0, (0,), [0], (), False])
def test_zero_means_no_attention(none):
    model = ModelConfig(g_attn=none, d_attn=none)
    assert (model.g_attn, model.d_attn) == ((), ())


def test_one_number_is_a_place():
    assert ModelConfig(g_attn=8, d_attn=[8, 16]).g_attn == (8,)


def test_a_filled_record_is_the_record_it_fills():
    model = ModelConfig(resolution=64)
    assert ModelConfig(**model.model_dump()) == model
    assert ModelConfig(resolution=64, g_ch=64, g_attn=(32,)) == model


@pytest.mark.parametrize("resolution", [0, 33, 48, 256, -32])
def test_unknown_resolutions(resolution):
    assert f"resolution is {resolution}. Choose one of 16, 32, 64, 128; " in one_line(resolution=resolution)


@pytest.mark.parametrize(
    ("resolution", "name", "possible"),
    [
        (16, "g_attn", [8, 16]),
        (16, "d_attn", [4, 8]),
        (32, "g_attn", [8, 16, 32]),
        (32, "d_attn", [8, 16]),  # the last blocks at 32x32 keep the size: there is no 4x4 map
        (64, "g_attn", [8, 16, 32, 64]),
        (64, "d_attn", [4, 8, 16, 32]),
        (128, "g_attn", [8, 16, 32, 64, 128]),
        (128, "d_attn", [4, 8, 16, 32, 64]),
    ],
)
def test_attention_only_where_there_is_a_map(resolution, name, possible):
    for place in possible:
        assert getattr(ModelConfig(resolution=resolution, **{name: place}), name) == (place,)
    for place in {2, 4, 8, 12, 16, 32, 64, 128, 256} - set(possible):
        line = one_line(resolution=resolution, **{name: (possible[0], place)})
        assert f"{name} has {place}, but the maps there are {possible}. Name map sizes from that list." in line


@pytest.mark.parametrize(
    ("name", "value"), [("z_dim", 0), ("g_ch", -1), ("d_ch", 2000), ("init", "normal"), ("chanels", 3)]
)
def test_values_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        ModelConfig(**{name: value})


def test_a_record_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        ModelConfig().g_ch = 3
