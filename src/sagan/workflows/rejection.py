"""Rejection by the discriminator's score: of many pictures those that its discriminator takes most for real.

After discriminator rejection sampling (Azadi et al., arXiv:1810.06758), in its plainest form: a fixed share is kept, by rank.
So it is a choice among pictures and says nothing of the generator: what is rare is rejected first, and variety falls. How good
the choice is depends on the discriminator, which is often the weaker one of the two by then.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.models.network import Discriminator
from sagan.sampling import INNER_BATCH


def drawn_for(kept: int, share: float) -> int:
    """How many pictures to draw so that `share` of them are `kept`. Raises ConfigError for a share outside (0, 1]."""
    require_share(share)
    return math.ceil(kept / share - 1e-9)


def require_share(share: float) -> None:
    """Raises ConfigError."""
    if not 0 < share <= 1:
        raise ConfigError(
            f"keep-best is {share:g}", remedy="Give the share to keep, such as 0.25 of all that are drawn."
        )


def best_of(logits: NDArray[np.float64], labels: NDArray[np.int64], kept: int) -> NDArray[np.int64]:
    """The places of the `kept` best, ascending: (n,), (n,) -> (kept,).

    Best of its class: a projection discriminator's logits of different classes cannot be compared, and the easiest class would
    crowd out the others. So each class keeps its share, to within one picture; among equals the first.
    """
    standing = np.empty(len(logits))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(-logits[members], kind="stable")]
        standing[order] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(np.argsort(standing, kind="stable")[:kept])


@torch.no_grad()
def judge(
    discriminator: Discriminator, pictures: NDArray[np.uint8], labels: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """The discriminator's logit of each picture: (n, R, R, C), (n,) -> (n,).  labels: None without classes.

    In eval mode and in sampling's fixed inner batch: a picture's logit does not depend on what is judged beside it.
    """
    device = next(discriminator.parameters()).device
    found = []
    for first in range(0, len(pictures), INNER_BATCH):
        rows = np.minimum(np.arange(first, first + INNER_BATCH), len(pictures) - 1)
        images = torch.from_numpy(pictures[rows]).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        classes = None if labels is None else torch.from_numpy(labels[rows]).to(device)
        found.append(discriminator(images, classes).cpu().double().numpy()[: len(pictures) - first])
    return np.concatenate(found)


def judge_mixed(
    discriminator: Discriminator, pictures: NDArray[np.uint8], shares: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The same of pictures of one mixture of classes.  shares: (K,), which sum to one.

    The mean of its classes' logits: for projection, which is linear in the class, that is the logit of the mixed embedding.
    """
    classes = np.flatnonzero(shares)
    return np.sum([shares[k] * judge(discriminator, pictures, np.full(len(pictures), k)) for k in classes], axis=0)
