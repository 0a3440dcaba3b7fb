from __future__ import annotations

import colorsys
import math

import pytest
import torch

from sagan.augment import colour


def one(value):
    return torch.tensor([float(value)])


def painted(*rgb):
    return torch.tensor(rgb).view(1, 3, 1, 1).float()


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (colour.brightness(one(0.25)), (0.75, 0.05, -0.35)),
        (colour.contrast(one(2.0)), (1.0, -0.4, -1.2)),
        (colour.luma_flip(one(1.0)), (0.7, 0.0, -0.4)),  # the mean of -0.1 becomes 0.1, differences stay
        (colour.luma_flip(one(0.0)), (0.5, -0.2, -0.6)),
        (colour.hue(one(2 * math.pi / 3)), (-0.6, 0.5, -0.2)),  # a third of the circle: red's value becomes green's
        (colour.saturation(one(0.0)), (-0.1, -0.1, -0.1)),
        (colour.saturation(one(2.0)), (1.1, -0.3, -1.1)),
    ],
)
def test_each_map_by_hand(maps, expected):
    before = (0.5, -0.2, -0.6)
    torch.testing.assert_close(colour.recolour(painted(*before), maps), painted(*expected), rtol=1e-5, atol=1e-6)


def test_a_sixth_of_the_circle_leads_from_red_towards_yellow():
    """colorsys turns hues in another model, in which pure colours agree on the order of the channels."""
    turned = colour.recolour(painted(1.0, 0.0, 0.0), colour.hue(one(math.pi / 3))).flatten()
    yellow = colorsys.hls_to_rgb(1 / 6, 0.5, 1.0)
    torch.testing.assert_close(turned, torch.tensor([2 / 3, 2 / 3, -1 / 3]), rtol=1e-5, atol=1e-6)
    assert turned.argsort(stable=True)[0] == torch.tensor(yellow).argmin()


def test_grey_pictures_change_as_equal_colours_would():
    grey = torch.linspace(-1, 1, 12).view(1, 1, 3, 4)
    maps = colour.saturation(one(0.3)) @ colour.hue(one(1.1)) @ colour.luma_flip(one(1)) @ colour.contrast(one(1.7))
    maps = colour.brightness(one(-0.2)) @ maps
    changed = colour.recolour(grey, maps)
    as_rgb = colour.recolour(grey.expand(1, 3, 3, 4), maps)
    torch.testing.assert_close(changed.expand(1, 3, 3, 4), as_rgb, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(changed, -1.7 * grey - 0.2, rtol=1e-5, atol=1e-6)


def test_transparency_is_left_alone():
    pictures = torch.randn(2, 4, 3, 3)
    changed = colour.recolour(pictures, colour.contrast(torch.tensor([2.0, 3.0])))
    assert torch.equal(changed[:, 3], pictures[:, 3])
    torch.testing.assert_close(changed[1, :3], 3 * pictures[1, :3])
