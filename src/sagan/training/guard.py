"""Numbers that leave the finite: noticed before anything remembers them, and a way back.

One NaN in a gradient is in every weight after the update, in the average at once after that, and for good. So each step
asks `require_finite` before the average or a checkpoint takes anything in; what then goes back, and how often, is the matter
of `LastGood`. Asking waits for the device once a step, where reading the answer a step later would not; in return nothing
that is not finite ever reaches the average, and a step that failed is simply not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sagan.errors import NumericError
from sagan.training.game import Game
from sagan.training.optimisers import Optimiser
from sagan.training.state import game_tensors

SNAPSHOT_EVERY = 100  # steps between copies of the last good state
LAST_MEASURED = "loss/generator"  # in a report: what is measured when the discriminator has moved already
MOST, WITHIN = 3, 1000  # so many times in so many steps it may go back


def require_finite(game: Game, report: Mapping[str, Tensor]) -> None:
    """Refuse to go on from a step that left a number of the game or of its report not finite.

    Called when both networks have moved and before the average takes anything in. Waits for the device once.
    Raises NumericError naming the first such number, in the order in which they arise.
    """
    measured = {name: value.float() for name, value in report.items()}
    last = {name: measured.pop(name) for name in [LAST_MEASURED] if name in measured}
    values = measured | _touched(game.discriminator, game.discriminator_optimiser, "the discriminator's")
    values |= last | _touched(game.generator, game.generator_optimiser, "the generator's")
    sums = torch.stack(
        [value.sum() for value in values.values()]
    )  # one number not finite makes a sum so; no norm is so quick
    if bool(torch.isfinite(sums).all()):
        return
    for name, value in values.items():
        if not bool(torch.isfinite(value).all()):  # a sum may overflow where no number has
            raise NumericError(f"{name} is not finite")


def _touched(network: nn.Module, optimiser: Optimiser, whose: str) -> dict[str, Tensor]:
    """What an update changes, by name: gradients, the optimiser's memory (its count of steps lies elsewhere), state."""
    values: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            values[f"{whose} gradient of {name}"] = parameter.grad
        memory = optimiser.state[parameter]
        values |= {f"{whose} {kind} of {name}": tensor for kind, tensor in memory.items() if kind != "step"}
    state = network.state_dict()
    return values | {f"{whose} {name}": tensor for name, tensor in state.items() if tensor.is_floating_point()}


class LastGood:
    """A copy of the last good state of a game, in the computer's own memory.

    Going back draws other noise from there on (`Game.noise_seed`), since the same noise would lead to the same place.
    """

    def __init__(self, game: Game) -> None:
        self._tensors = {name: torch.empty_like(tensor, device="cpu") for name, tensor in game_tensors(game).items()}
        self.keep(game)

    @torch.no_grad()
    def keep(self, game: Game) -> None:
        """Copy all that an update can change."""
        for name, tensor in game_tensors(game).items():
            self._tensors[name].copy_(tensor)
        self._step, self._critic_updates = game.step, game.critic_updates

    @torch.no_grad()
    def go_back(self, game: Game, broke_at: int) -> None:
        """Put the copy back into the game. broke_at: the step that broke, to be remembered."""
        for name, tensor in game_tensors(game).items():
            tensor.copy_(self._tensors[name])
        game.step, game.critic_updates = self._step, self._critic_updates
        game.rollbacks = (*game.rollbacks, broke_at)


def breaks_too_often(rollbacks: Sequence[int]) -> bool:
    """Whether a run has gone back so often lately that going back once more would not help."""
    return sum(step > rollbacks[-1] - WITHIN for step in rollbacks) > MOST
