"""From a record to a network."""

from __future__ import annotations

from typing import TypeVar

import torch

from sagan.errors import ConfigError
from sagan.layers.control import block_named
from sagan.layers.init import INITIALISERS
from sagan.layers.parts import DISCRIMINATOR_NORMS, Parts
from sagan.layers.resample import UPSAMPLINGS
from sagan.models.architecture import Residual
from sagan.models.config import ModelConfig
from sagan.models.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from sagan.models.network import Discriminator, Generator
from sagan.models.residual import ResidualDiscriminator, ResidualGenerator

MAX_PARAMETERS = 2**31  # of one network: the largest published one has a tenth of that

Network = TypeVar("Network", Generator, Discriminator)


def _parts(model: ModelConfig, *, spectral: bool, seed: int) -> Parts:
    return Parts(INITIALISERS[model.init], torch.Generator().manual_seed(seed), spectral)


def build_generator(model: ModelConfig, classes: int = 0, *, seed: int = 0) -> Generator:
    """A fresh generator, on the CPU in float32, drawn from `seed`; the global random state is not touched.

    classes: number of classes, or 0 for an unconditional network.
    """
    shape, size = model.shape, model.size
    parts = _parts(model, spectral=model.g_sn, seed=2 * seed)
    places, variant = model.g_attn or (), block_named(model.attention)
    if isinstance(shape, Residual):
        return ResidualGenerator(
            [model.g_ch * factor for factor in shape.generator],
            base=size.base,
            attention_at=places,
            attention=variant,
            z_dim=model.z_dim,
            classes=classes,
            parts=parts,
            group=model.bn_group,
            modulated=model.g_latent == "norms",
            class_spread=model.g_class_spread,
            channels=model.channels,
            upsample=UPSAMPLINGS[model.g_up],
        )
    return ConvolutionalGenerator(
        [model.g_ch * factor for _, factor in shape.generator_maps(size)],
        base=size.base,
        conv_output=shape.pairs,
        dense_stem=shape.dense_stem,
        output_parts=parts if shape.normalised_ends else parts.plain(),
        attention_at=places,
        attention=variant,
        z_dim=model.z_dim,
        classes=classes,
        parts=parts,
        group=model.bn_group,
        modulated=model.g_latent == "norms",
        class_spread=model.g_class_spread,
        channels=model.channels,
    )


def build_discriminator(model: ModelConfig, classes: int = 0, *, seed: int = 0) -> Discriminator:
    """A fresh discriminator, on the CPU in float32, drawn from `seed`; the global random state is not touched.

    classes: number of classes for the projection, or 0 for none.
    """
    shape, size = model.shape, model.size
    parts = _parts(model, spectral=model.d_sn, seed=2 * seed + 1)
    places, variant, norm = model.d_attn or (), block_named(model.attention), DISCRIMINATOR_NORMS[model.d_norm]
    sides, factors = zip(*shape.discriminator_maps(size), strict=True)
    widths = [model.d_ch * factor for factor in factors]
    if isinstance(shape, Residual):
        return ResidualDiscriminator(
            widths,
            downs=shape.downs,
            sides=sides,
            attention_at=places,
            attention=variant,
            classes=classes,
            parts=parts,
            thin=model.d_hidden == "thin",
            norm=norm,
            mean=model.d_pool == "mean",
            rectified=model.d_shortcut == "rectified",
            channels=model.channels,
        )
    return ConvolutionalDiscriminator(
        widths,
        sides=sides,
        slope=shape.slope,
        pairs=shape.pairs,
        head_parts=parts if shape.normalised_ends else parts.plain(),
        attention_at=places,
        attention=variant,
        classes=classes,
        parts=parts,
        norm=norm,
        channels=model.channels,
    )


def generator_outline(model: ModelConfig, classes: int = 0) -> Generator:
    """The generator that `build_generator` would make, on torch's meta device: names, shapes and types, but no numbers.

    What a stranger's record asks for is measured this way before any memory is given to it.
    Raises ConfigError beyond MAX_PARAMETERS.
    """
    with torch.device("meta"):
        generator = build_generator(model, classes)
    return _limited(generator, "generator", "g_ch")


def discriminator_outline(model: ModelConfig, classes: int = 0) -> Discriminator:
    """As `generator_outline`, of the discriminator."""
    with torch.device("meta"):
        discriminator = build_discriminator(model, classes)
    return _limited(discriminator, "discriminator", "d_ch")


def _limited(network: Network, name: str, option: str) -> Network:
    count = parameter_count(network)
    if count > MAX_PARAMETERS:
        raise ConfigError(
            f"{option} asks for a {name} of {count:,} parameters, above the limit of {MAX_PARAMETERS:,}",
            remedy=f"Choose a smaller {option}, or a smaller resolution.",
        )
    return network


def parameter_count(network: torch.nn.Module) -> int:
    """Number of trained values of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
