"""The two players, their optimisers, and the numbers a restart needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.norm import share_statistics
from sagan.losses.adversarial import LOSSES, AdversarialLoss
from sagan.models.build import (
    build_discriminator,
    build_generator,
    discriminator_outline,
    generator_outline,
    parameter_count,
)
from sagan.models.config import ModelConfig
from sagan.models.network import Discriminator, Generator
from sagan.randomness import Stream, bits, integers, normal, uniform
from sagan.ranks import ALONE, Ranks
from sagan.runtime import Runtime, require_memory
from sagan.training.averaging import AveragedGenerator
from sagan.training.config import TrainingConfig
from sagan.training.memory import starting_memory
from sagan.training.optimisers import Optimiser, build_optimiser

MOST_HALVED = 3  # a run that went back so often trains at an eighth of its rates


@dataclass
class Game:
    """Everything the update step touches. Counters are of finished updates.

    label_shares: (classes,) how often each class is drawn for fakes; None for all alike.
    rollbacks: the steps at which numbers left the finite, or the run was found failing, so that it went back and drew
    other noise.
    ranks: the processes that share each batch; sizes in `config` are of the whole batch.
    memory: scalars of the parts for small sets, see `training.memory`; empty without them.
    """

    config: TrainingConfig
    generator: Generator
    discriminator: Discriminator
    averaged: AveragedGenerator
    generator_optimiser: Optimiser
    discriminator_optimiser: Optimiser
    arithmetic: Callable[[], AbstractContextManager[None]]  # autocast, where the run computes in bf16
    device: torch.device
    label_shares: NDArray[np.float64] | None = None
    step: int = 0
    critic_updates: int = 0
    rollbacks: tuple[int, ...] = ()
    ranks: Ranks = ALONE
    memory: dict[str, Tensor] = field(default_factory=dict)

    @property
    def noise_seed(self) -> int:
        """What all noise depends on: the record's seed, and another one after each rollback."""
        if not self.rollbacks:
            return self.config.seed
        low, high = map(int, bits(self.config.seed, Stream.ROLLBACK, len(self.rollbacks), 2))
        return (high >> 1) << 32 | low

    @property
    def rate_share(self) -> float:
        """What is left of both learning rates: half after each going back, where the record asks for going back."""
        return 0.5 ** min(len(self.rollbacks), MOST_HALVED) if self.config.health == "rollback" else 1.0

    @property
    def loss(self) -> AdversarialLoss:
        """What the players minimise."""
        return LOSSES[self.config.loss]

    @property
    def images(self) -> int:
        """Real pictures shown to the discriminator so far."""
        return self.critic_updates * self.config.batch_size

    def ids(self, update: int, count: int) -> NDArray[np.int64]:
        """The numbers of this process's pictures in an update's batch of `count`; every picture of a run has its own."""
        return update * count + self.ranks.rows(count, self.config.grad_accum)

    def draw_noise(
        self, noise: Stream, label: Stream, update: int, count: int | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The latents (b, z) and labels (b,) of one update's fakes: a pure function of (seed, stream, update).

        count: fakes of all processes together; None for the batch size.  b: this one's. Labels are uniform over the
        classes, or follow `label_shares`.
        """
        seed, ids = self.noise_seed, self.ids(update, count or self.config.batch_size)
        latents = torch.from_numpy(normal(seed, noise, ids, self.generator.z_dim)).to(self.device)
        if not self.generator.classes:
            return latents, None
        if self.label_shares is None:
            labels = integers(seed, label, ids, 1, self.generator.classes)[:, 0]
        else:
            labels = np.searchsorted(self.label_shares.cumsum()[:-1], uniform(seed, label, ids, 1)[:, 0], side="right")
        return latents, torch.from_numpy(labels.astype(np.int64)).to(self.device)


def new_game(
    model: ModelConfig,
    training: TrainingConfig,
    classes: int,
    runtime: Runtime,
    *,
    counts: Sequence[int] = (),
    ranks: Ranks = ALONE,
) -> Game:
    """Fresh players at step 0, drawn from the run's seed.

    classes: 0 for an unconditional game.  counts: pictures a class, for `fake_labels` "data".  ranks: see Game.
    Raises ConfigError, ResourceError for networks that are too large, before memory is given to them.
    """
    _require_shares(model, training, ranks)
    _refuse_too_large(model, classes, runtime)
    generator = runtime.place(build_generator(model, classes, seed=training.seed))
    discriminator = runtime.place(build_discriminator(model, classes, seed=training.seed))
    for part in discriminator.beginning(training.freeze_d):
        part.requires_grad_(False)  # the optimiser passes over what has no gradient
    if ranks is not ALONE:
        share_statistics(generator, ranks)
        share_statistics(discriminator, ranks)
    by_data = training.fake_labels == "data" and len(counts) > 0
    return Game(
        config=training,
        generator=generator.train(),
        discriminator=discriminator.train(),
        averaged=AveragedGenerator(generator, decay=training.ema, start=training.ema_start),
        generator_optimiser=build_optimiser(generator, training.g_lr, training),
        discriminator_optimiser=build_optimiser(discriminator, training.d_lr, training),
        arithmetic=runtime.arithmetic(training.precision),
        device=runtime.device,
        label_shares=np.asarray(counts, dtype=np.float64) / sum(counts) if by_data else None,
        ranks=ranks,
        memory=starting_memory(training, runtime.device),
    )


def _require_shares(model: ModelConfig, training: TrainingConfig, ranks: Ranks) -> None:
    """Refuse batches that the processes cannot share equally, and groups of pictures that would lie across them."""
    for name, count in (("batch_size", training.batch_size), ("g_batch", training.fakes)):
        ranks.require_division(count, training.grad_accum, name)
        part = count // (training.grad_accum * ranks.size)
        if ranks.size > 1 and model.bn_group and part % model.bn_group:
            raise ConfigError(
                f"bn_group {model.bn_group} does not divide the {part} pictures that one of {ranks.size} processes has at once",
                remedy=f"Use bn_group {part} for statistics of each process alone, or 0 for those of all together.",
            )


def _refuse_too_large(model: ModelConfig, classes: int, runtime: Runtime) -> None:
    generator = parameter_count(generator_outline(model, classes))
    discriminator = parameter_count(discriminator_outline(model, classes))
    state = 4 * generator + 3 * discriminator  # weights, two of Adam's memory for each, and the generator's average
    numbers = state  # the copy to go back to lies in this memory wherever the run trains
    if runtime.device.type == "cpu":
        numbers += state + generator + discriminator  # gradients
    require_memory(4 * numbers, "training networks of these sizes")


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside, gradients flow through the network but not into its parameters."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
