"""Self-attention over the positions of a map (SAGAN, arXiv:1805.08318, section 3, equations 1 to 3).

The block was published in three forms, which are three sets of arguments here (`ATTENTION`, at the end of this file). The
default follows the authors' released code, which every published checkpoint follows, where it departs from the paper's text:
keys and values are max-pooled 2x2, values have C/2 channels, and the 1x1 convolutions have no bias. None has a 1/sqrt(d).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.attention_core import Core, attend, attention_rows
from sagan.layers.parts import Parts, default_parts

Result = TypeVar("Result")


class SelfAttention2d(nn.Module):
    """y = x + gamma * o, where o mixes the values of all positions (equation 3). gamma starts at 0: the identity.

    channels: C.  qk_ratio: queries and keys have C / qk_ratio channels.  v_ratio: values have C / v_ratio.
    pool: keys and values are max-pooled by this factor; 1 for none.  project: an output convolution brings the values
    back to C channels; without it v_ratio must be 1.  bias: of the convolutions.  scale: the logits' factor.
    parts: constructor of the 1x1 convolutions; the default gives spectrally normalised ones.

    Positions are (row, column) of the map. Queries live on the H x W map, keys on the H/pool x W/pool map.
    """

    core: Core = "auto"

    def __init__(
        self,
        channels: int,
        *,
        qk_ratio: int = 8,
        v_ratio: int = 2,
        pool: int = 2,
        project: bool = True,
        bias: bool = False,
        scale: float = 1.0,
        parts: Parts | None = None,
    ) -> None:
        super().__init__()
        if channels < max(qk_ratio, v_ratio):
            raise ConfigError(
                f"attention over {channels} channels leaves none for queries and keys",
                remedy=f"Use at least {max(qk_ratio, v_ratio)} channels there.",
            )
        if not project and v_ratio != 1:
            raise ConfigError(
                f"attention without an output convolution has values of C / {v_ratio} channels",
                remedy="Use v_ratio=1: what is added to the map must have its channels.",
            )
        parts = parts or default_parts()
        self.pool, self.scale = pool, scale
        self.query = parts.conv(channels, channels // qk_ratio, 1, bias=bias)
        self.key = parts.conv(channels, channels // qk_ratio, 1, bias=bias)
        self.value = parts.conv(channels, channels // v_ratio, 1, bias=bias)
        self.output = parts.conv(channels // v_ratio, channels, 1, bias=bias) if project else nn.Identity()
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W). Does not build the map of queries x keys where that would be large."""
        return x + self.gamma.to(x.dtype) * self.branch(x)

    def branch(self, x: Tensor) -> Tensor:
        """The attention branch o before gamma: (B, C, H, W) -> (B, C, H, W)."""
        mixed = attend(self._rows(self._query(x)), *self._keys_and_values(x), core=self.core)  # (B, H*W, C/v_ratio)
        return self.output(mixed.mT.unflatten(2, x.shape[-2:]))

    @torch.no_grad()
    def weights(self, x: Tensor, queries: Tensor | None = None) -> Tensor:
        """The attention map itself, in float32: how much each key position contributes to each query (equation 1).

        x: (B, C, H, W), the layer's input.  queries: (Q, 2) int64 rows and columns of the map, or None for all.
        Returns (B, Q, H_k, W_k), or (B, H, W, H_k, W_k) for all; each row sums to one over the keys.
        """
        keys, _ = self._keys_and_values(x)
        query = self._query(x)
        key_map = (query.shape[-2] // self.pool, query.shape[-1] // self.pool)
        if queries is not None:
            rows = attention_rows(query[:, :, queries[:, 0], queries[:, 1]].mT, keys)
            return rows.unflatten(-1, key_map)
        return attention_rows(self._rows(query), keys).unflatten(-1, key_map).unflatten(1, query.shape[-2:])

    @torch.no_grad()
    def queries_and_keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the map is made of, in float32: (B, C, H, W) -> queries (B, H, W, E) and keys (B, H_k, W_k, E).

        Row (i, j) of `weights` is the softmax of queries[:, i, j] times all keys: the logits' factor is in the queries.
        """
        query = self._query(x)
        keys = self._keys_and_values(x)[0].float()
        key_map = (query.shape[-2] // self.pool, query.shape[-1] // self.pool)
        return query.float().permute(0, 2, 3, 1), keys.unflatten(1, key_map)

    def _query(self, x: Tensor) -> Tensor:
        """(B, C/qk_ratio, H, W), with the logits' factor already in it."""
        query: Tensor = self.query(x)
        return query if self.scale == 1.0 else query * self.scale

    def _keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M, C/qk_ratio) and (B, M, C/v_ratio) for M pooled positions."""
        key, value = self.key(x), self.value(x)
        if self.pool > 1:
            if x.shape[-2] % self.pool or x.shape[-1] % self.pool:
                raise ConfigError(
                    f"attention pools by {self.pool}, which does not divide a map of {x.shape[-2]}x{x.shape[-1]}",
                    remedy="Put it on an even map, or use a variant without pooling, such as paper.",
                )
            key, value = F.max_pool2d(key, self.pool), F.max_pool2d(value, self.pool)
        return self._rows(key), self._rows(value)

    @staticmethod
    def _rows(x: Tensor) -> Tensor:
        """(B, E, H, W) -> (B, H*W, E); contiguous when x is channels-last."""
        return x.flatten(2).mT


def attention_layers(network: nn.Module, prefix: str) -> dict[str, SelfAttention2d]:
    """The attention layers of a network by their public names, such as "G.attention@32", in the order of the data.

    network: has a module dictionary `attention` keyed by map size.  prefix: "G" or "D".
    What stands there without being attention (`layers.control`) is left out.
    """
    layers = getattr(network, "attention", {})
    return {f"{prefix}.attention@{size}": layer for size, layer in layers.items() if isinstance(layer, SelfAttention2d)}


@torch.no_grad()
def record_inputs(layers: Mapping[str, SelfAttention2d], run: Callable[[], Result]) -> tuple[dict[str, Tensor], Result]:
    """Call `run`, a pass through the layers' network, and keep what went into each layer.

    Returns (inputs by name, what `run` returned). An attention map is then `layer.weights(inputs[name])`: the forward
    pass itself stays on the fused path.
    """
    inputs: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(lambda _, arguments, name=name: inputs.update({name: arguments[0]}))
        for name, layer in layers.items()
    ]
    try:
        result = run()
    finally:
        for handle in handles:
            handle.remove()
    return inputs, result


@contextmanager
def explicit_attention(network: nn.Module) -> Iterator[None]:
    """Inside, attention takes the paths whose second derivatives exist: for penalties on gradients."""
    layers = [module for module in network.modules() if isinstance(module, SelfAttention2d)]
    before = [layer.core for layer in layers]
    for layer in layers:
        layer.core = "explicit"
    try:
        yield
    finally:
        for layer, core in zip(layers, before, strict=True):
            layer.core = core


def official(channels: int, parts: Parts) -> SelfAttention2d:
    """The authors' released code (non_local.py), which BigGAN, StudioGAN, mimicry and mmgeneration follow."""
    return SelfAttention2d(channels, qk_ratio=8, v_ratio=2, pool=2, parts=parts)


def paper(channels: int, parts: Parts) -> SelfAttention2d:
    """The paper's text, section 3: values of C/8 channels too, every position is a key. Biases are not mentioned there."""
    return SelfAttention2d(channels, qk_ratio=8, v_ratio=8, pool=1, parts=parts)


def heykeetae(channels: int, parts: Parts) -> SelfAttention2d:
    """heykeetae/Self-Attention-GAN, which most tutorials show: values of C channels and no output convolution, biases, and
    no spectral normalisation in the block even where the network has it."""
    return SelfAttention2d(channels, qk_ratio=8, v_ratio=1, pool=1, project=False, bias=True, parts=parts.plain())


AttentionVariant = Callable[[int, Parts], nn.Module]

# The option `attention` names one of these. Somebody's own variant joins them: ATTENTION["mine"] = my_variant.
ATTENTION: dict[str, AttentionVariant] = {"official": official, "paper": paper, "heykeetae": heykeetae}
