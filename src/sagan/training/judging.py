"""The discriminator's answers to real pictures and fakes together."""

from __future__ import annotations

import torch
from torch import Tensor

from sagan.layers.norm import mixes_pictures
from sagan.training.game import Game


def judge_both(
    game: Game, real: Tensor, fake: Tensor, *, real_labels: Tensor | None, fake_labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The logits of real pictures and of fakes, in one pass; in two where batch norm would let them see each other."""
    if mixes_pictures(game.discriminator):
        return game.discriminator(real, real_labels), game.discriminator(fake, fake_labels)
    on_real, on_fake = game.discriminator(torch.cat([real, fake]), join(real_labels, fake_labels)).split(len(real))
    return on_real, on_fake


def join(real: Tensor | None, fake: Tensor | None) -> Tensor | None:
    """Labels of real pictures, then those of fakes; None for unconditional networks."""
    return None if real is None or fake is None else torch.cat([real, fake])
