"""What the discriminator minimises beside the game itself: each part is off unless the record gives it a weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sagan.losses.regularisers import disagreement, lecam
from sagan.training.augmentation import moved
from sagan.training.game import Game
from sagan.training.judging import judge_both
from sagan.training.penalty import is_due, penalty


@dataclass(frozen=True)
class Judged:
    """A part of an update's batch: pictures (b, C, R, R) as D was shown them, what it said of them, and their labels."""

    real: Tensor
    fake: Tensor
    on_real: Tensor
    on_fake: Tensor
    real_labels: Tensor | None
    fake_labels: Tensor | None


def extras(game: Game, part: slice, ids: NDArray[np.int64], judged: Judged) -> dict[str, Tensor]:
    """The weighted terms that this update takes, by name, scalars with a graph.

    part, ids: which pictures of the update's batch these are.
    """
    config, found = game.config, dict[str, Tensor]()
    if is_due(game):
        found["penalty"] = penalty(
            game,
            part,
            real=judged.real,
            fake=judged.fake,
            real_labels=judged.real_labels,
            fake_labels=judged.fake_labels,
        )
    if config.lecam:
        anchors = {"real_anchor": game.memory["lecam/real"], "fake_anchor": game.memory["lecam/fake"]}
        found["lecam"] = config.lecam * lecam(real=judged.on_real, fake=judged.on_fake, **anchors)
    if config.cr or config.cr_fake:
        found["consistency"] = consistency(game, ids, judged)
    return found


def consistency(game: Game, ids: NDArray[np.int64], judged: Judged) -> Tensor:
    """How much D's answers depend on where in the picture things are: of real pictures (CR, arXiv:1910.12027) and, with a
    weight for them too, of fakes (bCR, arXiv:2002.04724, algorithm 1).

    The pictures move by whole pixels alone: that a mirror image shows the same is for `mirror` to say.
    """
    config, real = game.config, moved(game, ids, judged.real)
    with game.arithmetic():
        if not config.cr_fake:
            return config.cr * disagreement(judged.on_real, game.discriminator(real, judged.real_labels))
        fake = moved(game, ids, judged.fake)
        on_real, on_fake = judge_both(game, real, fake, real_labels=judged.real_labels, fake_labels=judged.fake_labels)
    of_real, of_fake = disagreement(judged.on_real, on_real), disagreement(judged.on_fake, on_fake)
    return config.cr * of_real + config.cr_fake * of_fake
