"""Adversarial losses: logits in, a scalar out. Real and fake are keyword-only, since swapping them is a silent bug.

Logits have shape (B,) or (B, 1); real and fake may differ in number, but for the relativistic pair. D(x) stands for the
logits of real pictures, D(G(z)) for those of fakes, s for softplus: s(t) = log(1 + exp(t)), so s(-D) = -log sigmoid(D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def flat(logits: Tensor) -> Tensor:
    """(B,) or (B, 1) -> (B,) in float32 or better: a column beside a row would broadcast into (B, B) without a word."""
    if logits.dim() == 2 and logits.shape[1] == 1:
        logits = logits[:, 0]
    if logits.dim() != 1:
        raise ValueError(f"logits have the shape {tuple(logits.shape)}, not (B,) or (B, 1)")
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def hinge_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))) (SAGAN equation 4)."""
    return F.relu(1 - flat(real)).mean() + F.relu(1 + flat(fake)).mean()


def linear_generator(*, fake: Tensor) -> Tensor:
    """-mean D(G(z)) (SAGAN equation 4; WGAN, arXiv:1701.07875, algorithm 1)."""
    return -flat(fake).mean()


def logistic_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean s(-D(x)) + mean s(D(G(z))): minus equation 1 of the GAN paper (arXiv:1406.2661)."""
    return F.softplus(-flat(real)).mean() + F.softplus(flat(fake)).mean()


def minimax_generator(*, fake: Tensor) -> Tensor:
    """-mean s(D(G(z))) = mean log(1 - sigmoid(D)): the game itself (arXiv:1406.2661, equation 1). Its gradient vanishes
    where the discriminator is sure, which is why nobody trains with it."""
    return -F.softplus(flat(fake)).mean()


def non_saturating_generator(*, fake: Tensor) -> Tensor:
    """mean s(-D(G(z))) = -mean log sigmoid(D) (arXiv:1406.2661, end of section 3)."""
    return F.softplus(-flat(fake)).mean()


def least_squares_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean (D(x) - 1)^2 / 2 + mean D(G(z))^2 / 2 (LSGAN, arXiv:1611.04076, equation 9)."""
    return (flat(real) - 1).square().mean() / 2 + flat(fake).square().mean() / 2


def least_squares_generator(*, fake: Tensor) -> Tensor:
    """mean (D(G(z)) - 1)^2 / 2 (LSGAN, equation 9)."""
    return (flat(fake) - 1).square().mean() / 2


def wasserstein_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean D(G(z)) - mean D(x) (WGAN, arXiv:1701.07875). Means something only if D is kept Lipschitz: by clipped weights,
    a gradient penalty or spectral normalisation."""
    return flat(fake).mean() - flat(real).mean()


def relativistic_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean s(-(D(x) - D(G(z)))), pair by pair (RpGAN, arXiv:1807.00734; R3GAN, arXiv:2501.05441)."""
    return F.softplus(_differences(fake, real)).mean()


def relativistic_generator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean s(-(D(G(z)) - D(x))), pair by pair."""
    return F.softplus(_differences(real, fake)).mean()


def _differences(first: Tensor, second: Tensor) -> Tensor:
    """first - second, pair by pair: (B,)."""
    first, second = flat(first), flat(second)
    if first.shape != second.shape:
        raise ValueError(f"the relativistic loss pairs real and fake, and there are {len(first)} and {len(second)}")
    return first - second


@dataclass(frozen=True)
class AdversarialLoss:
    """What each player minimises. paired: the generator's loss needs the logits of real pictures too, one for each fake.

    discriminator(real=, fake=) -> scalar.  generator(fake=) -> scalar, or generator(real=, fake=) when paired.
    middle: the logit of a picture that D cannot decide about; None where a logit alone says nothing.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    paired: bool = False
    middle: float | None = None


# The option `loss` names one of these. Somebody's own loss joins them: LOSSES["mine"] = AdversarialLoss(...).
LOSSES = {
    "hinge": AdversarialLoss(hinge_discriminator, linear_generator, middle=0.0),
    "minimax": AdversarialLoss(logistic_discriminator, minimax_generator, middle=0.0),
    "non-saturating": AdversarialLoss(logistic_discriminator, non_saturating_generator, middle=0.0),
    "least-squares": AdversarialLoss(least_squares_discriminator, least_squares_generator, middle=0.5),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, linear_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True),
}
