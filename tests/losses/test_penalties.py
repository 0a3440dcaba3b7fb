"""The penalties against gradients worked out by hand."""

from __future__ import annotations

import pytest
import torch

from sagan.losses.penalties import input_gradients, interpolate, unit_norm_penalty, zero_norm_penalty

SHAPE = (2, 3, 4, 5)
VALUES = 3 * 4 * 5


def pictures(scale: float = 1.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return (scale * torch.randn(SHAPE, dtype=torch.float64, generator=random)).requires_grad_()


def linear(x: torch.Tensor, slopes=(0.5, 2.0)) -> torch.Tensor:
    """A critic whose gradient at picture b is slopes[b] everywhere: its norm is slopes[b] * sqrt(60)."""
    return (x * torch.tensor(slopes, dtype=x.dtype)[:, None, None, None]).sum(dim=(1, 2, 3))


def test_the_unit_norm_penalty_by_hand():
    x = pictures()
    norms = [0.5 * VALUES**0.5, 2.0 * VALUES**0.5]
    expected = sum((norm - 1) ** 2 for norm in norms) / 2
    assert unit_norm_penalty(linear(x), x).item() == pytest.approx(expected, rel=1e-6)


def test_it_is_two_sided():
    x = pictures()
    short = unit_norm_penalty(linear(x, slopes=(0.1 / VALUES**0.5,) * 2), x)
    right = unit_norm_penalty(linear(x, slopes=(1 / VALUES**0.5,) * 2), x)
    assert short.item() == pytest.approx(0.81, abs=1e-6) and right.item() == pytest.approx(0, abs=1e-9)


def test_the_zero_norm_penalty_by_hand():
    x = pictures()
    expected = (0.25 * VALUES + 4 * VALUES) / 2 / 2
    assert zero_norm_penalty(linear(x), x).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("penalty", [unit_norm_penalty, zero_norm_penalty])
def test_values_are_summed_and_pictures_averaged(penalty):
    """Four times the pixels with the same slopes: four times the squared norm, however many pictures there are."""
    x = pictures()
    one, many = x[:1].detach().requires_grad_(), x[:1].detach().repeat(6, 1, 1, 1).requires_grad_()
    single = penalty(linear(one, slopes=(0.5,)), one)
    torch.testing.assert_close(penalty(linear(many, slopes=(0.5,) * 6), many), single)
    wide = x[:1].detach().repeat(1, 1, 2, 2).requires_grad_()
    grown = zero_norm_penalty(linear(wide, slopes=(0.5,)), wide)
    assert grown.item() == pytest.approx(4 * 0.25 * VALUES / 2, rel=1e-6)


@pytest.mark.parametrize("penalty", [unit_norm_penalty, zero_norm_penalty])
def test_a_column_of_logits_counts_like_a_row(penalty):
    x = pictures()
    torch.testing.assert_close(penalty(linear(x)[:, None], x), penalty(linear(x), x))


@pytest.mark.parametrize("penalty", [unit_norm_penalty, zero_norm_penalty])
def test_it_can_be_learnt_from(penalty):
    """Second derivatives against finite differences, through a critic that is not linear."""
    random = torch.Generator().manual_seed(1)
    weight = torch.randn(VALUES, 4, dtype=torch.float64, generator=random).requires_grad_()

    def value(weight):
        x = pictures()
        return penalty(torch.tanh(x.flatten(1) @ weight / 8).sum(dim=1), x).double()

    analytic = torch.autograd.grad(value(weight), weight)[0]
    step, place = 1e-4, (7, 2)
    with torch.no_grad():
        moved = [weight.clone(), weight.clone()]
        moved[0][place] += step
        moved[1][place] -= step
    numeric = (value(moved[0]) - value(moved[1])) / (2 * step)
    assert analytic[place].item() == pytest.approx(numeric.item(), rel=1e-3) and abs(numeric) > 1e-4


def test_a_constant_critic_has_a_finite_gradient():
    """The root has no derivative at zero: other codes give NaN here."""
    x = pictures()
    weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = unit_norm_penalty((x * weight).sum(dim=(1, 2, 3)), x)
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-5) and torch.isfinite(weight.grad)


def test_each_picture_has_a_place_of_its_own_between_real_and_fake():
    real, fake = torch.ones(3, 2, 2, 2), torch.zeros(3, 2, 2, 2)
    between = interpolate(real, fake, torch.tensor([0.25, 1.0, 0.0]))
    assert between[:, 0, 0, 0].tolist() == [0.25, 1.0, 0.0]
    assert all(len(picture.unique()) == 1 for picture in between)
    assert between.is_leaf and between.requires_grad


def test_gradients_are_those_of_each_picture():
    x = pictures()
    expected = torch.tensor([0.5, 2.0], dtype=torch.float64)[:, None, None, None].expand(SHAPE)
    torch.testing.assert_close(input_gradients(linear(x), x), expected)
