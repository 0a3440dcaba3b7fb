"""The optimisers, what each remembers of a parameter, and how the learning rates fall."""

from __future__ import annotations

import torch
from torch import nn

from sagan.training.config import TrainingConfig

Optimiser = torch.optim.Adam | torch.optim.RMSprop


def build_optimiser(network: nn.Module, rate: float, training: TrainingConfig) -> Optimiser:
    """Adam, or WGAN's RMSProp without momentum; the two networks' rates differ on purpose (TTUR, arXiv:1706.08500).

    foreach gives the bits of the plain loop; fused does not, so the choice is fixed: a resumed run must compute alike.
    """
    optimiser: Optimiser
    if training.optimiser == "rmsprop":
        optimiser = torch.optim.RMSprop(network.parameters(), lr=rate, alpha=training.beta2, foreach=True)
        averages: tuple[str, ...] = ("square_avg",)
    else:
        betas = (training.beta1, training.beta2)
        optimiser = torch.optim.Adam(network.parameters(), lr=rate, betas=betas, foreach=True)
        averages = ("exp_avg", "exp_avg_sq")
    # The tensors that its first step would make, made now: saving, loading and going back are then a copy like any other.
    for parameter in network.parameters():
        memory = {name: torch.zeros_like(parameter) for name in averages}
        optimiser.state[parameter].update({"step": torch.tensor(0.0)}, **memory)
    return optimiser


def set_rate(optimiser: Optimiser, rate: float, step: int, decay_steps: int) -> None:
    """The rate for the updates of a step, counted from 0: `rate`, falling linearly to 0 at `decay_steps` unless that is 0."""
    share = 1.0 if decay_steps == 0 else max(0.0, 1.0 - step / decay_steps)
    for group in optimiser.param_groups:
        group["lr"] = rate * share
