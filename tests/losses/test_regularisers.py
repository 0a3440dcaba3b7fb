from __future__ import annotations

import math

import pytest
import torch

from sagan.losses.adversarial import LOSSES
from sagan.losses.regularisers import best_of, disagreement, lecam, overfitting_sign

REAL, FAKE = torch.tensor([1.0, 3.0, -0.5]), torch.tensor([-2.0, 0.25])


def test_lecam_by_hand():
    anchors = {"real_anchor": torch.tensor(0.5), "fake_anchor": torch.tensor(-1.0)}
    expected = (2.0**2 + 4.0**2 + 0.5**2) / 3 + (
        2.5**2 + 0.25**2
    ) / 2  # real against the fakes' average and the reverse
    assert lecam(real=REAL, fake=FAKE, **anchors).item() == pytest.approx(expected)
    assert lecam(real=REAL[:, None], fake=FAKE[:, None], **anchors).item() == pytest.approx(expected)


def test_disagreement_by_hand_goes_picture_by_picture():
    assert disagreement(REAL, torch.tensor([0.0, 3.0, 0.5])).item() == pytest.approx((1 + 0 + 1) / 3)
    assert disagreement(REAL[:, None], REAL).item() == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hinge", 1 / 3),
        ("non-saturating", 1 / 3),
        ("minimax", 1 / 3),
        ("least-squares", 1 / 3),  # undecided at a half
        ("relativistic", 1.0),  # 1 > -2, 3 > 0.25, -0.5 > -0.75
    ],
)
def test_the_sign_is_taken_from_where_the_loss_is_undecided(name, expected):
    fake = torch.tensor([-2.0, 0.25, -0.75])
    assert overfitting_sign(LOSSES[name], real=REAL, fake=fake).item() == pytest.approx(expected)


def test_least_squares_is_undecided_at_a_half_and_hinge_at_zero():
    between = torch.tensor([0.25, 0.4, 0.6])
    assert overfitting_sign(LOSSES["hinge"], real=between, fake=between).item() == 1.0
    assert overfitting_sign(LOSSES["least-squares"], real=between, fake=between).item() == pytest.approx(-1 / 3)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.middle is not None])
def test_at_the_middle_the_losses_pull_real_pictures_and_fakes_equally(name):
    """What `middle` claims: there D gains as much from raising a real picture's logit as from lowering a fake's."""
    logit = torch.tensor([LOSSES[name].middle], requires_grad=True)
    for_real, for_fake = (
        torch.autograd.grad(LOSSES[name].discriminator(**{"real": far, "fake": far, kind: logit}), logit)[0].item()
        for kind, far in (("real", torch.tensor([5.0])), ("fake", torch.tensor([-5.0])))
    )
    assert for_real == pytest.approx(-for_fake) and not math.isclose(for_real, 0)


def test_the_best_are_the_highest_and_of_equals_the_first():
    assert best_of(torch.tensor([0.1, 3.0, -2.0, 3.0, 0.1]), 3).tolist() == [True, True, False, True, False]
    assert best_of(torch.tensor([1.0, 1.0, 1.0]), 1).tolist() == [True, False, False]
