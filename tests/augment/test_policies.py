from __future__ import annotations

import math

import pytest
import torch

from sagan.augment import AUGMENTATIONS
from sagan.augment.diffaugment import cut_out, jitter, translate
from sagan.augment.draws import MOST, Draws
from sagan.training.config import AUGMENT_KINDS

POLICIES = pytest.mark.parametrize("name", AUGMENTATIONS)


def numbers(pictures, seed=0):
    return torch.rand(pictures, MOST, generator=torch.Generator().manual_seed(seed))


def changed(name, pictures, kinds=None, p=0.7, seed=0):
    kinds = AUGMENT_KINDS[name] if kinds is None else kinds
    return AUGMENTATIONS[name](pictures, Draws(numbers(len(pictures), seed), p), kinds)


def test_the_record_knows_the_augmentations():
    assert set(AUGMENT_KINDS) == {"none", *AUGMENTATIONS}


@POLICIES
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [8, 32, 48])
def test_pictures_of_any_kind_keep_their_shape_and_change_each_in_its_own_way(name, channels, side):
    pictures = torch.rand(1, channels, side, side).mul(2).sub(1).repeat(6, 1, 1, 1)
    after = changed(name, pictures)
    assert after.shape == pictures.shape and after.dtype == pictures.dtype and bool(torch.isfinite(after).all())
    assert len({tuple(picture.flatten().tolist()) for picture in after}) == 6
    assert torch.equal(after, changed(name, pictures)), "the same numbers, the same change"
    assert not torch.equal(after, changed(name, pictures, seed=1))


@POLICIES
def test_each_picture_depends_on_its_own_numbers_alone(name):
    pictures = torch.randn(5, 3, 16, 16)
    draws = numbers(5)
    whole = AUGMENTATIONS[name](pictures, Draws(draws, 0.7), AUGMENT_KINDS[name])
    alone = AUGMENTATIONS[name](pictures[3:4], Draws(draws[3:4], 0.7), AUGMENT_KINDS[name])
    torch.testing.assert_close(alone[0], whole[3], rtol=0, atol=1e-6)


@POLICIES
def test_gradients_reach_the_pictures_and_have_gradients_themselves(name):
    pictures = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    draws = numbers(2).double()
    act = AUGMENTATIONS[name]

    def change(x):
        return act(x, Draws(draws, 0.9), AUGMENT_KINDS[name])

    assert torch.autograd.gradcheck(change, pictures)
    assert torch.autograd.gradgradcheck(lambda x: change(x.tanh()), pictures)


@POLICIES
def test_every_kind_changes_something_and_none_changes_nothing(name):
    pictures = torch.randn(8, 3, 16, 16)
    assert torch.equal(changed(name, pictures, ()), pictures)
    ways = [changed(name, pictures, (kind,)) for kind in AUGMENT_KINDS[name]]
    assert all(not torch.equal(way, pictures) for way in ways)
    assert all(not torch.equal(one, other) for one, other in zip(ways, ways[1:], strict=False))


def test_adaptive_with_probability_zero_is_no_change_and_with_a_half_leaves_some():
    pictures = torch.randn(400, 1, 8, 8)
    torch.testing.assert_close(changed("adaptive", pictures, p=0.0), pictures, rtol=0, atol=1e-6)
    same = changed("adaptive", pictures, ("blit",), p=0.5)
    untouched = (same - pictures).abs().amax(dim=(1, 2, 3)) < 1e-6
    # three changes, each left out half the time; a mirror that is drawn does nothing half the time, a quarter turn a quarter,
    # and a shift of at most one pixel each way that rounds to none: by -1..1 of eight, |u| < 1/2 of 1 both ways, a quarter
    expected = 0.75 * 0.625 * 0.625
    assert float(untouched.float().mean()) == pytest.approx(expected, abs=3 * math.sqrt(expected / 400))


def test_either_of_two_rotations_takes_place_with_the_probability():
    draws = Draws(torch.rand(20_000, MOST, generator=torch.Generator().manual_seed(1)), 0.3)
    either = draws.chosen(draws.half_probability) | draws.chosen(draws.half_probability)
    assert float(either.float().mean()) == pytest.approx(0.3, abs=0.01)


def test_draws_have_the_distributions_they_say():
    draws = Draws(torch.rand(20_000, MOST, generator=torch.Generator().manual_seed(2)))
    normal = draws.normal(0.2)
    assert float(normal.mean()) == pytest.approx(0, abs=0.005) and float(normal.std()) == pytest.approx(0.2, rel=0.02)
    counts = torch.bincount(draws.whole(-2, 2).long() + 2)
    assert len(counts) == 5 and float(counts.min()) > 3800
    assert float(draws.power_of_two(0.5).log2().std()) == pytest.approx(0.5, rel=0.02)
    extremes = Draws(torch.tensor([[1.0] * MOST, [0.5] * MOST]))
    assert extremes.whole(0, 3).tolist() == [3, 2] and bool(torch.isfinite(extremes.normal(1.0)).all())


def test_as_many_numbers_are_drawn_as_any_augmentation_takes():
    class Counting(Draws):
        taken = 0

        def __init__(self):
            super().__init__(numbers(2), 0.5)
            inner = self._columns
            self._columns = iter(lambda: self.count(inner), None)

        def count(self, inner):
            self.taken += 1
            return next(inner)

    most = 0
    for name, act in AUGMENTATIONS.items():
        draws = Counting()
        act(torch.randn(2, 3, 8, 8), draws, AUGMENT_KINDS[name])
        most = max(most, draws.taken)
    assert most == MOST


def test_diffaugments_ranges_are_those_of_the_paper():
    lowest, highest = (torch.full((1, MOST), value) for value in (1e-7, 1.0))
    flat = torch.zeros(1, 3, 16, 16)
    for extreme, brightness in ((lowest, -0.5), (highest, 0.5)):
        assert float(jitter(flat, Draws(extreme)).mean()) == pytest.approx(brightness, abs=1e-5)
    coloured = torch.tensor([0.3, 0.0, -0.3]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert float(jitter(coloured, Draws(lowest)).std()) == pytest.approx(0, abs=1e-6), "no saturation left"
    most = jitter(coloured, Draws(highest))
    assert float(most.amax() - most.amin()) == pytest.approx(0.6 * 2 * 1.5, rel=1e-4)
    moved = translate(torch.ones(1, 1, 16, 16), Draws(highest))
    assert float(moved.sum()) == 14 * 14 and not moved[0, 0, :2].any(), "an eighth, down and right"


@pytest.mark.parametrize(("side", "cut"), [(16, 8), (32, 16), (9, 4), (10, 5)])
def test_cutout_takes_a_box_of_half_the_sides(side, cut):
    middle = torch.full((1, MOST), 0.5)
    holes = cut_out(torch.ones(1, 2, side, side), Draws(middle))
    assert int((holes[0, 0] == 0).sum()) == cut * cut
    corner = cut_out(torch.ones(1, 1, side, side), Draws(torch.full((1, MOST), 1e-7)))
    assert 0 < int((corner == 0).sum()) < cut * cut, "at an edge a part of the box lies outside"


def test_colour_of_diffaugment_leaves_transparency_alone():
    pictures = torch.randn(3, 4, 8, 8)
    after = changed("diffaugment", pictures, ("colour",))
    assert torch.equal(after[:, 3], pictures[:, 3]) and not torch.equal(after[:, :3], pictures[:, :3])
