"""The alternating update of SAGAN, as the paper has it: n_dis discriminator updates, then one generator update.

Fakes of the discriminator's update are made without a graph; the discriminator is frozen in the generator's. The generator
is in training mode in both; its running statistics move only in its own update. u and v of a network move once per update
of that network. With gradient accumulation each part of the batch is normalised by its own statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sagan.data.batches import Batch
from sagan.layers.norm import still_statistics
from sagan.layers.spectral import advance
from sagan.losses.adversarial import hinge_discriminator, hinge_generator
from sagan.randomness import Stream
from sagan.training.game import Game, frozen

Report = dict[str, Tensor]


def train_step(game: Game, batches: Iterator[Batch]) -> Report:
    """One step. Returns what its last updates measured, as scalars still on the device."""
    report: Report = {}
    for _ in range(game.config.n_dis):
        report |= update_discriminator(game, next(batches))
    return report | update_generator(game)


def update_discriminator(game: Game, batch: Batch) -> Report:
    """Minimise the hinge loss of the discriminator over one batch of real pictures and as many fakes."""
    latents, fake_labels = game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, game.critic_updates)
    real = to_signal(batch.pixels.to(game.device, non_blocking=True))
    real_labels = None if fake_labels is None else batch.labels.to(game.device, non_blocking=True)

    advance(game.discriminator)
    game.discriminator_optimiser.zero_grad()
    report = Sums()
    for part in parts(game):
        with game.arithmetic():
            with torch.no_grad(), still_statistics(game.generator):
                fake = game.generator(latents[part], pick(fake_labels, part))
            pictures = torch.cat([real[part], fake.to(real.dtype)])
            labels = join(pick(real_labels, part), pick(fake_labels, part))
            on_real, on_fake = game.discriminator(pictures, labels).chunk(2)
            loss = hinge_discriminator(real=on_real, fake=on_fake) / game.config.grad_accum
        loss.backward()
        report.add({"loss/discriminator": loss, "logit/real": on_real.mean(), "logit/fake": on_fake.mean()})
    game.discriminator_optimiser.step()
    game.critic_updates += 1
    return report.means(("logit/real", "logit/fake"), game.config.grad_accum)


def update_generator(game: Game) -> Report:
    """Minimise the hinge loss of the generator over one batch of fakes, then move the average."""
    latents, labels = game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, game.step)

    advance(game.generator)
    game.generator_optimiser.zero_grad()
    report = Sums()
    with frozen(game.discriminator):
        for part in parts(game):
            with game.arithmetic():
                fake = game.generator(latents[part], pick(labels, part))
                on_fake = game.discriminator(fake, pick(labels, part))
                loss = hinge_generator(fake=on_fake) / game.config.grad_accum
            loss.backward()
            report.add({"loss/generator": loss})
    game.generator_optimiser.step()
    game.step += 1
    game.averaged.update(game.generator, game.step)
    return report.means((), game.config.grad_accum)


def to_signal(pixels: Tensor) -> Tensor:
    """uint8 pixels -> float32 in [-1, 1], same shape."""
    return pixels.float().div_(127.5).sub_(1.0)


def parts(game: Game) -> list[slice]:
    """The slices of a batch that gradient accumulation works through."""
    size = game.config.batch_size // game.config.grad_accum
    return [slice(start, start + size) for start in range(0, game.config.batch_size, size)]


def pick(labels: Tensor | None, part: slice) -> Tensor | None:
    """A part of the labels; None stays None for unconditional networks."""
    return None if labels is None else labels[part]


def join(real: Tensor | None, fake: Tensor | None) -> Tensor | None:
    """Labels of real pictures, then those of fakes; None for unconditional networks."""
    return None if real is None or fake is None else torch.cat([real, fake])


class Sums(Report):
    """Adds up what the parts of a batch report."""

    def add(self, values: Report) -> None:
        for name, value in values.items():
            self[name] = self.get(name, 0) + value.detach()

    def means(self, names: tuple[str, ...], count: int) -> Report:
        """The sums, those under `names` divided by the number of parts."""
        return {name: value / count if name in names else value for name, value in self.items()}
