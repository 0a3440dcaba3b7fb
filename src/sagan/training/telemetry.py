"""What attention does, in four numbers a layer: is it used, how strongly, how focussed, how far does it look?

gamma           the gate; 0 is off, and its sign means nothing (the output convolution absorbs it)
branch_ratio    norm of gamma * o over norm of x: how much of the output is attention
entropy         of a query's weights, over the entropy of looking everywhere alike: 1 is everywhere, 0 is one place
distance        from a query to the places it attends to, weighted, over the side of the map
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from sagan.layers.attention import SelfAttention2d, attention_layers, record_inputs
from sagan.layers.norm import own_statistics, still_statistics
from sagan.layers.spectral import SpectralNorm, normalisers
from sagan.randomness import Stream, normal
from sagan.training.game import Game

PICTURES = 4
QUERIES = 64


@torch.no_grad()
def observe_attention(game: Game, pixels: Tensor, labels: Tensor) -> dict[str, float]:
    """The four numbers of every attention layer: 'attention/G.attention@32/gamma' and so on.

    pixels: a few real pictures in [-1, 1] on the game's device, for the discriminator; labels: theirs.
    Changes nothing: the generator seen is the averaged one, in eval mode.
    """
    generator, discriminator = game.averaged.model, game.discriminator
    latents = torch.from_numpy(normal(np.arange(len(pixels)), Stream.LATENT, 0, generator.z_dim)).to(game.device)
    classes = labels if generator.classes else None
    values = _observe(attention_layers(generator, "G"), lambda: generator(latents, classes))
    with still_statistics(discriminator), own_statistics(discriminator):
        return values | _observe(attention_layers(discriminator, "D"), lambda: discriminator.forward(pixels, classes))


def _observe(layers: Mapping[str, SelfAttention2d], run: Callable[[], object]) -> dict[str, float]:
    inputs, _ = record_inputs(layers, run)
    return {
        f"attention/{name}/{what}": value
        for name, layer in layers.items()
        for what, value in measure(layer, inputs[name]).items()
    }


@torch.no_grad()
def measure(layer: SelfAttention2d, x: Tensor) -> dict[str, float]:
    """The four numbers of one layer at one input x: (B, C, H, W)."""
    queries = watched_queries(x.shape[-2:])
    weights = layer.weights(x, queries.to(x.device)).cpu()  # (B, Q, h, w); from here on the CPU: mps has no float64
    branch = layer.gamma * layer.branch(x)
    entropy, distance = focus(weights, queries, x.shape[-2:])
    return {
        "gamma": float(layer.gamma),
        "branch_ratio": float(branch.float().norm() / x.float().norm().clamp_min(1e-12)),
        "entropy": entropy,
        "distance": distance,
    }


def watched_queries(size: torch.Size) -> Tensor:
    """The query positions (Q, 2) of a map that are looked at: about QUERIES, evenly spread."""
    height, width = size
    step = max(1, height * width // QUERIES)
    places = torch.arange(step // 2, height * width, step)
    return torch.stack((places // width, places % width), dim=1)


def focus(weights: Tensor, queries: Tensor, size: torch.Size) -> tuple[float, float]:
    """Mean entropy and mean distance of attention rows.

    weights: (B, Q, h, w).  queries: (Q, 2), their rows and columns on the map of `size`. All on the CPU.
    """
    flat = weights.flatten(2).double()
    entropy = -(flat * flat.clamp_min(1e-30).log()).sum(-1).mean() / math.log(flat.shape[-1])
    return float(entropy), float((flat * _distances(queries, weights.shape[-2:], size)).sum(-1).mean())


def _distances(queries: Tensor, keys: torch.Size, size: torch.Size) -> Tensor:
    """(Q, h*w): from each query's centre to each key's, both maps taken as the unit square. On the CPU."""
    ours = (queries + 0.5) / torch.tensor(size)
    rows = (torch.arange(keys[0]) + 0.5) / keys[0]
    columns = (torch.arange(keys[1]) + 0.5) / keys[1]
    theirs = torch.cartesian_prod(rows, columns)  # (h*w, 2)
    return torch.cdist(ours, theirs).double()


@torch.no_grad()
def observe_spectra(game: Game) -> dict[str, float]:
    """The largest singular value among the weights of each network, before any normalisation: 'spectrum/generator'.

    Where a weight is normalised, by its own u and v; elsewhere by a few power iterations that keep no state.
    """
    networks = {"generator": game.generator, "discriminator": game.discriminator}
    return {f"spectrum/{name}": _largest_singular_value(network) for name, network in networks.items()}


def _largest_singular_value(network: nn.Module) -> float:
    normalised = list(normalisers(network))
    known = {id(weight) for _, weight in normalised}
    values = [normaliser.sigma(weight) for normaliser, weight in normalised]
    for weight in network.parameters():
        if weight.ndim > 1 and id(weight) not in known:
            fresh = SpectralNorm(weight, generator=torch.Generator().manual_seed(0)).to(weight.device)
            values.append(fresh.sigma(weight))
    return float(torch.stack(values).max())
