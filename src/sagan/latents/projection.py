"""From a picture back to a latent: the one whose picture comes nearest, searched by gradient descent from several starts.

A generator reaches few of all pictures. One that it drew is found again, mostly; any other ends at something alike, and how far
away says how far this picture lies from what the generator can draw (Creswell and Bharath, arXiv:1611.05644, were the first).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagan.sampling import Engine

RATE = 0.1  # of Adam, at the beginning; it falls to nothing along a cosine
BETAS = (0.9, 0.99)
FEWEST = 2  # starts that go on to the end, where there are so many
Measure = Callable[[Tensor], Tensor]  # pictures (s, C, R, R) in [-1, 1] -> how far each is away, (s,), differentiable


@dataclass(frozen=True)
class Projection:
    """Of each start. latents: (s, z_dim), the best that was met.  distances: (s,), there."""

    latents: NDArray[np.float32]
    distances: NDArray[np.float64]


def longest(z_dim: int) -> float:
    """A length that of a thousand latents one exceeds: chi is close to normal, around sqrt(z_dim) with variance one half."""
    return math.sqrt(z_dim) + 3.1 / math.sqrt(2)


def project(
    engine: Engine,
    measure: Measure,
    latents: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    *,
    steps: int,
    device: torch.device,
    rate: float = RATE,
    tell: Callable[[int, int], None] | None = None,
) -> Projection:
    """Move each latent so that its picture comes nearer; none longer than latents are.

    After a quarter of the steps, and after half of them, the worse half of the starts is left where it is.
    engine: draws, differentiably, on the device.  latents: (s, z_dim), where to start.  labels: (s,), None without classes.
    tell: called as tell(done, steps). The same starts end at the same places on one machine.
    """
    z = torch.from_numpy(latents.copy()).to(device)
    classes = None if labels is None else torch.from_numpy(labels).to(device)
    most = longest(latents.shape[1])
    mean, square = torch.zeros_like(z), torch.zeros_like(z)  # of the gradient: the moments of Adam (arXiv:1412.6980)
    best, nearest = z.clone(), torch.full((len(z),), math.inf, device=device)
    going = torch.arange(len(z), device=device)
    for step in range(steps + 1):
        here = z[going].requires_grad_(True)
        distances = measure(engine(here, None if classes is None else classes[going]))
        with torch.no_grad():
            better = going[distances < nearest[going]]
            nearest[going] = torch.minimum(nearest[going], distances)
            best[better] = z[better]
        if tell is not None:
            tell(step, steps)
        if step == steps:
            break
        (gradient,) = torch.autograd.grad(distances.sum(), here)  # each start's own: none depends on another
        mean[going] = torch.lerp(mean[going], gradient, 1 - BETAS[0])
        square[going] = torch.lerp(square[going], gradient.square(), 1 - BETAS[1])
        spread = (square[going] / (1 - BETAS[1] ** (step + 1))).sqrt() + 1e-8
        fall = 0.5 * (1 + math.cos(math.pi * step / steps))
        moved = here.detach() - rate * fall * mean[going] / (1 - BETAS[0] ** (step + 1)) / spread
        z[going] = moved * (most / moved.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1.0)
        if step + 1 in (steps // 4, steps // 2) and len(going) > FEWEST:
            half = max(FEWEST, len(going) // 2)
            going = going[nearest[going].argsort(stable=True)[:half]]
    return Projection(best.cpu().numpy(), nearest.double().cpu().numpy())
