"""NaN and infinities put into a run: caught before the average or a checkpoint takes them in, and lived through."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from sagan.checkpoint.folder import publish, read_folder, step_folder, steps
from sagan.checkpoint.tensors import unpack_bytes
from sagan.config import RunConfig
from sagan.data.batches import Batch, Batches
from sagan.data.image_set import ImageSet
from sagan.data.images import open_images
from sagan.losses.adversarial import AdversarialLoss
from sagan.runtime import Runtime
from sagan.training import step as update
from sagan.training.game import Game, new_game
from sagan.training.loop import Chore, Length, Moment, Setback, run_loop
from sagan.training.state import MODEL, OPTIMISER, RunState, state_files

from . import reference
from .outcome import Outcome

CLAIM = (
    "NaN or an infinity in a loss, a gradient, a weight, batch-norm statistics, a spectral vector or the data at a random "
    "step: the averaged generator and every checkpoint stay finite, the run goes back once and reaches its length."
)
QUICK, FULL = 20, 100
STEPS, SAVE_EVERY = 8, 3
VALUES = (float("nan"), float("inf"), float("-inf"))


@contextmanager
def in_tensor(tensor: Tensor, bad: float) -> Iterator[None]:
    """Spoil the last number of a tensor of the game, for good."""
    tensor.data[(-1,) * tensor.ndim] = bad
    yield


@contextmanager
def in_gradient(parameter: Tensor, bad: float) -> Iterator[None]:
    """Spoil the gradients of a parameter for one step."""
    handle = parameter.register_hook(lambda gradient: torch.full_like(gradient, bad))
    yield
    handle.remove()


@contextmanager
def in_loss(game: Game, player: str, bad: float) -> Iterator[None]:
    """Spoil one player's loss for one step."""
    whole = game.loss

    def spoiled(**logits: Tensor) -> Tensor:
        return getattr(whole, player)(**logits) + bad

    players = {name: getattr(whole, name) for name in ("discriminator", "generator")} | {player: spoiled}
    loss = AdversarialLoss(**players, paired=whole.paired)
    with mock.patch.dict("sagan.losses.adversarial.LOSSES", {game.config.loss: loss}):
        yield


@contextmanager
def in_data(bad: float) -> Iterator[None]:
    """Spoil one pixel of every real picture of one step."""
    true = update.to_signal

    def spoiled(pixels: Tensor) -> Tensor:
        signal = true(pixels)
        signal[:, 0, 0, 0] = bad
        return signal

    with mock.patch.object(update, "to_signal", spoiled):
        yield


def buffer(network: torch.nn.Module, ending: str) -> Tensor:
    return next(tensor for name, tensor in network.named_buffers() if name.endswith(ending))


def weight(network: torch.nn.Module) -> Tensor:
    return next(parameter for parameter in network.parameters() if parameter.ndim == 4)


PLACES: dict[str, Callable[[Game, float], object]] = {
    "the discriminator's loss": lambda game, bad: in_loss(game, "discriminator", bad),
    "the generator's loss": lambda game, bad: in_loss(game, "generator", bad),
    "a gradient of the discriminator": lambda game, bad: in_gradient(weight(game.discriminator), bad),
    "a gradient of the generator": lambda game, bad: in_gradient(weight(game.generator), bad),
    "a weight of the discriminator": lambda game, bad: in_tensor(weight(game.discriminator), bad),
    "a weight of the generator": lambda game, bad: in_tensor(weight(game.generator), bad),
    "a running mean": lambda game, bad: in_tensor(buffer(game.generator, "running_mean"), bad),
    "a running variance": lambda game, bad: in_tensor(buffer(game.generator, "running_var"), bad),
    "a vector of the discriminator": lambda game, bad: in_tensor(buffer(game.discriminator, ".u"), bad),
    "a vector of the generator": lambda game, bad: in_tensor(buffer(game.generator, ".u"), bad),
    "the data": lambda game, bad: in_data(bad),
}


class Spoiling(Iterator[Batch]):
    """Batches that spoil the game once, as the first batch of a step is taken, for the length of that step."""

    def __init__(self, batches: Batches, game: Game, at: int, spoil: Callable[[], object]) -> None:
        self.batches, self.game, self.at, self.spoil = batches, game, at, spoil
        self.spoiled = ExitStack()
        self.done = False

    def __next__(self) -> Batch:
        if self.game.step == self.at and not self.done:
            self.done = True
            self.spoiled.enter_context(self.spoil())
        elif self.game.step != self.at:
            self.spoiled.close()
        return next(self.batches)

    def seek(self, position: int) -> None:
        self.spoiled.close()
        self.batches.seek(position)


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    torch.set_num_threads(1)
    config = reference.record(reference.write_pictures(workspace / "pictures"), workspace / "unused")
    images = open_images(config.data, config.model.resolution, threads=1)
    draw, outcome = random.Random(seed), Outcome()
    for trial in range(count):
        place = list(PLACES)[trial % len(PLACES)]
        outcome.note(one_run(config, images, workspace / str(trial), place, draw.choice(VALUES), draw.randrange(STEPS)))
        outcome.count(f"in {place}")
    return outcome


def one_run(config: RunConfig, images: ImageSet, run: Path, place: str, bad: float, at: int) -> str | None:
    """Train for STEPS steps with one spoiled number; what went wrong, or None."""
    story = f"{bad} in {place} at step {at}"
    game = new_game(config.model, config.training, len(images.classes), Runtime(torch.device("cpu"), 1))
    setbacks: list[Setback] = []
    poisoned: list[int] = []

    def look(moment: Moment) -> None:
        tensors = game.averaged.model.state_dict().values()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors if tensor.is_floating_point()):
            poisoned.append(game.step)

    def save(moment: Moment) -> None:
        state = RunState(
            step=game.step,
            critic_updates=game.critic_updates,
            position=batches.position,
            seconds=0.0,
            data_fingerprint=images.fingerprint,
            environment={},
            rollbacks=game.rollbacks,
        )
        publish(run, game.step, state_files(game, state))

    with Batches(images, batch_size=config.training.batch_size, seed=0) as batches:
        try:
            run_loop(
                game,
                Spoiling(batches, game, at, lambda: PLACES[place](game, bad)),
                length=Length(STEPS, None, None),
                seconds_before=0.0,
                chores=[Chore(1, look), Chore(SAVE_EVERY, save, settles=True)],
                stop=lambda: False,
                went_back=setbacks.append,
            )
        except Exception as error:
            return f"{story}: ended with {error!r}"
    if [setback.broke_at for setback in setbacks] != [at]:
        return f"{story}: went back at {[setback.broke_at for setback in setbacks]}"
    if poisoned or game.step != STEPS:
        return f"{story}: the average was not finite at steps {poisoned}, the run ended at {game.step}"
    for step in steps(run):
        _, files = read_folder(step_folder(run, step))
        for name in (MODEL, OPTIMISER):
            unpack_bytes(files[name], name)  # refuses what is not finite
    return None
