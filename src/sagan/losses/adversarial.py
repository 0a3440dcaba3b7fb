"""Adversarial losses: tensors in, a scalar out. Real and fake are keyword-only, since swapping them is a silent bug.

Logits have shape (B,) or (B, 1); real and fake may differ in number.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def hinge_discriminator(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))) (SAGAN equation 4)."""
    return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()


def hinge_generator(*, fake: Tensor) -> Tensor:
    """-mean D(G(z)) (SAGAN equation 4)."""
    return -fake.float().mean()
