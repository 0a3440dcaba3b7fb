"""A generator for drawing alone: everything that does not change from picture to picture is worked out once.

    spectral norm       W / sigma, divided once
    batch norm          scale * x + shift in one go; without classes it is part of the convolution before it
    doubling and 3x3    one transposed 4x4 convolution whose kernel is spread once (`layers.resample`)
    attention           queries, keys and values from one convolution; gamma inside the output convolution
    stem                a matrix whose result lies channels-last

The pictures are the generator's to rounding: numbers are put together in float64. A folded generator owns its numbers, so it
is stale as soon as its generator learns; attention maps and training need the generator itself.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from sagan.engines.plain import Attention, Enlarged, Kept, Layer, Picture, Rectify, ScaleShift, Stem, Up
from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d
from sagan.layers.blocks import UpBlock
from sagan.layers.labels import required_labels
from sagan.layers.norm import BatchNorm2d
from sagan.layers.resample import double, spread_kernel
from sagan.models.convolutional import ConvolutionalGenerator
from sagan.models.network import Generator
from sagan.models.residual import ResidualGenerator

Known = TypeVar("Known", bound=nn.Module)
Plain = TypeVar("Plain", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Folded(nn.Module):
    """What `fold` makes: stages one after the other.  classes: as of the generator."""

    def __init__(self, stages: list[nn.Module], classes: int) -> None:
        super().__init__()
        self.stages, self.classes = nn.ModuleList(stages), classes

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """latents: (B, z_dim); labels: (B,) int64 when there are classes -> pictures (B, channels, R, R) in float32."""
        known = required_labels(labels, self.classes) if self.classes else None
        h = latents
        for stage in self.stages:
            h = stage(h, known, latents)
        return h


def fold(generator: Generator, dtype: torch.dtype = torch.float32) -> Folded:
    """The folded form of a generator in eval mode, on its device.

    dtype: of weights and maps. Latents, the attention's softmax and pictures are float32 in any case.
    Raises ConfigError for a generator in training mode, and for one that is not of this library's classes.
    """
    if generator.training:
        raise ConfigError("the generator is in training mode", remedy="Call generator.eval() before drawing from it.")
    if type(generator) is ResidualGenerator:
        stages = _residual(generator)
    else:
        stages = _convolutional(_known(generator, ConvolutionalGenerator))
    with torch.no_grad():
        finished = [_finish(stage, dtype) for stage in stages]  # one by one, so that one at most lies in float64
    device = next(generator.parameters()).device
    return Folded(finished, generator.classes).eval().requires_grad_(False).to(device)


def _finish(stage: nn.Module, dtype: torch.dtype) -> nn.Module:
    return stage if isinstance(stage, Kept) else stage.to(dtype)


def _residual(generator: ResidualGenerator) -> Iterator[nn.Module]:
    """`ResidualGenerator.render`, stage by stage."""
    yield _stem(_stem_weights(generator.stem, generator.base), generator.base)
    side, last = generator.base, generator.blocks[-1]
    for block in (_known(block, UpBlock) for block in generator.blocks):
        side *= 2
        attention = _attention(generator, side)
        # What follows the last block without attention is the norm alone, so it goes into the block's last convolutions.
        yield _up(block, then=generator.norm if block is last and not attention else None)
        yield from attention
    yield ScaleShift(*_pair(generator.norm)) if attention else Rectify()
    yield Picture(_conv(_weights(generator.output)))


def _convolutional(generator: ConvolutionalGenerator) -> Iterator[nn.Module]:
    """`ConvolutionalGenerator.render`, stage by stage."""
    for number, norm in enumerate(generator.norms):
        if number == 0:
            weights, then = _followed(_stem_weights(generator.stem, generator.base), norm)
            yield _stem(weights, generator.base)
        else:
            weights, then = _followed(_weights(generator.doublings[number - 1]), norm)
            yield Layer(_doubling(weights))
        yield then
        yield from _attention(generator, generator.base << number)
    weights = _weights(generator.output)
    yield Picture(_doubling(weights) if isinstance(generator.output, nn.ConvTranspose2d) else _conv(weights))


def _up(block: UpBlock, then: nn.Module | None) -> Up:
    """A block.  then: a norm without classes that follows it."""
    first = _scale_shift(block.norm1)
    weights, second = _followed(_weights(block.conv1), block.norm2)
    conv, skip = _weights(block.conv2), _weights(block.skip)
    if then is not None:
        scale, shift = _pair(then)
        conv, skip = conv.then(scale[0], shift[0]), skip.then(scale[0], torch.zeros_like(shift[0]))
    if block.upsample is not double:
        enlarged = Enlarged(_conv(weights), block.upsample)
        return Up(first, enlarged, second, _conv(conv), _conv(skip), upsample=block.upsample)
    spread = Weights(spread_kernel(weights.kernel.flip(2, 3)), weights.bias)
    return Up(first, _doubling(spread), second, _conv(conv), _conv(skip))


def _attention(generator: Generator, side: int) -> list[nn.Module]:
    """The attention layer at a map size, if there is one."""
    if str(side) not in generator.attention:
        return []
    layer = generator.attention[str(side)]
    if type(layer) is not SelfAttention2d:
        return [Kept(copy.deepcopy(layer))]
    query, key, value = (_weights(part) for part in (layer.query, layer.key, layer.value))
    query = Weights(query.kernel * layer.scale, query.bias * layer.scale)
    together = Weights(*(torch.cat(parts) for parts in zip(query, key, value, strict=True)))
    gamma, output = _exact(layer.gamma), None
    if isinstance(layer.output, nn.Conv2d):
        weights = _weights(layer.output)
        output = _conv(Weights(weights.kernel * gamma, weights.bias * gamma))
    widths = [len(part.bias) for part in (query, key, value)]
    return [Attention(_conv(together), widths, pool=layer.pool, output=output, gamma=gamma, side=side)]


class Weights(NamedTuple):
    """A linear layer in float64. kernel: (C_out, ...).  bias: (C_out,), or (C_out, H, W) of a stem: one for each place."""

    kernel: Tensor
    bias: Tensor

    def then(self, scale: Tensor, shift: Tensor) -> Weights:
        """The layer and scale * x + shift behind it, as one.  scale, shift: (C_out,)."""
        return Weights(
            self.kernel * _along(scale, self.kernel), self.bias * _along(scale, self.bias) + _along(shift, self.bias)
        )


def _along(channels: Tensor, other: Tensor) -> Tensor:
    """(C,) -> (C, 1, ...), to go with `other`."""
    return channels.reshape(-1, *[1] * (other.ndim - 1))


def _exact(tensor: Tensor) -> Tensor:
    """In float64, on the processor: not every device has float64."""
    return tensor.detach().cpu().double()


def _weights(layer: nn.Module) -> Weights:
    """A convolution, transposed or not, or a matrix; with its spectral norm divided out, as reading the weight does."""
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        raise _unknown(layer)
    kernel = _exact(layer.weight)
    kernel = kernel.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else kernel
    return Weights(kernel, kernel.new_zeros(len(kernel)) if layer.bias is None else _exact(layer.bias))


def _stem_weights(stem: nn.Module, base: int) -> Weights:
    """A stem of either kind: kernel (C, base, base, z_dim), bias (C, base, base)."""
    kernel, bias = _weights(stem)
    if isinstance(stem, nn.Linear):
        return Weights(kernel.unflatten(0, (-1, base, base)), bias.unflatten(0, (-1, base, base)))
    return Weights(kernel.permute(0, 2, 3, 1), bias[:, None, None].expand(-1, base, base))


def _pair(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """A batch norm with its running statistics as scale and shift: each (K, C), or (1, C) without classes."""
    norm = _known(norm, BatchNorm2d)
    gain, bias, mean, var = (_exact(part) for part in (norm.gain, norm.bias, norm.running_mean, norm.running_var))
    scale = torch.atleast_2d(gain / (var + norm.eps).sqrt())
    return scale, torch.atleast_2d(bias) - mean * scale


def _followed(weights: Weights, norm: nn.Module) -> tuple[Weights, nn.Module]:
    """A layer with a norm and a ReLU behind it: the layer's new numbers, and the stage that is left."""
    norm = _known(norm, BatchNorm2d)
    if norm.classes or norm.by_latent is not None:
        return weights, _scale_shift(norm)
    scale, shift = _pair(norm)
    return weights.then(scale[0], shift[0]), Rectify()


