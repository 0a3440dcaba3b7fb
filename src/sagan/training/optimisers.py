"""The optimisers, what each remembers of a parameter, and how the learning rates fall."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from sagan.layers.order import in_order_of, memory_order
from sagan.training.config import TrainingConfig

Optimiser = torch.optim.Adam | torch.optim.RMSprop


class FusedAdam(torch.optim.Adam):
    """torch's Adam in one pass over each weight, which its plain loop crosses a dozen times.

    torch's fused kernel first copies whatever does not lie in the order of its axes. Adam does not care about axes: it is
    shown every tensor in the order in which it lies.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update each parameter that has a gradient."""
        assert closure is None, "no loss is computed anew here"
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            memory = [self.state[parameter] for parameter in moved]
            beta1, beta2 = group["betas"]
            adam(
                [as_it_lies(parameter) for parameter in moved],
                [as_it_lies(in_order_of(parameter, parameter.grad)) for parameter in moved],
                [as_it_lies(each["exp_avg"]) for each in memory],
                [as_it_lies(each["exp_avg_sq"]) for each in memory],
                [],
                [each["step"] for each in memory],
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=0.0,
                eps=group["eps"],
                maximize=False,
            )


def as_it_lies(tensor: Tensor) -> Tensor:
    """A view with the axes in the order of memory."""
    return tensor.permute(memory_order(tensor))


def build_optimiser(network: nn.Module, rate: float, training: TrainingConfig) -> Optimiser:
    """Adam, or WGAN's RMSProp without momentum; the two networks' rates differ on purpose (TTUR, arXiv:1706.08500).

    Which of torch's kernels computes is fixed: they round differently, and a resumed run must compute alike.
    """
    optimiser: Optimiser
    if training.optimiser == "rmsprop":
        optimiser = torch.optim.RMSprop(network.parameters(), lr=rate, alpha=training.beta2, foreach=True)
        averages: tuple[str, ...] = ("square_avg",)
    else:
        betas = (training.beta1, training.beta2)
        optimiser = FusedAdam(network.parameters(), lr=rate, betas=betas)
        averages = ("exp_avg", "exp_avg_sq")
    # The tensors that its first step would make, made now: saving, loading and going back are then a copy like any other.
    for parameter in network.parameters():
        memory = {name: torch.zeros_like(parameter) for name in averages}
        steps = torch.zeros((), device=parameter.device if isinstance(optimiser, FusedAdam) else "cpu")
        optimiser.state[parameter].update({"step": steps}, **memory)
    return optimiser


def set_rate(optimiser: Optimiser, rate: float, step: int, decay_steps: int) -> None:
    """The rate for the updates of a step, counted from 0: `rate`, falling linearly to 0 at `decay_steps` unless that is 0."""
    share = 1.0 if decay_steps == 0 else max(0.0, 1.0 - step / decay_steps)
    for group in optimiser.param_groups:
        group["lr"] = rate * share
