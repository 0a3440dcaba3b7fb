"""What is added to the adversarial losses when pictures are few, and measured of them. Logits in, numbers out."""

from __future__ import annotations

import torch
from torch import Tensor

from sagan.losses.adversarial import AdversarialLoss, flat


def lecam(*, real: Tensor, fake: Tensor, real_anchor: Tensor, fake_anchor: Tensor) -> Tensor:
    """mean (D(x) - a_fake)^2 + mean (D(G(z)) - a_real)^2 (LeCam; Tseng et al., arXiv:2104.03310, equation 5).

    real, fake: logits.  real_anchor, fake_anchor: scalars, the moving averages of both. It draws each kind's logits to where
    the other's have been, so that what D says of a picture it has learned by heart stays small.
    """
    return (flat(real) - fake_anchor).square().mean() + (flat(fake) - real_anchor).square().mean()


def disagreement(logits: Tensor, others: Tensor) -> Tensor:
    """mean (D(x) - D(T(x)))^2, picture by picture (Zhang et al., arXiv:1910.12027, equation 4)."""
    return (flat(logits) - flat(others)).square().mean()


def overfitting_sign(loss: AdversarialLoss, *, real: Tensor, fake: Tensor) -> Tensor:
    """mean sign(D(x)), from -1 to 1: near 1 where D is sure of all it has seen (ADA, arXiv:2006.06676, r_t of equation 1).

    The sign is taken from where this loss leaves D undecided, and of D(x) - D(G(z)) where it judges pairs. For a loss that has
    neither there is no such number.
    """
    if loss.paired:
        return torch.sign(flat(real) - flat(fake)).mean()
    assert loss.middle is not None, "the record refuses to follow a sign that there is not"
    return torch.sign(flat(real) - loss.middle).mean()


def best_of(scores: Tensor, count: int) -> Tensor:
    """(B,) bool: which are the `count` highest; of equal ones, those that come first."""
    chosen = torch.zeros_like(scores, dtype=torch.bool)
    chosen[scores.argsort(descending=True, stable=True)[:count]] = True
    return chosen
