"""What the parts for small sets remember from one discriminator update to the next: named scalars, in every checkpoint.

augment/p        probability of each change of the adaptive augmentation
augment/sign     D's sign of overfitting, averaged over the last few hundred pictures
lecam/real       moving averages of the logits of real pictures
lecam/fake       and of fakes

Every process of a run computes them alike, from means over all processes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sagan.losses.adversarial import LOSSES
from sagan.losses.regularisers import overfitting_sign
from sagan.training.config import TrainingConfig

SIGN = "augment/sign"
SIGN_PICTURES = 256  # that its average reaches back over; ADA looks at four batches of 64
MOST_OFTEN = 0.8  # up to here changes do not leak into what is generated (ADA, section 2.2)


def starting_memory(config: TrainingConfig, device: torch.device) -> dict[str, Tensor]:
    """The scalars of a fresh game; only those that its record needs."""
    values: dict[str, float] = {}
    if config.augment == "adaptive":
        values |= {"augment/p": config.aug_p}
    if _has_sign(config):
        values |= {SIGN: 0.0}
    if config.lecam:
        values |= {"lecam/real": 0.0, "lecam/fake": 0.0}
    return {name: torch.tensor(value, device=device) for name, value in values.items()}


def _has_sign(config: TrainingConfig) -> bool:
    """Also at a fixed p: it may be set free when the run goes on."""
    loss = LOSSES[config.loss]
    return config.augment == "adaptive" and (loss.paired or loss.middle is not None)


def sign_of(config: TrainingConfig, *, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """The sign of overfitting of a batch's logits, by its name; nothing where no augmentation follows it."""
    return {SIGN: overfitting_sign(LOSSES[config.loss], real=real, fake=fake)} if _has_sign(config) else {}


@torch.no_grad()
def remember(memory: dict[str, Tensor], config: TrainingConfig, measured: dict[str, Tensor], first: bool) -> None:
    """Take in what an update of the discriminator measured, in place. first: of the run.

    p moves at an even speed, by the side of its target on which the sign is (ADA, section 3).
    """
    if SIGN in measured:
        sign = memory[SIGN]
        sign.lerp_(measured[SIGN].to(sign.dtype), min(1.0, config.batch_size / SIGN_PICTURES))
    if config.adapts:
        sign, p = memory[SIGN], memory["augment/p"]
        stride = config.batch_size / (1000 * config.aug_kimg)
        p.add_(torch.sign(sign - config.aug_target), alpha=stride).clamp_(0.0, MOST_OFTEN)
    if config.lecam:
        for kind in ("real", "fake"):
            anchor = memory[f"lecam/{kind}"]
            anchor.lerp_(measured[f"logit/{kind}"].to(anchor.dtype), 1.0 if first else 1 - config.lecam_decay)
