"""Spectral normalisation (SNGAN, arXiv:1802.05957, algorithm 1) with explicit rules.

    W_bar = W / sigma(W),    sigma = u' W v

- u and v move only when `advance` is called: once for every update of the network that holds them. Reading a weight, in train
  or eval mode, any number of times, changes nothing. (torch's own parametrisation iterates at each read in train mode.)
- The gradient flows through sigma with u and v held constant (SNGAN section 2.2); derivatives of every order are right.
- Everything is computed in the weight's own precision, also under autocast.
- A convolution's matrix has one row per output channel; a transposed convolution's too; an embedding's one row per class.
- A deep copy (the averaged generator) owns its u and v and advances them itself: averaging them would shrink sigma.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sagan.layers.order import in_order_of, memory_order
from sagan.layers.precision import full_precision

Module = TypeVar("Module", bound=nn.Module)

WARM_UP = 15  # iterations at construction: one alone would leave a fresh weight's norm well above 1


class SpectralNorm(nn.Module):
    """The parametrisation that divides a weight by its largest singular value.

    weight: the tensor at construction, any shape of two dimensions or more.  dim: the axis of output channels.
    generator: draws the first u.  eps: keeps a zero weight from dividing by zero.

    State: buffers `u` (rows,) and `v` (columns,), unit vectors.
    """

    u: Tensor
    v: Tensor

    def __init__(
        self, weight: Tensor, *, dim: int = 0, generator: torch.Generator | None = None, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps
        rows, columns = self.matrix(weight).shape
        self.register_buffer("u", weight.new_empty(rows))
        self.register_buffer("v", weight.new_zeros(columns))
        if not weight.is_meta:  # an outline has shapes alone
            self.u.copy_(F.normalize(torch.randn(rows, generator=generator), dim=0))
            self.advance(weight, WARM_UP)

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight as (output channels, everything else), the columns as they lie in memory; no copy where `dim` is 0."""
        rows = weight.movedim(self.dim, 0)
        return rows.permute(memory_order(rows)).flatten(1)

    def tensor(self, matrix: Tensor, weight: Tensor) -> Tensor:
        """The way back from `matrix(weight)` to the weight's shape."""
        rows = weight.movedim(self.dim, 0)
        order = memory_order(rows)
        shape, inverse = [rows.shape[axis] for axis in order], [order.index(axis) for axis in range(rows.ndim)]
        return matrix.view(shape).permute(inverse).movedim(0, self.dim)

    def row(self, weight: Tensor) -> Tensor:
        """v seen with the axes of a row of `matrix(weight)`. Stored, v has the order of the weight's own axes."""
        rows = weight.movedim(self.dim, 0)
        return self.v.view(1, *rows.shape[1:]).permute(memory_order(rows))[0]

    def forward(self, weight: Tensor) -> Tensor:
        """The weight divided by sigma, same shape."""
        if torch.compiler.is_compiling():  # torch's compiler cannot trace the rule below, and fuses its own
            with full_precision(weight):
                return weight / self.sigma(weight)
        return DivideBySigma.apply(weight, self)  # type: ignore[no-untyped-call]

    def sigma(self, weight: Tensor) -> Tensor:
        """The estimate u' W v of the largest singular value, a scalar; differentiable in the weight."""
        return torch.dot(self.u, torch.mv(self.matrix(weight), self.row(weight).flatten())).clamp_min(self.eps)

    @torch.no_grad()
    def advance(self, weight: Tensor, iterations: int = 1) -> None:
        """Power iteration: moves u and v, in place, towards the leading singular vectors of the weight."""
        with full_precision(weight):
            matrix, row = self.matrix(weight), self.row(weight)
            for _ in range(iterations):
                row.copy_(F.normalize(torch.mv(matrix.mT, self.u), dim=0, eps=self.eps).view_as(row))
                self.u.copy_(F.normalize(torch.mv(matrix, row.flatten()), dim=0, eps=self.eps))


class DivideBySigma(torch.autograd.Function):
    """W -> W / sigma, with its derivative (SNGAN section 2.2) in four passes over the weight; torch's rules take a dozen:

        dL/dW = (G - <G, W> / sigma * u v') / sigma,    G = dL/d(W / sigma)

    The derivative is itself made of differentiable steps: penalties, and derivatives of every order, are right.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, norm: SpectralNorm) -> Tensor:
        ctx.norm = norm
        ctx.save_for_backward(weight, norm.u, norm.v)  # so that torch notices where u and v move too early
        with full_precision(weight):
            return weight / norm.sigma(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        norm: SpectralNorm = ctx.norm
        weight, u, _ = ctx.saved_tensors
        with full_precision(weight):
            gradient, matrix = norm.matrix(in_order_of(weight, gradient)), norm.matrix(weight)
            sigma = norm.sigma(weight)
            share = torch.dot(gradient.flatten(), matrix.flatten()) / sigma.square()
            share = torch.where(sigma > norm.eps, share, 0.0)  # the bound in place of sigma does not depend on W
            answer = (gradient / sigma).addr_(u * -share, norm.row(weight).flatten())
        return norm.tensor(answer, weight), None


def spectral_norm(module: Module, *, generator: torch.Generator | None = None) -> Module:
    """Normalise `module.weight` and return the module. Initialise the weight before: later, write to the original."""
    transposed = isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d))
    weight = module.weight
    assert isinstance(weight, Tensor)
    normaliser = SpectralNorm(weight.detach(), dim=1 if transposed else 0, generator=generator)
    parametrize.register_parametrization(module, "weight", normaliser, unsafe=True)
    return module


def normalisers(network: nn.Module) -> Iterator[tuple[SpectralNorm, Tensor]]:
    """Every (spectral norm, the weight it normalises) of a network, in a fixed order."""
    for module in network.modules():
        if isinstance(module, parametrize.ParametrizationList):
            for part in module:
                if isinstance(part, SpectralNorm):
                    yield part, module.original


def advance(network: nn.Module, iterations: int = 1) -> None:
    """Move every u and v of a network. The training step calls it once before each update of that network."""
    for normaliser, weight in normalisers(network):
        normaliser.advance(weight, iterations)