def _scale_shift(norm: nn.Module) -> ScaleShift:
    """A batch norm as a stage. What the latent adds to its gain and bias is folded as these are: it enters linearly."""
    norm = _known(norm, BatchNorm2d)
    if norm.by_latent is None:
        return ScaleShift(*_pair(norm))
    mean, var = _exact(norm.running_mean)[:, None], _exact(norm.running_var)[:, None]
    gain, bias = _exact(norm.by_latent).chunk(2)  # (C, z_dim) each
    scale = gain / (var + norm.eps).sqrt()
    return ScaleShift(*_pair(norm), torch.cat([scale, bias - mean * scale]))


def _stem(weights: Weights, base: int) -> Stem:
    kernel, bias = weights.kernel.permute(1, 2, 0, 3).flatten(0, 2), weights.bias.permute(1, 2, 0).flatten()
    return Stem(_filled(skip_init(nn.Linear, kernel.shape[1], len(kernel)), kernel, bias), base)


def _conv(weights: Weights) -> nn.Conv2d:
    """A convolution that keeps the map's size."""
    c_out, c_in, size, _ = weights.kernel.shape
    return _filled(skip_init(nn.Conv2d, c_in, c_out, size, padding=size // 2), weights.kernel, weights.bias)


def _doubling(weights: Weights) -> nn.ConvTranspose2d:
    """A transposed 4x4 convolution that doubles the map."""
    c_out, c_in, size, _ = weights.kernel.shape
    empty = skip_init(nn.ConvTranspose2d, c_in, c_out, size, stride=2, padding=1)
    return _filled(empty, weights.kernel.transpose(0, 1), weights.bias)


def _filled(layer: Plain, kernel: Tensor, bias: Tensor) -> Plain:
    order = torch.channels_last if kernel.ndim == 4 else torch.contiguous_format
    layer.weight = nn.Parameter(kernel.contiguous(memory_format=order), requires_grad=False)
    layer.bias = nn.Parameter(bias.contiguous(), requires_grad=False)
    return layer


def _known(module: nn.Module, kind: type[Known]) -> Known:
    """The module, if it is just that kind: a subclass of somebody's own may compute something else."""
    if type(module) is not kind:
        raise _unknown(module)
    return module


def _unknown(module: nn.Module) -> ConfigError:
    return ConfigError(f"{type(module).__name__} cannot be folded", remedy="Use --engine live: the generator itself.")
