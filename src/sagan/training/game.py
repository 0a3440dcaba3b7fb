"""The two players, their optimisers, and the numbers a restart needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
from sagan.runtime import Runtime, require_memory
from sagan.training.averaging import AveragedGenerator
from sagan.training.config import TrainingConfig
from sagan.training.optimisers import Optimiser, build_optimiser


@dataclass
class Game:
    """Everything the update step touches. Counters are of finished updates.

    label_shares: (classes,) how often each class is drawn for fakes; None for all alike.
    rollbacks: the steps at which numbers left the finite, so that the run went back and drew other noise.
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

    @property
    def noise_seed(self) -> int:
        """What all noise depends on: the record's seed, and another one after each rollback."""
        if not self.rollbacks:
            return self.config.seed
        low, high = map(int, bits(self.config.seed, Stream.ROLLBACK, len(self.rollbacks), 2))
        return (high >> 1) << 32 | low

    @property
    def loss(self) -> AdversarialLoss:
        """What the players minimise."""
        return LOSSES[self.config.loss]

    @property
    def images(self) -> int:
        """Real pictures shown to the discriminator so far."""
        return self.critic_updates * self.config.batch_size

    def draw_noise(
        self, noise: Stream, label: Stream, update: int, count: int | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The latents (B, z) and labels (B,) of one update's fakes: a pure function of (seed, stream, update).

        count: B; None for the batch size. Labels are uniform over the classes, or follow `label_shares`.
        """
        seed, count = self.noise_seed, count or self.config.batch_size
        ids = update * count + np.arange(count)
        latents = torch.from_numpy(normal(seed, noise, ids, self.generator.z_dim)).to(self.device)
        if not self.generator.classes:
            return latents, None
        if self.label_shares is None:
            labels = integers(seed, label, ids, 1, self.generator.classes)[:, 0]
        else:
            labels = np.searchsorted(self.label_shares.cumsum()[:-1], uniform(seed, label, ids, 1)[:, 0], side="right")
        return latents, torch.from_numpy(labels.astype(np.int64)).to(self.device)


def new_game(
    model: ModelConfig, training: TrainingConfig, classes: int, runtime: Runtime, *, counts: Sequence[int] = ()
) -> Game:
    """Fresh players at step 0, drawn from the run's seed.

    classes: 0 for an unconditional game.  counts: pictures a class, for `fake_labels` "data".
    Raises ConfigError, ResourceError for networks that are too large, before memory is given to them.
    """
    _refuse_too_large(model, classes, runtime)
    generator = runtime.place(build_generator(model, classes, seed=training.seed))
    discriminator = runtime.place(build_discriminator(model, classes, seed=training.seed))
    for part in discriminator.beginning(training.freeze_d):
        part.requires_grad_(False)  # the optimiser passes over what has no gradient
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
