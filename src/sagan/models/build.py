"""From a record to a network."""

from __future__ import annotations

import torch

from sagan.layers.init import INITIALISERS
from sagan.layers.parts import Parts
from sagan.models.architecture import ARCHITECTURES, discriminator_sizes
from sagan.models.config import ModelConfig
from sagan.models.discriminator import Discriminator
from sagan.models.generator import Generator


def _parts(model: ModelConfig, *, spectral: bool, seed: int) -> Parts:
    return Parts(INITIALISERS[model.init], torch.Generator().manual_seed(seed), spectral)


def build_generator(model: ModelConfig, classes: int = 0, *, seed: int = 0) -> Generator:
    """A fresh generator, on the CPU in float32, drawn from `seed`; the global random state is not touched.

    classes: number of classes, or 0 for an unconditional network.
    """
    shape = ARCHITECTURES[model.resolution]
    return Generator(
        [model.g_ch * factor for factor in shape.generator],
        attention_at=model.g_attn or (),
        z_dim=model.z_dim,
        classes=classes,
        parts=_parts(model, spectral=model.g_sn, seed=2 * seed),
        group=model.bn_group,
    )


def build_discriminator(model: ModelConfig, classes: int = 0, *, seed: int = 0) -> Discriminator:
    """A fresh discriminator, on the CPU in float32, drawn from `seed`; the global random state is not touched.

    classes: number of classes for the projection, or 0 for none.
    """
    shape = ARCHITECTURES[model.resolution]
    return Discriminator(
        [model.d_ch * factor for factor in shape.discriminator],
        downs=shape.downs,
        sizes=discriminator_sizes(model.resolution),
        attention_at=model.d_attn or (),
        classes=classes,
        parts=_parts(model, spectral=model.d_sn, seed=2 * seed + 1),
    )


def parameter_count(network: torch.nn.Module) -> int:
    """Number of trained values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
