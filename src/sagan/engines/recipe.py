"""A folded generator as data: a list of simple operations and the named arrays they use.

What `sagan export --to safetensors` writes for programs that know nothing of torch, and what the exported page computes. An
operation is a dictionary that JSON can hold: `kind` is one of those below, `of` the numbers of the operations whose results
it takes, `shape` the (C, H, W) of its own result for one picture; the others name arrays, or are plain numbers.

    linear          weight (C*H*W, z), bias (C*H*W,): latents to the first map, channel by channel, row by row
    conv            weight (C, C_in, k, k), bias (C,): stride 1, k // 2 zeros around
    conv_transpose  weight (C_in, C, 4, 4), bias (C,): stride 2, padding 1: doubles the map
    scale           scale, shift (K, C): scale * x + shift; row of the picture's class, or the one row there is; where it has
                    by_latent (2C, z), first that matrix times the latent is added: its upper half to scale, its lower to shift
    resize          mode nearest or bilinear (between pixel centres): doubles the map
    max_pool        size: maximum over squares of that side
    attention       of queries, keys, values: softmax over the keys of query . key, then the mean of values by it; `name`
    add, relu, tanh

The last operation's result is the picture, in [-1, 1]. `engines.interpret` computes all of this in forty lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sagan.engines.fold import Folded
from sagan.engines.plain import Attention, Enlarged, Layer, Picture, Rectify, ScaleShift, Stem, Up
from sagan.errors import ConfigError
from sagan.layers.resample import double_bilinear

Operation = dict[str, Any]


@dataclass
class Recipe:
    """operations: in the order of the data.  tensors: their arrays by name, float32, on the processor."""

    operations: list[Operation] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def add(self, kind: str, of: Sequence[int], shape: Sequence[int], **facts: Any) -> int:
        """Append an operation; its number."""
        self.operations.append({"kind": kind, "of": list(of), "shape": list(shape), **facts})
        return len(self.operations) - 1

    def shape(self, number: int) -> tuple[int, int, int]:
        """Of an operation's result."""
        channels, height, width = self.operations[number]["shape"]
        return channels, height, width

    def keep(self, name: str, tensor: Tensor) -> str:
        """Store an array; its name."""
        self.tensors[name] = tensor.detach().float().cpu().contiguous()
        return name

    def linked(self, name: str, layer: nn.Module) -> dict[str, str]:
        """Store a layer's weight and bias."""
        return {part: self.keep(f"{name}.{part}", getattr(layer, part)) for part in ("weight", "bias")}


def recipe(folded: Folded) -> Recipe:
    """The operations of a folded float32 generator.

    Raises ConfigError for an attention layer of somebody's own, which is code and not data.
    """
    made, at, blocks, doublings, norms = Recipe(), -1, 0, 0, 0
    residual = any(isinstance(stage, Up) for stage in folded.stages)
    for stage in folded.stages:
        if isinstance(stage, Stem):
            at = _stem(made, stage)
        elif isinstance(stage, Up):
            at = _up(made, f"blocks.{blocks}", stage, at)
            blocks += 1
        elif isinstance(stage, Layer):
            at = _conv(made, f"doublings.{doublings}", stage.layer, at)
            doublings += 1
        elif isinstance(stage, (ScaleShift, Rectify)):
            at = _activation(made, "norm" if residual else f"norms.{norms}", stage, at)
            norms += 1
        elif isinstance(stage, Attention):
            at = _attention(made, stage, at)
        elif isinstance(stage, Picture):
            at = _conv(made, "output", stage.layer, at)
            at = made.add("tanh", [at], made.shape(at))
        else:
            remedy = "Use --to onnx, which takes it along."
            raise ConfigError("an attention layer of somebody's own cannot be written as data", remedy=remedy)
    return made


def _stem(made: Recipe, stage: Stem) -> int:
    """The rows of a folded stem lie channels-last; here they lie as the shape says."""
    base, channels = stage.base, len(stage.linear.bias) // stage.base**2
    weight = stage.linear.weight.unflatten(0, (base * base, channels)).transpose(0, 1).flatten(0, 1)
    bias = stage.linear.bias.unflatten(0, (base * base, channels)).T.flatten()
    links = {"weight": made.keep("stem.weight", weight), "bias": made.keep("stem.bias", bias)}
    return made.add("linear", [], (channels, base, base), **links)


def _up(made: Recipe, name: str, block: Up, at: int) -> int:
    h = _activation(made, f"{name}.norm1", block.first, at)
    if isinstance(block.doubling, Enlarged):
        h = _conv(made, f"{name}.conv1", block.doubling.conv, _resize(made, h, block.doubling.upsample))
    else:
        h = _conv(made, f"{name}.conv1", block.doubling, h)
    h = _activation(made, f"{name}.norm2", block.second, h)
    h = _conv(made, f"{name}.conv2", block.conv, h)
    skip = _resize(made, _conv(made, f"{name}.skip", block.skip, at), block.upsample)
    return made.add("add", [h, skip], made.shape(h))


def _resize(made: Recipe, at: int, upsample: object) -> int:
    channels, height, width = made.shape(at)
    mode = "bilinear" if upsample is double_bilinear else "nearest"
    return made.add("resize", [at], (channels, 2 * height, 2 * width), mode=mode)


def _conv(made: Recipe, name: str, layer: nn.Module, at: int) -> int:
    _, height, width = made.shape(at)
    if isinstance(layer, nn.ConvTranspose2d):
        shape = layer.out_channels, 2 * height, 2 * width
        return made.add("conv_transpose", [at], shape, **made.linked(name, layer))
    assert isinstance(layer, nn.Conv2d)
    return made.add("conv", [at], (layer.out_channels, height, width), **made.linked(name, layer))


def _activation(made: Recipe, name: str, stage: nn.Module, at: int) -> int:
    if isinstance(stage, ScaleShift):
        scale, shift = stage.table.chunk(2, dim=1)
        links = {"scale": made.keep(f"{name}.scale", scale), "shift": made.keep(f"{name}.shift", shift)}
        if stage.by_latent is not None:
            links["by_latent"] = made.keep(f"{name}.by_latent", stage.by_latent)
        at = made.add("scale", [at], made.shape(at), **links)
    return made.add("relu", [at], made.shape(at))


def _attention(made: Recipe, stage: Attention, at: int) -> int:
    """The one projection of the folded form taken apart again, and named as in the network."""
    channels, height, width = made.shape(at)
    name = f"attention.{stage.side}"
    parts: list[int] = []
    weights, biases = (getattr(stage.project, part).split(stage.widths) for part in ("weight", "bias"))
    for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        links = {"weight": made.keep(f"{name}.{part}.weight", weight), "bias": made.keep(f"{name}.{part}.bias", bias)}
        h = made.add("conv", [at], (len(bias), height, width), **links)
        if part != "query" and stage.pool > 1:
            small = (len(bias), height // stage.pool, width // stage.pool)
            h = made.add("max_pool", [h], small, size=stage.pool)
        parts.append(h)
    h = made.add("attention", parts, (stage.widths[2], height, width), name=stage.name)
    if stage.output is None:
        scale = stage.gamma.reshape(1, 1).expand(1, channels)
        links = {"scale": made.keep(f"{name}.scale", scale), "shift": made.keep(f"{name}.shift", 0 * scale)}
        h = made.add("scale", [h], (channels, height, width), **links)
    else:
        h = _conv(made, f"{name}.output", stage.output, h)
    return made.add("add", [h, at], (channels, height, width))
