"""Top-k: the generator learns from the fakes that the discriminator likes best (Sinha et al., arXiv:2002.06224)."""

from __future__ import annotations

import math

from torch import Tensor

from sagan.losses.adversarial import flat
from sagan.losses.regularisers import best_of
from sagan.training.game import Game


def share_kept(game: Game) -> float:
    """The share of a batch that is learned from: 1 at first, falling by even factors to `topk` at `topk_kimg`."""
    config = game.config
    if not config.topk:
        return 1.0
    done = min(1.0, game.images / (1000 * config.topk_kimg)) if config.topk_kimg else 1.0
    return float(config.topk**done)


def generator_loss(game: Game, logits: dict[str, Tensor]) -> Tensor:
    """The generator's loss over a part of its batch, a scalar; with top-k over the best of that part's fakes alone.

    logits: of "fake", and of "real" for a loss that pairs them; (B,) or (B, 1).
    """
    if not game.config.topk:
        return game.loss.generator(**logits)
    ranks, scores = game.ranks, flat(logits["fake"])
    placed = scores.new_zeros(ranks.size, len(scores))
    placed[ranks.rank] = scores.detach()
    everyone = ranks.total(placed)  # the best are those of all processes' fakes
    count = max(1, math.ceil(share_kept(game) * everyone.numel()))
    chosen = best_of(everyone.flatten(), count).view_as(everyone)[ranks.rank]
    if not bool(chosen.any()):  # others have the best ones; a mean of none would be no number
        return scores.sum() * 0.0
    loss = game.loss.generator(**{kind: flat(values)[chosen] for kind, values in logits.items()})
    weight: Tensor = chosen.sum() * (ranks.size / count)  # so that the mean over the processes is that over the best
    return loss * weight
