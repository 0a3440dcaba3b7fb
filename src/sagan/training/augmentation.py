"""What the discriminator is shown in place of pictures, in both players' updates alike."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagan.augment import AUGMENTATIONS
from sagan.augment.draws import MOST, Draws
from sagan.augment.geometry import shift_mirrored
from sagan.layers.precision import full_precision
from sagan.randomness import Stream, uniform
from sagan.training.game import Game

CONSISTENT_SHIFT = 1 / 8  # of a side: how far consistency moves pictures


def shown(game: Game, stream: Stream, ids: NDArray[np.int64], pictures: Tensor) -> Tensor:
    """Pictures (b, C, R, R) changed by the record's augmentation, or as they are without one; gradients flow through.

    stream, ids: (b,) what the changes depend on, with the run's seed.
    """
    config = game.config
    if config.augment == "none":
        return pictures
    probability = game.memory.get("augment/p", 1.0)
    with full_precision(pictures):
        draws = Draws(draw_numbers(game, stream, ids, MOST), probability)
        return AUGMENTATIONS[config.augment](_wide(pictures), draws, config.kinds)


def moved(game: Game, ids: NDArray[np.int64], pictures: Tensor) -> Tensor:
    """Pictures moved by a few whole pixels, so that they show the same: (b, C, R, R)."""
    draws, most = Draws(draw_numbers(game, Stream.CONSISTENCY, ids, 2)), round(pictures.shape[-1] * CONSISTENT_SHIFT)
    return shift_mirrored(pictures, draws.whole(-most, most), draws.whole(-most, most))


def draw_numbers(game: Game, stream: Stream, ids: NDArray[np.int64], count: int) -> Tensor:
    """(b, count) uniform numbers: a pure function of (seed, stream, id)."""
    return torch.from_numpy(uniform(game.noise_seed, stream, ids, count)).float().to(game.device)


def _wide(pictures: Tensor) -> Tensor:
    """In float32 or better: interpolated colours would show the steps of bf16."""
    return pictures.to(torch.promote_types(pictures.dtype, torch.float32))
