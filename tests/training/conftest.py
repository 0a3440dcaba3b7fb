from __future__ import annotations

import pytest
import torch

from sagan.data.batches import Batch
from sagan.models.config import ModelConfig
from sagan.runtime import Runtime
from sagan.training.config import TrainingConfig
from sagan.training.game import new_game

BATCH, CLASSES, SIDE = 6, 3, 16


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_game():
    """make_game(classes=3, counts=(), model={}, **training options): a game of the smallest networks."""

    def make(classes=CLASSES, *, counts=(), model=None, **training):
        sizes = ModelConfig(**{"resolution": SIDE, "g_ch": 16, "d_ch": 16, "z_dim": 12} | (model or {}))
        options = {"batch_size": BATCH, "ema": 0.9, "ema_start": 1, "seed": 5, "beta1": 0.5, "precision": "fp32"}
        config = TrainingConfig(**{**options, **training})
        return new_game(sizes, config, classes, Runtime(torch.device("cpu"), 1), counts=counts)

    return make


@pytest.fixture(scope="session")
def batches():
    """batches(first=0): endless batches, each a pure function of its number."""

    def endless(first=0):
        number = first
        while True:
            random = torch.Generator().manual_seed(100 + number)
            pixels = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), generator=random, dtype=torch.uint8)
            yield Batch(pixels, torch.randint(0, CLASSES, (BATCH,), generator=random), torch.arange(BATCH))
            number += 1

    return endless


@pytest.fixture(scope="session")
def whole_state():
    """whole_state(game): every number of a game by name, as copies."""
    from sagan.training.state import memory_tensors, optimiser_tensors

    def read(game):
        networks = {"generator": game.generator, "discriminator": game.discriminator, "averaged": game.averaged.model}
        tensors = {
            f"{prefix}.{name}": tensor.clone()
            for prefix, network in networks.items()
            for name, tensor in network.state_dict().items()
        }
        tensors |= {name: tensor.clone() for name, tensor in (optimiser_tensors(game) | memory_tensors(game)).items()}
        counters = {"step": torch.tensor(game.step), "critic_updates": torch.tensor(game.critic_updates)}
        return tensors | counters

    return read


@pytest.fixture(scope="session")
def differing():
    """differing(a, b): the names whose tensors are not the same bit for bit."""

    def compare(ours, theirs):
        assert ours.keys() == theirs.keys()
        return [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]

    return compare
