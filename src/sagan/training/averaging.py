"""The averaged generator: an exponential moving average of the live one's parameters (spec 5.3).

What happens to each kind of state is a rule, because two of the usual ones are bugs:

    parameters                copied until `start`, averaged from then on
    batch-norm statistics     copied from the live generator
    spectral u and v          the copy's own, advanced by one power iteration at each update: an average of unit vectors is
                              shorter than one, which would make sigma too small and pictures explode
"""

from __future__ import annotations

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sagan.layers.norm import BatchNorm2d
from sagan.layers.spectral import advance
from sagan.models.network import Generator


class AveragedGenerator:
    """Follows a live generator. `model` is what pictures are drawn from; it is always in eval mode.

    decay: of the average, in [0, 1); 0 means a plain copy at all times.  start: until this step, too, it is a copy.
    """

    def __init__(self, live: Generator, *, decay: float, start: int) -> None:
        self.decay, self.start = decay, start
        self.model = copy.deepcopy(live).eval().requires_grad_(False)
        self._mix = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self, live: Generator, step: int) -> None:
        """Take in the live generator after its update number `step`, counted from 1."""
        if self.decay == 0.0 or step <= self.start:
            self.model.load_state_dict(live.state_dict())
            return
        self._mix(list(self.model.parameters()), list(live.parameters()), step)
        for ours, theirs in zip(self.model.modules(), live.modules(), strict=True):
            if isinstance(ours, BatchNorm2d) and isinstance(theirs, BatchNorm2d):
                ours.running_mean.copy_(theirs.running_mean)
                ours.running_var.copy_(theirs.running_var)
        advance(self.model)
