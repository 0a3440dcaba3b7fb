"""The two players, their optimisers, and the numbers a restart needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ModelConfig
from sagan.models.discriminator import Discriminator
from sagan.models.generator import Generator
from sagan.randomness import Stream, integers, normal
from sagan.runtime import Runtime
from sagan.training.averaging import AveragedGenerator
from sagan.training.config import TrainingConfig


@dataclass
class Game:
    """Everything the update step touches. Counters are of finished updates."""

    config: TrainingConfig
    generator: Generator
    discriminator: Discriminator
    averaged: AveragedGenerator
    generator_optimiser: torch.optim.Adam
    discriminator_optimiser: torch.optim.Adam
    arithmetic: Callable[[], AbstractContextManager[None]]  # autocast, where the run computes in bf16
    device: torch.device
    step: int = 0
    critic_updates: int = 0

    @property
    def images(self) -> int:
        """Real pictures shown to the discriminator so far."""
        return self.critic_updates * self.config.batch_size

    def draw_noise(self, noise: Stream, label: Stream, update: int) -> tuple[Tensor, Tensor | None]:
        """The latents (B, z) and uniformly drawn labels (B,) of one update: a pure function of (seed, stream, update)."""
        batch = self.config.batch_size
        ids = update * batch + np.arange(batch)
        latents = torch.from_numpy(normal(self.config.seed, noise, ids, self.generator.z_dim)).to(self.device)
        if not self.generator.classes:
            return latents, None
        labels = integers(self.config.seed, label, ids, 1, self.generator.classes)[:, 0]
        return latents, torch.from_numpy(labels).to(self.device)


def new_game(model: ModelConfig, training: TrainingConfig, classes: int, runtime: Runtime) -> Game:
    """Fresh players at step 0, drawn from the run's seed. classes: 0 for an unconditional game."""
    generator = runtime.place(build_generator(model, classes, seed=training.seed))
    discriminator = runtime.place(build_discriminator(model, classes, seed=training.seed))
    return Game(
        config=training,
        generator=generator.train(),
        discriminator=discriminator.train(),
        averaged=AveragedGenerator(generator, decay=training.ema, start=training.ema_start),
        generator_optimiser=_adam(generator, training.g_lr, training),
        discriminator_optimiser=_adam(discriminator, training.d_lr, training),
        arithmetic=runtime.arithmetic(training.precision),
        device=runtime.device,
    )


def _adam(network: nn.Module, rate: float, training: TrainingConfig) -> torch.optim.Adam:
    """Adam; the discriminator's rate differs from the generator's on purpose (TTUR, arXiv:1706.08500).

    foreach gives the bits of the plain loop; fused does not, so the choice is fixed: a resumed run must compute alike.
    """
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(training.beta1, training.beta2), foreach=True)


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
