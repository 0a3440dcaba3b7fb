"""softmax(Q K') V three ways, all the same function: fused, plain and chunked.

    fused     torch's kernel: memory linear in positions, first derivatives only
    plain     two matrix products with the whole map between them: fastest where the map is small
    chunked   block after block of queries, recomputed in the backward pass: memory linear, second derivatives too

Shapes: queries (B, N, E), keys (B, M, E), values (B, M, V) -> (B, N, V). Logits are not scaled: SAGAN has no 1/sqrt(d).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from sagan.layers.precision import full_precision

Core = Literal["auto", "explicit", "fused", "plain", "chunked"]

PLAIN_ENTRIES = 2**16  # of one picture's map: below, two matrix products beat the fused kernel, and the map is small
CHUNK_ENTRIES = 2**20  # entries of all maps that the chunked path holds at a time


def attend(query: Tensor, key: Tensor, value: Tensor, *, core: Core = "auto") -> Tensor:
    """Mix the values by the softmax of the products.

    core: which way. auto chooses by the size of the map; explicit, too, but only among those with second derivatives.
    """
    if core in ("auto", "explicit"):
        large: Core = "fused" if core == "auto" else "chunked"
        core = "plain" if query.shape[1] * key.shape[1] <= PLAIN_ENTRIES else large
    if core == "fused":
        return fused(query, key, value)
    if core == "plain":
        return plain(query, key, value)
    result: Tensor = _Chunked.apply(query, key, value)  # type: ignore[no-untyped-call]
    return result


def attention_rows(query: Tensor, key: Tensor) -> Tensor:
    """softmax(Q K') itself, in float32 or better: (B, N, E), (B, M, E) -> (B, N, M); each row sums to one."""
    with full_precision(query):
        exact = torch.promote_types(query.dtype, torch.float32)
        return (query.to(exact) @ key.to(exact).mT).softmax(dim=-1)


def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The definition. Logits and softmax are taken in float32 or better: unscaled logits are too large for less."""
    return attention_rows(query, key).to(value.dtype) @ value


def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """torch's fused kernel. Queries and keys are padded with zeros to the values' width, which changes no product:
    with unequal widths, or rows that do not lie in one piece (those of an NCHW map), the CPU falls back, silently, to a
    path that builds the whole map."""
    missing = value.shape[-1] - query.shape[-1]
    if missing > 0:
        query, key = F.pad(query, (0, missing)), F.pad(key, (0, missing))
    elif missing < 0:
        value = F.pad(value, (0, -missing))
    query, key, value = query.contiguous(), key.contiguous(), value.contiguous()  # no copy for channels-last maps
    mixed = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)[:, 0]
    return mixed[..., :missing] if missing < 0 else mixed


def _chunks(query: Tensor, key: Tensor) -> list[slice]:
    """Slices of the queries such that one slice's maps have about CHUNK_ENTRIES entries."""
    step = max(1, CHUNK_ENTRIES // max(1, query.shape[0] * key.shape[1]))
    return [slice(start, start + step) for start in range(0, query.shape[1], step)]


class _Chunked(torch.autograd.Function):
    """Forward pass in blocks of queries; the backward pass is a function of its own, so that it has a derivative."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(query, key, value)
        mixed = value.new_empty(*query.shape[:2], value.shape[-1])  # in one piece: see docs/lab-notes.md
        for part in _chunks(query, key):
            mixed[:, part] = plain(query[:, part], key, value)
        return mixed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _ChunkedGradient.apply(*ctx.saved_tensors, gradient)  # type: ignore[no-untyped-call]


class _ChunkedGradient(torch.autograd.Function):
    """(Q, K, V, dO) -> (dQ, dK, dV), block by block, each block recomputed from its queries."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(query, key, value, gradient)
        totals = (torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value))
        for part in _chunks(query, key):
            with torch.enable_grad():
                inputs = _leaves(query[:, part], key, value)
                output = plain(*inputs)
            d_query, d_key, d_value = torch.autograd.grad(output, inputs, gradient[:, part])
            totals[0][:, part] = d_query
            totals[1].add_(d_key)
            totals[2].add_(d_value)
        return totals

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *directions: Tensor) -> tuple[Tensor, ...]:
        query, key, value, gradient = ctx.saved_tensors  # type: ignore[attr-defined]
        totals = tuple(torch.zeros_like(tensor) for tensor in (query, key, value, gradient))
        for part in _chunks(query, key):
            with torch.enable_grad():
                inputs = _leaves(query[:, part], key, value, gradient[:, part])
                output = plain(*inputs[:3])
                first = torch.autograd.grad(output, inputs[:3], inputs[3], create_graph=True)
            along = (directions[0][:, part], directions[1], directions[2])
            second = torch.autograd.grad(first, inputs, along)
            totals[0][:, part] = second[0]
            totals[1].add_(second[1])
            totals[2].add_(second[2])
            totals[3][:, part] = second[3]
        return totals


def _leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.detach().requires_grad_() for tensor in tensors)
