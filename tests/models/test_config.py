"""The record of the networks: published values filled in, impossible ones refused in one line that names the choices."""

from __future__ import annotations

import pytest
import torch

from sagan.config import build
from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d
from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ATTENTION_CHANNELS, ATTENTION_VARIANTS, CONTROL_VARIANTS, ModelConfig


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


@pytest.mark.parametrize(("resolution", "nearest"), [(0, 16), (33, 32), (50, 48), (513, 512), (-32, 16), (1024, 512)])
def test_unknown_resolutions(resolution, nearest):
    line = one_line(resolution=resolution)
    assert f"resolution is {resolution}, and networks double a map of 4 to 7 pixels. Choose 16, 32, 64, " in line
    assert f"near to it, {nearest};" in line


def test_unknown_forms_of_attention(monkeypatch):
    assert (
        "attention is 'papper'. Choose one of official, paper, heykeetae, residual, or import what adds it."
        in one_line(attention="papper")
    )
    from sagan.layers.attention import ATTENTION, official
    from sagan.layers.control import CONTROLS

    assert (tuple(ATTENTION), tuple(CONTROLS)) == (ATTENTION_VARIANTS, CONTROL_VARIANTS)
    monkeypatch.setitem(ATTENTION, "mine", official)
    assert build({"attention": "mine"}).model.attention == "mine"


@pytest.mark.parametrize("resolution", [20, 24, 28, 40, 48, 96, 160, 256, 512])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_size_and_any_number_of_channels_is_built(resolution, channels):
    """The large ones are only built: running them takes longer than a test should."""
    width = 8
    model = ModelConfig(
        resolution=resolution, channels=channels, g_ch=width, d_ch=width, g_attn=0, d_attn=0, g_sn=False
    )
    generator = build_generator(model, 3)
    assert (generator.resolution, generator.channels) == (resolution, channels)
    if resolution <= 48:
        labels = torch.tensor([0, 2])
        pictures = generator(torch.zeros(2, 128), labels)
        assert pictures.shape == (2, channels, resolution, resolution)
        assert build_discriminator(model, 3)(pictures, labels).shape == (2,)


@pytest.mark.parametrize("variant", ATTENTION_VARIANTS)
def test_the_form_of_attention_reaches_both_networks(variant):
    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, attention=variant)
    pools = {"official": 2, "paper": 1, "heykeetae": 1}
    for network in (build_generator(model), build_discriminator(model)):
        layer = network.attention["8"]
        assert (layer.pool, layer.query.bias is not None) == (pools[variant], variant == "heykeetae")


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
    ("options", "line"),
    [
        (
            {"resolution": 64, "g_ch": 2, "g_attn": (8, 32)},
            "g_attn has 32, but attention needs 8 channels and that map has 4."
            " Use g_ch 4 or more, or leave 32 out of g_attn (0 for no attention).",
        ),
        (
            {"resolution": 128, "d_ch": 7, "d_attn": 64},
            "d_attn has 64, but attention needs 8 channels and that map has 7."
            " Use d_ch 8 or more, or leave 64 out of d_attn (0 for no attention).",
        ),
        (
            {"resolution": 32, "d_ch": 4},
            "d_attn has 16, but attention needs 8 channels and that map has 4."
            " Use d_ch 8 or more, or leave 16 out of d_attn (0 for no attention).",
        ),
        (
            {"resolution": 128, "d_ch": 1, "d_attn": (16, 8)},
            "d_attn has 16, but attention needs 8 channels and that map has 4."
            " Use d_ch 2 or more, or leave 16 out of d_attn (0 for no attention).",
        ),
        (
            {"resolution": 64, "d_ch": 0, "d_attn": 4, "g_ch": 1, "g_attn": 16},
            "g_attn has 16, but attention needs 8 channels and that map has 4."
            " Use g_ch 2 or more, or leave 16 out of g_attn (0 for no attention).",
        ),
    ],
)
def test_attention_needs_channels(options, line):
    assert line in one_line(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": 16, "g_ch": 8, "d_ch": 8, "g_attn": (8, 16), "d_attn": (4, 8)},
        {"resolution": 64, "g_ch": 2, "g_attn": (8, 16), "d_ch": 2, "d_attn": (8, 4)},
        {"resolution": 64, "g_ch": 4, "d_ch": 8},  # the generator has twice its width at 32
        {"resolution": 32, "g_ch": 1, "g_attn": 0, "d_ch": 1, "d_attn": 0},
    ],
)
def test_what_has_channels_enough_is_built(options):
    """The record refuses no more than the layer does."""
    model = ModelConfig(**options)
    for builder, places in ((build_generator, model.g_attn), (build_discriminator, model.d_attn)):
        assert set(builder(model).attention) == {str(place) for place in places}


def test_the_fewest_channels_are_the_layers():
    SelfAttention2d(ATTENTION_CHANNELS)
    with pytest.raises(ConfigError, match=f"at least {ATTENTION_CHANNELS} "):
        SelfAttention2d(ATTENTION_CHANNELS - 1)


@pytest.mark.parametrize(
    ("name", "value"), [("z_dim", 0), ("g_ch", -1), ("d_ch", 2000), ("init", "he"), ("chanels", 3), ("channels", 2)]
)
def test_values_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        ModelConfig(**{name: value})


def test_a_record_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        ModelConfig().g_ch = 3
