"""Standing statistics: what a generator's batch norms take in place of the averages of training.

The averages of training (the default, as in SAGAN's released code) lag behind the weights, and they are of untruncated latents.
Standing statistics are taken afresh (BigGAN, arXiv:1809.11096, appendix H; spec 6.4): so many batches of a stated size, with
the truncation of the pictures to come, each batch norm's mean and variance averaged over the batches with equal weight.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

import torch

from sagan.errors import ConfigError
from sagan.layers.norm import BatchNorm2d
from sagan.models.network import Generator
from sagan.sampling import draw_labels, draw_latents

FIRST_SEED = (
    1 << 62
)  # of the pictures that are looked at: far from those that people draw, so that these are no part of it
MAX_BATCHES, MAX_BATCH = 4096, 4096


@dataclass(frozen=True)
class Standing:
    """The policy. batches: how many.  size: pictures in each, of classes drawn uniformly."""

    batches: int = 16
    size: int = 64

    def __str__(self) -> str:
        return f"standing:{self.batches}x{self.size}"


def read_statistics(words: str) -> Standing | None:
    """'running' -> None; 'standing' or 'standing:16x64' -> the policy. Raises ConfigError."""
    if words == "running":
        return None
    match = re.fullmatch(r"standing(?::(\d{1,6})x(\d{1,6}))?", words)
    policy = Standing(int(match[1]), int(match[2])) if match and match[1] else Standing()
    if match is None or not (1 <= policy.batches <= MAX_BATCHES and 2 <= policy.size <= MAX_BATCH):
        raise ConfigError(
            f"stats is {words!r}",
            remedy=f"Write running, standing, or standing:16x64: 1 to {MAX_BATCHES:,} batches of 2 to {MAX_BATCH:,}.",
        )
    return policy


@torch.no_grad()
def with_standing_statistics(generator: Generator, policy: Standing, truncation: float = 0.0) -> Generator:
    """A copy, in eval mode, whose batch norms hold the statistics of the policy's pictures; the generator stays as it is.

    Every batch norm sees what those before it make of the same batch, as in training. The same policy and truncation give
    the same statistics. Raises ConfigError for a generator without batch norm.
    """
    made = copy.deepcopy(generator)
    norms = [module for module in made.modules() if isinstance(module, BatchNorm2d)]
    if not norms:
        raise ConfigError("this generator has no batch norm", remedy="Leave out --stats.")
    for norm in norms:
        norm.group = 0  # the policy says what a batch is
    device = next(made.parameters()).device
    made.train()
    for batch in range(policy.batches):
        for norm in norms:
            norm.momentum = 1.0 / (
                batch + 1
            )  # so that the average is over all batches alike; the first replaces training's
        first = FIRST_SEED + batch * policy.size
        seeds = range(first, first + policy.size)
        latents = torch.from_numpy(draw_latents(seeds, made.z_dim, truncation)).to(device)
        made(latents, torch.from_numpy(draw_labels(seeds, made.classes)).to(device) if made.classes else None)
    return made.eval()
