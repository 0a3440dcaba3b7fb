"""Twenty steps of a small game in float64, by as many processes as torchrun started: what `test_ranks.py` compares.

python ranks_game.py KIND FILE      writes FILE.npz: the gradients of the first step and all weights after the last
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from sagan.data.batches import Batch
from sagan.models.config import ModelConfig
from sagan.ranks import join
from sagan.runtime import Runtime, read_launch
from sagan.training import step as step_module
from sagan.training.config import TrainingConfig
from sagan.training.game import new_game
from sagan.training.step import train_step

KINDS = {
    "hinge": ({}, {}),
    "accumulated": ({}, {"grad_accum": 2}),
    "small sets": (
        {},
        {"augment": "adaptive", "aug_p": 0.3, "aug_kimg": 1.0, "lecam": 0.1, "cr": 1.0, "cr_fake": 1.0, "topk": 0.5}
        | {"topk_kimg": 0.1, "grad_accum": 2},
    ),
    "penalty": ({"d_norm": "layer", "d_sn": False}, {"loss": "wasserstein", "gp": 10.0, "n_dis": 2}),
}
STEPS, BATCH, CLASSES, SIDE = 20, 8, 3, 16


def main(kind: str, target: str) -> None:
    step_module.to_signal = lambda pixels: pixels.double() / 127.5 - 1
    sizes, options = KINDS[kind]
    model = ModelConfig(
        **{"resolution": SIDE, "g_ch": 16, "d_ch": 16, "z_dim": 12, "g_attn": (8,), "d_attn": (8,)} | sizes
    )
    common = {
        "batch_size": BATCH,
        "ema": 0.9,
        "ema_start": 1,
        "seed": 5,
        "precision": "fp32",
        "g_lr": 1e-4,
        "d_lr": 4e-4,
    }
    training = TrainingConfig(**common | options)
    cpu = torch.device("cpu")
    with join(read_launch(), cpu) as ranks:
        game = new_game(model, training, CLASSES, Runtime(cpu, 1), ranks=ranks)
        for network in (game.generator, game.discriminator, game.averaged.model):
            network.double()
        for optimiser in (game.generator_optimiser, game.discriminator_optimiser):
            for memory in optimiser.state.values():
                memory |= {name: tensor.double() for name, tensor in memory.items() if name != "step"}
        game.memory = {name: tensor.double() for name, tensor in game.memory.items()}
        game.generator.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(), *inputs[1:]))
        rows = torch.from_numpy(ranks.rows(BATCH, training.grad_accum))
        arrays: dict[str, np.ndarray] = {}
        number = 0
        for step in range(STEPS):
            batches = []
            for _ in range(training.n_dis):
                random = torch.Generator().manual_seed(number)
                pixels = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), generator=random, dtype=torch.uint8)
                labels = torch.randint(0, CLASSES, (BATCH,), generator=random)
                batches.append(Batch(pixels[rows], labels[rows], rows))
                number += 1
            train_step(game, iter(batches))
            if step == 0:
                for prefix, network in (("G", game.generator), ("D", game.discriminator)):
                    for name, parameter in network.named_parameters():
                        if parameter.grad is not None:
                            arrays[f"gradient.{prefix}.{name}"] = parameter.grad.numpy().copy()
        for prefix, network in (("G", game.generator), ("D", game.discriminator), ("average", game.averaged.model)):
            arrays |= {f"{prefix}.{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
        ranks.require_agreement({name: tensor for name, tensor in game.generator.state_dict().items()})
        if ranks.first:
            np.savez(f"{target}.npz", **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
