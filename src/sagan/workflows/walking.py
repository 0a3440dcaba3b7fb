"""Ways through a generator's latents and classes, frame by frame."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagan.layers.norm import BatchNorm2d
from sagan.models.network import Generator
from sagan.sampling import between_latents, draw_latents

Bend = Literal["sphere", "line"]
Latent = NDArray[np.float32]


@dataclass(frozen=True)
class Walk:
    """One row a frame. latents: (n, z_dim).  classes: (n, K) shares of each class, rows sum to one; K may be 0."""

    latents: NDArray[np.float32]
    classes: NDArray[np.float32]


def walk(
    seeds: Sequence[int],
    labels: Sequence[int],
    *,
    z_dim: int,
    classes: int,
    between: int,
    loop: bool,
    bend: Bend = "sphere",
    truncation: float = 0.0,
    given: Latent | None = None,
) -> Walk:
    """From each seed, with its class, to the next in `between` equal steps, and back to the first with `loop`.

    seeds, labels: two or more.  given: latents (k, z_dim) that come before those of the seeds; labels then begin with theirs.
    classes: K, 0 for none.  bend: along the arc between two latents, on which samples of a
    normal distribution lie, or straight through the sparse middle.  Without `loop` the last seed is the last frame.
    """
    keys = draw_latents(seeds, z_dim, truncation)
    if given is not None:
        keys = np.concatenate([given, keys])
    shares = np.eye(classes)[np.asarray(labels)] if classes else np.zeros((len(keys), 0))
    following = [*range(1, len(keys)), 0] if loop else list(range(1, len(keys)))
    latents, mixes = [], []
    for first, second in zip(range(len(following)), following, strict=True):
        for step in range(between):
            share = step / between
            latents.append(on_the_way(keys[first], keys[second], share, bend))
            mixes.append((1 - share) * shares[first] + share * shares[second])
    if not loop:
        latents.append(keys[-1])
        mixes.append(shares[-1])
    return Walk(np.stack(latents).astype(np.float32), np.stack(mixes).astype(np.float32))


def on_the_way(first: Latent, second: Latent, share: float, bend: Bend) -> Latent:
    """A latent on the way: share 0 is the first, 1 the second."""
    if bend == "line":
        return ((1 - share) * first + share * second).astype(np.float32)
    return between_latents(first, second, share)


@torch.no_grad()
def blend_classes(generator: Generator, shares: NDArray[np.float32]) -> Generator:
    """A copy whose class number i is the mixture shares[i] of the generator's own classes.

    shares: (n, K). The tables of the batch norms are all that a generator here knows of its classes, and it is linear in
    them, so a mixture of classes is a mixture of rows (as in BigGAN, arXiv:1809.11096, figure 8). The copy is an ordinary
    generator of n classes: it can be folded, and looked at, as any other. All else it shares with the generator.
    """
    shared = {id(tensor): tensor for tensor in (*generator.parameters(), *generator.buffers())}
    mixed = copy.deepcopy(generator, shared)
    mixed.classes = len(shares)
    for module in mixed.modules():
        if isinstance(module, BatchNorm2d) and module.classes:
            weights = torch.from_numpy(shares).to(module.gain)
            module.classes = len(shares)
            module.gain = torch.nn.Parameter(weights @ module.gain, requires_grad=False)
            module.bias = torch.nn.Parameter(weights @ module.bias, requires_grad=False)
    return mixed


def labels_of(frames: slice, device: torch.device) -> Tensor:
    """The labels of a walk's frames for the generator that `blend_classes` made: their own numbers."""
    return torch.arange(frames.start, frames.stop, device=device)
