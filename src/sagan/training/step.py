"""The alternating update of all the games in the lineage: n_dis discriminator updates, then one generator update.

Fakes of the discriminator's update are made without a graph; the discriminator is frozen in the generator's. Both networks
are in training mode in both; running statistics and u and v of a network move only in that network's own updates. With
gradient accumulation each part of the batch is normalised by its own statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sagan.data.batches import Batch
from sagan.errors import ConfigError
from sagan.layers.norm import still_statistics
from sagan.layers.spectral import advance
from sagan.randomness import Stream
from sagan.training.augmentation import shown
from sagan.training.extras import Judged, extras
from sagan.training.game import Game, frozen
from sagan.training.guard import require_finite
from sagan.training.judging import judge_both
from sagan.training.memory import SIGN, remember, sign_of
from sagan.training.optimisers import set_rate
from sagan.training.selection import generator_loss

Report = dict[str, Tensor]


def train_step(game: Game, batches: Iterator[Batch]) -> Report:
    """One step. Returns what its last updates measured, as scalars still on the device.

    Raises NumericError when an update met a value that is not finite; the average has then not moved.
    """
    config = game.config
    set_rate(game.discriminator_optimiser, config.d_lr * game.rate_share, game.step, config.decay_steps)
    set_rate(game.generator_optimiser, config.g_lr * game.rate_share, game.step, config.decay_steps)
    report: Report = {}
    for _ in range(config.n_dis):
        batch = next(batches)
        report |= update_discriminator(game, batch)
    report |= update_generator(game, batch)
    require_finite(game, report)
    game.averaged.update(game.generator, game.step)
    return report


def update_discriminator(game: Game, batch: Batch) -> Report:
    """Minimise the discriminator's loss and its extras over one batch of real pictures and as many fakes."""
    config, ids = game.config, game.ids(game.critic_updates, game.config.batch_size)
    real, real_labels = signal(game, batch)
    latents, fake_labels = game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, game.critic_updates)
    if config.gp:  # what lies between a real picture and its fake must have one label
        fake_labels = real_labels

    advance(game.discriminator)
    game.discriminator_optimiser.zero_grad()
    report = Sums()
    for part in parts(len(latents), config.grad_accum):
        labels = {"real_labels": pick(real_labels, part), "fake_labels": pick(fake_labels, part)}
        with game.arithmetic():
            with torch.no_grad(), still_statistics(game.generator):
                fake = game.generator(latents[part], labels["fake_labels"]).to(real.dtype)
            shown_real = shown(game, Stream.AUGMENT_REAL, ids[part], real[part])
            shown_fake = shown(game, Stream.AUGMENT_FAKE, ids[part], fake)
            on_real, on_fake = judge_both(game, shown_real, shown_fake, **labels)
            loss = game.loss.discriminator(real=on_real, fake=on_fake) / config.grad_accum
        report.add({"loss/discriminator": loss, "logit/real": on_real.mean(), "logit/fake": on_fake.mean()})
        report.add(sign_of(config, real=on_real, fake=on_fake))
        judged = Judged(shown_real, shown_fake, on_real, on_fake, **labels)
        for name, extra in extras(game, part, ids[part], judged).items():
            extra = extra / config.grad_accum
            report.add({f"loss/{name}": extra / config.penalty_every if name == "penalty" else extra})
            loss = loss + extra
        loss.backward()
    measured = together(game, game.discriminator, report.means(("logit/real", "logit/fake", SIGN), config.grad_accum))
    game.discriminator_optimiser.step()
    clip(game)
    remember(game.memory, config, measured, first=game.critic_updates == 0)
    game.critic_updates += 1
    return measured | game.memory


def update_generator(game: Game, batch: Batch) -> Report:
    """Minimise the generator's loss over one batch of fakes.

    batch: real pictures for losses that pair them with the fakes; the others leave it alone.
    """
    config, ids = game.config, game.ids(game.step, game.config.fakes)
    latents, labels = game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, game.step, config.fakes)

    advance(game.generator)
    game.generator_optimiser.zero_grad()
    report = Sums()
    with frozen(game.discriminator), still_statistics(game.discriminator):
        for part in parts(len(latents), config.grad_accum):
            with game.arithmetic():
                fake = game.generator(latents[part], pick(labels, part))
                fake = shown(game, Stream.AUGMENT_GENERATOR, ids[part], fake)
                logits = {"fake": game.discriminator(fake, pick(labels, part))}
                if game.loss.paired:
                    real, real_labels = signal(game, batch)
                    paired = shown(game, Stream.AUGMENT_PAIR, ids[part], real[part])
                    logits["real"] = game.discriminator(paired, pick(real_labels, part))
                loss = generator_loss(game, logits) / config.grad_accum
            loss.backward()
            report.add({"loss/generator": loss})
    measured = together(game, game.generator, report)
    game.generator_optimiser.step()
    game.step += 1
    return measured


def together(game: Game, network: nn.Module, report: Report) -> Report:
    """Average over all processes, where there are several: the network's gradients in place, and what was measured."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return dict(game.ranks.average(gradients, report))


def signal(game: Game, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """A batch as the discriminator sees it: pictures (B, C, R, R) in [-1, 1], and labels where there are classes.

    Raises ConfigError when it has not the record's size, as the last batch of somebody's own loader may.
    """
    if len(batch.pixels) * game.ranks.size != game.config.batch_size:
        raise ConfigError(
            f"a batch has {len(batch.pixels)} pictures, and batch_size is {game.config.batch_size}",
            remedy="Give whole batches without end; a DataLoader needs drop_last=True.",
        )
    pictures = to_signal(batch.pixels.to(game.device, non_blocking=True))
    return pictures, batch.labels.to(game.device, non_blocking=True) if game.generator.classes else None


def to_signal(pixels: Tensor) -> Tensor:
    """uint8 pixels -> float32 in [-1, 1], same shape."""
    return pixels.float().div_(127.5).sub_(1.0)


@torch.no_grad()
def clip(game: Game) -> None:
    """WGAN's bound on every weight of the discriminator (arXiv:1701.07875, algorithm 1, line 7)."""
    if game.config.clip:
        torch._foreach_clamp_min_(list(game.discriminator.parameters()), -game.config.clip)
        torch._foreach_clamp_max_(list(game.discriminator.parameters()), game.config.clip)


def parts(count: int, number: int) -> list[slice]:
    """The slices of a batch of `count` that gradient accumulation works through, `number` of them."""
    size = count // number
    return [slice(start, start + size) for start in range(0, count, size)]


def pick(labels: Tensor | None, part: slice) -> Tensor | None:
    """A part of the labels; None stays None for unconditional networks."""
    return None if labels is None else labels[part]


class Sums(Report):
    """Adds up what the parts of a batch report."""

    def add(self, values: Report) -> None:
        for name, value in values.items():
            self[name] = self.get(name, 0) + value.detach()

    def means(self, names: tuple[str, ...], count: int) -> Report:
        """The sums, those under `names` divided by the number of parts."""
        return {name: value / count if name in names else value for name, value in self.items()}
