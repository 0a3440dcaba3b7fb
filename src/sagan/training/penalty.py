"""The part of the discriminator's loss that looks at its gradient, on the batch that the update has in hand."""

from __future__ import annotations

import torch
from torch import Tensor

from sagan.layers.attention import explicit_attention
from sagan.layers.precision import full_precision
from sagan.losses.penalties import interpolate, unit_norm_penalty, zero_norm_penalty
from sagan.randomness import Stream, uniform
from sagan.training.game import Game


def is_due(game: Game) -> bool:
    """Whether the update at hand takes the penalty: every one, or (lazily) every so many."""
    return game.config.penalised and game.critic_updates % game.config.penalty_every == 0


def draw_shares(game: Game) -> Tensor:
    """(b,) uniform, for this process's pictures of the batch: where between a real picture and a fake WGAN-GP looks; a pure
    function of (seed, update)."""
    ids = game.ids(game.critic_updates, game.config.batch_size)
    return torch.from_numpy(uniform(game.noise_seed, Stream.PENALTY, ids, 1)[:, 0]).float().to(game.device)


def penalty(
    game: Game, part: slice, *, real: Tensor, fake: Tensor, real_labels: Tensor | None, fake_labels: Tensor | None
) -> Tensor:
    """The weighted sum of the record's penalties at a part of the update's batch, a scalar in float32 with a graph.

    part: which pictures of the batch these are.  real, fake: (B, C, R, R). Where WGAN-GP is used, fakes have the labels
    of the real pictures beside them, so that what lies between has one label too.
    `forward` is called by its name: what `--compile` makes of a network has no second derivatives.
    A lazy penalty counts for the updates without one (StyleGAN2, arXiv:1912.04958, appendix B).
    """
    config, total = game.config, torch.zeros((), device=game.device)
    with explicit_attention(game.discriminator), full_precision(real):
        if config.gp:
            between = interpolate(real, fake, draw_shares(game)[part])
            total = total + config.gp * unit_norm_penalty(game.discriminator.forward(between, real_labels), between)
        for weight, pictures, labels in ((config.r1, real, real_labels), (config.r2, fake, fake_labels)):
            if weight:
                leaf = pictures.detach().requires_grad_()
                total = total + weight * zero_norm_penalty(game.discriminator.forward(leaf, labels), leaf)
    return total * config.penalty_every
