from __future__ import annotations

import math

import pytest
import torch

from sagan.augment.geometry import folded, rotation, scaling, shift, shift_mirrored, translation, warp


def numbered(channels=2, height=4, width=6, pictures=1):
    count = pictures * channels * height * width
    return torch.arange(1.0, count + 1).view(pictures, channels, height, width)


def whole(*values):
    return torch.tensor(values)


def test_a_shift_moves_down_and_right_and_fills_with_zero():
    pictures = numbered(pictures=2)
    moved = shift(pictures, whole(1, 0), whole(-2, 0))
    expected = torch.zeros_like(pictures[0])
    expected[:, 1:, :4] = pictures[0, :, :3, 2:]
    assert torch.equal(moved[0], expected) and torch.equal(moved[1], pictures[1])


def test_a_shift_beyond_the_picture_leaves_nothing():
    assert not shift(numbered(), whole(4), whole(0)).any() and not shift(numbered(), whole(0), whole(-6)).any()


def test_a_mirrored_shift_continues_the_picture_at_its_edges():
    row = torch.tensor([10.0, 20.0, 30.0, 40.0])
    moved = shift_mirrored(row.view(1, 1, 1, 4), whole(0), whole(2))
    assert moved.flatten().tolist() == [20.0, 10.0, 10.0, 20.0]
    assert shift_mirrored(row.view(1, 1, 1, 4), whole(0), whole(-1)).flatten().tolist() == [20.0, 30.0, 40.0, 40.0]


def test_places_fold_at_both_edges_as_often_as_needed():
    places = torch.tensor([-5, -2, -1, 0, 2, 3, 4, 6])
    assert folded(places, 3).tolist() == [1, 1, 0, 0, 2, 2, 1, 0]
    assert folded(torch.tensor([-0.75, 2.25, 0.5]), 3).tolist() == [0.0, 2.0, 0.5]


@pytest.mark.parametrize("size", [(4, 6), (7, 5), (32, 32), (48, 48)])
def test_the_identity_changes_no_bit(size):
    pictures = torch.randn(2, 3, *size)
    assert torch.equal(warp(pictures, torch.eye(3).repeat(2, 1, 1)), pictures)


def test_a_warp_by_whole_pixels_is_the_mirrored_shift():
    pictures = torch.randn(3, 2, 8, 8)
    maps = translation(torch.tensor([2.0, -3.0, 0.0]), torch.tensor([-1.0, 0.0, 8.0]))
    expected = shift_mirrored(pictures, whole(-1, 0, 8), whole(2, -3, 0))
    torch.testing.assert_close(warp(pictures, maps), expected, rtol=0, atol=1e-6)


def test_quarter_turns_and_mirrors_are_torchs_own():
    pictures = torch.randn(1, 2, 6, 6)
    quarter = rotation(torch.tensor([math.pi / 2])).round()  # right turns to down: clockwise as a person sees it
    assert torch.equal(warp(pictures, quarter), pictures.rot90(-1, (2, 3)))
    assert torch.equal(warp(pictures, scaling(whole(-1.0), whole(1.0))), pictures.flip(3))


def test_a_warp_is_torchs_grid_sample():
    """An independent implementation, by normalised coordinates, with the same rule for what lies outside."""
    pictures = torch.randn(5, 3, 10, 10, dtype=torch.float64)
    turn = rotation(torch.linspace(-3, 3, 5, dtype=torch.float64))
    size = scaling(torch.full((5,), 0.7, dtype=torch.float64), torch.full((5,), 1.4, dtype=torch.float64))
    moved = translation(torch.linspace(-4, 4, 5).double(), torch.linspace(1, 2, 5).double())
    maps = moved @ turn @ size
    normalised = maps[:, :2].clone()
    normalised[:, :, 2] /= 5.0  # pixels from the middle -> [-1, 1] over ten of them
    grid = torch.nn.functional.affine_grid(normalised, [5, 3, 10, 10], align_corners=False)
    expected = torch.nn.functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    torch.testing.assert_close(warp(pictures, maps), expected, rtol=1e-9, atol=1e-9)


def test_enlarging_makes_a_dot_larger():
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 4, 4] = 1.0
    wide = warp(picture, scaling(whole(2.0), whole(1.0)))
    assert wide[0, 0, 4].tolist() == [0, 0, 0, 0.5, 1.0, 0.5, 0, 0, 0]


def test_a_warp_has_derivatives_of_second_order():
    maps = rotation(torch.tensor([0.4, -1.0], dtype=torch.float64))
    pictures = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: warp(x, maps), pictures)
    assert torch.autograd.gradgradcheck(lambda x: warp(x.tanh(), maps), pictures)
