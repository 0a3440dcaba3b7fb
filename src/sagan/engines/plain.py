"""The layers of a folded generator: nothing but what drawing needs. Each stage: (map, labels, latents) to the next map.

They own their numbers, have no train mode and keep maps channels-last. Some work in place, on maps that they made.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.attention_core import attend, attention_rows
from sagan.layers.resample import Upsampling, double


class Stem(nn.Module):
    """Latents to the first map. linear: to the map's numbers, channels last.  base: the map's side."""

    def __init__(self, linear: nn.Linear, base: int) -> None:
        super().__init__()
        self.linear, self.base = linear, base

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        """x: (B, z_dim) -> (B, C, base, base)."""
        flat: Tensor = self.linear(x.to(self.linear.weight.dtype))
        return flat.unflatten(1, (self.base, self.base, -1)).permute(0, 3, 1, 2)


class Picture(nn.Module):
    """The last map to pictures. layer: the output convolution."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        """x: (B, C, H, W) -> (B, channels, R, R) in [-1, 1], float32."""
        return self.layer(x).float().tanh()


class Layer(nn.Module):
    """A layer that needs no labels, as a stage."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        return self.layer(x)


class Rectify(nn.Module):
    """relu(x), in place."""

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        """x: (B, C, H, W), a map that nobody else reads -> the same."""
        return F.relu_(x)


class ScaleShift(nn.Module):
    """relu(scale * x + shift): batch norm with its statistics, and the ReLU behind it.

    scale, shift: (1, C), or (K, C) with a row for each class.  by_latent: (2C, z_dim), what the latent adds to both; or None.
    """

    table: Tensor
    by_latent: Tensor | None

    def __init__(self, scale: Tensor, shift: Tensor, by_latent: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("table", torch.cat([scale, shift], dim=1))  # (K, 2C): one look-up gives both
        self.register_buffer("by_latent", by_latent)

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        """x: (B, C, H, W); labels: (B,) int64 where the table has more rows than one; latents: (B, z_dim) -> (B, C, H, W)."""
        rows = self.table if labels is None or len(self.table) == 1 else F.embedding(labels, self.table)
        if self.by_latent is not None:
            rows = rows + F.linear(latents.to(rows.dtype), self.by_latent)
        scale, shift = rows[:, :, None, None].chunk(2, dim=1)
        return F.relu_(torch.addcmul(shift, x, scale))


class Enlarged(nn.Module):
    """A convolution of the enlarged map, where the two do not merge: (B, c_in, H, W) -> (B, c_out, 2H, 2W)."""

    def __init__(self, conv: nn.Module, upsample: Upsampling) -> None:
        super().__init__()
        self.conv, self.upsample = conv, upsample

    def forward(self, x: Tensor) -> Tensor:
        larger: Tensor = self.conv(self.upsample(x))
        return larger


class Up(nn.Module):
    """`layers.blocks.UpBlock`: (B, c_in, H, W) -> (B, c_out, 2H, 2W).

    first, second: what the norms and their ReLUs became.  doubling: doubles the map and convolves it, in one.
    upsample: of the shortcut.
    """

    def __init__(
        self,
        first: nn.Module,
        doubling: nn.Module,
        second: nn.Module,
        conv: nn.Module,
        skip: nn.Module,
        *,
        upsample: Upsampling = double,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.first, self.doubling, self.second, self.conv, self.skip = first, doubling, second, conv, skip

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        h = self.second(self.doubling(self.first(x, labels, latents)), labels, latents)
        if self.upsample is not double:
            return self.conv(h) + self.upsample(self.skip(x))
        return add_doubled(self.conv(h), self.skip(x))


def add_doubled(x: Tensor, small: Tensor) -> Tensor:
    """x + nearest upsampling of `small`, in place and without making the upsampled map.

    x: (B, C, 2H, 2W).  small: (B, C, H, W).
    """
    if torch.compiler.is_exporting():
        return x + double(small)  # the compiled engines fuse this form, and would make copies for the other
    x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).add_(small[:, :, :, None, :, None])  # (B, C, H, 2, W, 2)
    return x


class Attention(nn.Module):
    """`layers.attention.SelfAttention2d`: (B, C, H, W) -> (B, C, H, W).

    project: one 1x1 convolution to queries, keys and values.  widths: their channels.  pool: of keys and values.
    output: the output convolution with gamma in it, or None where there is none.  gamma: a scalar, used where output is None.
    side: of the map, H.
    """

    gamma: Tensor

    def __init__(
        self,
        project: nn.Module,
        widths: Sequence[int],
        *,
        pool: int,
        output: nn.Module | None,
        gamma: Tensor,
        side: int,
    ) -> None:
        super().__init__()
        self.project, self.widths, self.pool, self.output = project, list(widths), pool, output
        self.side = side
        self.register_buffer("gamma", gamma)

    @property
    def name(self) -> str:
        """The layer's public name, as of `layers.attention.attention_layers`."""
        return f"G.attention@{self.side}"

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        mixed = attend(*(part.flatten(2).mT for part in self._parts(x)))  # (B, H*W, V)
        mixed = mixed.mT.unflatten(2, x.shape[-2:])  # (B, V, H, W)
        return torch.addcmul(x, mixed, self.gamma) if self.output is None else x + self.output(mixed)

    def weights(self, x: Tensor) -> Tensor:
        """The map itself: (B, C, H, W) -> (B, H, W, H_k, W_k) in float32; each row sums to one over the keys."""
        query, key, _ = self._parts(x)
        rows = attention_rows(query.flatten(2).mT, key.flatten(2).mT)
        return rows.unflatten(2, key.shape[-2:]).unflatten(1, query.shape[-2:])

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, E, H, W), keys (B, E, H_k, W_k), values (B, V, H_k, W_k)."""
        width, *others = self.widths
        query, rest = self.project(x).split((width, sum(others)), dim=1)
        rest = F.max_pool2d(rest, self.pool) if self.pool > 1 else rest
        key, value = rest.split(others, dim=1)
        return query, key, value


class Kept(nn.Module):
    """An attention layer of somebody's own, as it is: in float32, whatever the maps are."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, labels: Tensor | None, latents: Tensor) -> Tensor:
        return self.layer(x.float()).to(x.dtype)
