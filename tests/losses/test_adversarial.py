"""The losses against numbers worked out by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from sagan.losses.adversarial import LOSSES, hinge_discriminator, linear_generator
from sagan.training.config import LOSS_NAMES

REAL = torch.tensor([0.25, 2.0, -3.0])
FAKE = torch.tensor([-0.5, -4.0])
PAIR = torch.tensor([-0.5, -4.0, 1.5])  # as many as REAL


def softplus(t: float) -> float:
    return log(1 + exp(t))


def values(name: str, real=REAL, fake=FAKE) -> tuple[float, float]:
    """What the discriminator and the generator minimise."""
    loss = LOSSES[name]
    if loss.paired:
        real, fake = REAL, PAIR
    keywords = {"real": real, "fake": fake} if loss.paired else {"fake": fake}
    return loss.discriminator(real=real, fake=fake).item(), loss.generator(**keywords).item()


BY_HAND = {
    # real: (0.75 + 0 + 4) / 3; fake: (0.5 + 0) / 2
    "hinge": (4.75 / 3 + 0.25, 2.25),
    "wasserstein": (-2.25 - (0.25 + 2 - 3) / 3, 2.25),
    # real: (0.75^2 + 1 + 16) / 6; fake: (0.25 + 16) / 4; generator: (1.5^2 + 25) / 4
    "least-squares": (17.5625 / 6 + 16.25 / 4, 27.25 / 4),
    "minimax": (
        (softplus(-0.25) + softplus(-2) + softplus(3)) / 3 + (softplus(-0.5) + softplus(-4)) / 2,
        -(softplus(-0.5) + softplus(-4)) / 2,
    ),
    "non-saturating": (
        (softplus(-0.25) + softplus(-2) + softplus(3)) / 3 + (softplus(-0.5) + softplus(-4)) / 2,
        (softplus(0.5) + softplus(4)) / 2,
    ),
    # real - fake: 0.75, 6, -4.5
    "relativistic": (
        (softplus(-0.75) + softplus(-6) + softplus(4.5)) / 3,
        (softplus(0.75) + softplus(6) + softplus(-4.5)) / 3,
    ),
}


def test_every_loss_has_numbers_by_hand_and_a_name_in_the_record():
    assert set(BY_HAND) == set(LOSSES) == set(LOSS_NAMES)


@pytest.mark.parametrize("name", LOSSES)
def test_by_hand(name):
    assert values(name) == pytest.approx(BY_HAND[name], rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_discriminator_pays_less_and_a_better_generator_too(name):
    """The signs, whatever the formula: real up or fake down is good for D, fake up is good for G."""
    loss = LOSSES[name]
    real = torch.full((3,), 0.3, requires_grad=True)
    fake = torch.full((3,), 0.2, requires_grad=True)
    loss.discriminator(real=real, fake=fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    wanted = torch.full((3,), 0.2, requires_grad=True)
    loss.generator(**({"real": real.detach()} if loss.paired else {}), fake=wanted).backward()
    assert (wanted.grad < 0).all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "wasserstein"])
def test_swapping_real_and_fake_changes_the_value(name):
    first, second = LOSSES[name].discriminator(real=REAL, fake=PAIR), LOSSES[name].discriminator(real=PAIR, fake=REAL)
    assert abs(first - second) > 0.1


def test_swapping_turns_the_sign_of_the_wasserstein_loss():
    loss = LOSSES["wasserstein"].discriminator
    assert loss(real=REAL, fake=FAKE) == -loss(real=FAKE, fake=REAL) != 0


@pytest.mark.parametrize("name", LOSSES)
def test_real_and_fake_go_by_keyword(name):
    with pytest.raises(TypeError):
        LOSSES[name].discriminator(REAL, PAIR)
    with pytest.raises(TypeError):
        LOSSES[name].generator(PAIR)


@pytest.mark.parametrize("name", LOSSES)
def test_a_column_of_logits_counts_like_a_row(name):
    """(B, 1) against (B,) must not broadcast into (B, B)."""
    loss, expected = LOSSES[name], values(name, fake=PAIR)
    for real in (REAL, REAL[:, None]):
        for fake in (PAIR, PAIR[:, None]):
            value = loss.discriminator(real=real, fake=fake)
            assert value.shape == ()
            assert value.item() == pytest.approx(expected[0])
            keywords = {"real": real, "fake": fake} if loss.paired else {"fake": fake}
            assert loss.generator(**keywords).item() == pytest.approx(expected[1])


@pytest.mark.parametrize("shape", [(), (3, 2), (1, 3), (3, 1, 1)])
@pytest.mark.parametrize("name", LOSSES)
def test_other_shapes_are_refused(name, shape):
    with pytest.raises(ValueError, match="logits have the shape"):
        LOSSES[name].discriminator(real=torch.zeros(shape), fake=torch.zeros(3))


def test_the_relativistic_pair_must_be_a_pair():
    for loss in (LOSSES["relativistic"].discriminator, LOSSES["relativistic"].generator):
        with pytest.raises(ValueError, match="pairs real and fake, and there are"):
            loss(real=REAL, fake=FAKE)
        with pytest.raises(ValueError, match="pairs real and fake"):
            loss(real=REAL, fake=FAKE[:1, None])  # would broadcast


def test_hinge_gradients_by_hand():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    hinge_discriminator(real=real, fake=fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([-1 / 3, 0.0, -1 / 3]))  # beyond the margin: none
    torch.testing.assert_close(fake.grad, torch.tensor([0.5, 0.0]))
    wanted = FAKE.clone().requires_grad_()
    linear_generator(fake=wanted).backward()
    torch.testing.assert_close(wanted.grad, torch.tensor([-0.5, -0.5]))  # no margin for the generator


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "relativistic"])
def test_logistic_losses_are_finite_far_out(name):
    """log(sigmoid(-200)) is minus infinity in float32; softplus is not."""
    loss = LOSSES[name]
    far = torch.tensor([-200.0, 200.0], requires_grad=True)
    other = torch.tensor([200.0, -200.0])
    total = loss.discriminator(real=far, fake=other)
    total = total + loss.generator(**({"real": other} if loss.paired else {}), fake=far)
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(far.grad).all() and total.abs() > 50


def test_only_the_minimax_generator_loses_its_gradient_where_the_discriminator_is_sure():
    sizes = {}
    for name in ("minimax", "non-saturating"):
        fake = torch.tensor([-12.0], requires_grad=True)
        LOSSES[name].generator(fake=fake).backward()
        sizes[name] = fake.grad.abs().item()
    assert sizes["minimax"] < 1e-4 < 0.99 < sizes["non-saturating"]


def test_half_precision_logits_are_summed_in_float32():
    small = torch.full((4,), 2.0**-10, dtype=torch.bfloat16)  # 1 + 2**-10 rounds to 1 in bfloat16
    beyond = torch.full((4,), 2.0, dtype=torch.bfloat16)
    loss = hinge_discriminator(real=beyond, fake=small)
    assert loss.dtype == linear_generator(fake=small).dtype == torch.float32
    assert loss.item() == 1 + 2.0**-10
