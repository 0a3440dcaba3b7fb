"""The hinge losses against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from sagan.losses.adversarial import hinge_discriminator, hinge_generator

REAL = torch.tensor([0.25, 2.0, -3.0])
FAKE = torch.tensor([-0.5, -4.0])


def test_discriminator_by_hand():
    # real: (0.75 + 0 + 4) / 3; fake: (0.5 + 0) / 2
    torch.testing.assert_close(hinge_discriminator(real=REAL, fake=FAKE), torch.tensor(4.75 / 3 + 0.25))


def test_generator_by_hand():
    torch.testing.assert_close(hinge_generator(fake=torch.tensor([-0.5, -4.0, 1.5])), torch.tensor(1.0))


def test_swapping_real_and_fake_changes_the_value():
    # real: (1.5 + 5) / 2; fake: (1.25 + 3 + 0) / 3
    torch.testing.assert_close(hinge_discriminator(real=FAKE, fake=REAL), torch.tensor(3.25 + 4.25 / 3))


def test_real_and_fake_go_by_keyword():
    with pytest.raises(TypeError):
        hinge_discriminator(REAL, FAKE)
    with pytest.raises(TypeError):
        hinge_generator(FAKE)


def test_a_column_of_logits_counts_like_a_row():
    """(B, 1) against (B,) must not broadcast into (B, B); B differs between real and fake, too."""
    expected = hinge_discriminator(real=REAL, fake=FAKE)
    for real in (REAL, REAL[:, None]):
        for fake in (FAKE, FAKE[:, None]):
            loss = hinge_discriminator(real=real, fake=fake)
            assert loss.shape == ()
            torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(hinge_generator(fake=FAKE[:, None]), torch.tensor(2.25))


def test_gradients_by_hand():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    hinge_discriminator(real=real, fake=fake).backward()
    torch.testing.assert_close(real.grad, torch.tensor([-1 / 3, 0.0, -1 / 3]))  # beyond the margin: none
    torch.testing.assert_close(fake.grad, torch.tensor([0.5, 0.0]))
    wanted = FAKE.clone().requires_grad_()
    hinge_generator(fake=wanted).backward()
    torch.testing.assert_close(wanted.grad, torch.tensor([-0.5, -0.5]))  # no margin for the generator


def test_half_precision_logits_are_summed_in_float32():
    small = torch.full((4,), 2.0**-10, dtype=torch.bfloat16)  # 1 + 2**-10 rounds to 1 in bfloat16
    beyond = torch.full((4,), 2.0, dtype=torch.bfloat16)
    loss = hinge_discriminator(real=beyond, fake=small)
    assert loss.dtype == hinge_generator(fake=small).dtype == torch.float32
    assert loss.item() == 1 + 2.0**-10
