"""An export drawn beside the live generator: the same seeds, three sizes of batch, the largest difference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from sagan.layers.attention import attention_layers, record_inputs
from sagan.models.network import Generator
from sagan.sampling import draw_latents

BATCHES = (1, 3, 64)
MOST_WITH_MAPS = 3  # pictures: the maps of many large ones would fill the memory

Maps = dict[str, Tensor]


class Draw(Protocol):
    """An opened export."""

    def __call__(self, latents: Tensor, labels: Tensor | None, maps: bool) -> tuple[Tensor, Maps]:
        """latents: (B, z_dim); labels: (B,) int64 when there are classes -> pictures and, when asked for, attention maps."""
        ...


@torch.no_grad()
def differences(
    generator: Generator, draw: Draw, attention: Iterable[str] = (), batches: Iterable[int] = BATCHES
) -> dict[str, float]:
    """The largest difference from the live generator by batch size, and of each attention map by its name.

    generator: in eval mode, on the processor.  attention: maps that the export gives.
    """
    layers = {name: layer for name, layer in attention_layers(generator, "G").items() if name in set(attention)}
    found: dict[str, float] = {}
    for count in batches:
        latents = torch.from_numpy(draw_latents(range(count), generator.z_dim))
        labels = torch.arange(count) * 7 % generator.classes if generator.classes else None
        look = layers if count <= MOST_WITH_MAPS else {}
        inputs, live = record_inputs(look, lambda latents=latents, labels=labels: generator(latents, labels))  # type: ignore[misc]
        pictures, maps = draw(latents, labels, bool(look))
        found[str(count)] = _apart(pictures, live)
        for name, layer in look.items():
            found[name] = max(found.get(name, 0.0), _apart(maps[name], layer.weights(inputs[name])))
    return found


def _apart(one: Tensor, other: Tensor) -> float:
    """The largest difference; infinite when one is of another shape, or not finite."""
    if one.shape != other.shape:
        return float("inf")
    return float((one - other).abs().nan_to_num(nan=float("inf")).max())


def outside(found: dict[str, float], tolerance: float) -> str | None:
    """Where a difference is beyond the tolerance, in words; None when none is."""
    for name, apart in found.items():
        if not apart <= tolerance:
            what = f"a batch of {name}" if name.isdecimal() else f"the map of {name}"
            return f"{what} is {apart:.2g} away from the generator's own, where {tolerance:.0e} is allowed"
    return None
