"""The generator: latents and labels to pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.attention import SelfAttention2d
from sagan.layers.blocks import UpBlock
from sagan.layers.labels import required_labels
from sagan.layers.parts import Norm, Parts, batch_norm
from sagan.models.architecture import STEM


class Generator(nn.Module):
    """Residual generator with self-attention (SAGAN section 4; SNGAN Table 4 at 32x32).

    widths: channels of the 4x4 stem and after each block; every block doubles the map.
    attention_at: map sizes followed by self-attention.  z_dim: length of a latent.
    classes: 0, or K for class-conditional batch norm.  parts, group: see `layers.parts`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        attention_at: Sequence[int],
        z_dim: int,
        classes: int,
        parts: Parts,
        group: int = 0,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.z_dim, self.classes = z_dim, classes
        norm: Norm = batch_norm(classes, group)
        self.stem = parts.linear(z_dim, widths[0] * STEM * STEM)
        self.blocks = nn.ModuleList(
            UpBlock(c_in, c_out, parts=parts, norm=norm) for c_in, c_out in zip(widths, widths[1:], strict=False)
        )
        self.attention = nn.ModuleDict(
            {
                str(size): SelfAttention2d(width, parts=parts)
                for size, width in zip(self.map_sizes(), widths[1:], strict=True)
                if size in attention_at
            }
        )
        self.norm = batch_norm(0, group)(widths[-1])
        self.output = parts.conv(widths[-1], image_channels, 3)

    @property
    def resolution(self) -> int:
        """Side of the pictures."""
        return STEM << len(self.blocks)

    def map_sizes(self) -> list[int]:
        """Side of the map after each block."""
        return [STEM << (block + 1) for block in range(len(self.blocks))]

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """latents: (B, z_dim); labels: (B,) int64 when there are classes -> pictures (B, 3, R, R) in [-1, 1].

        Raises ConfigError when there are classes and no labels.
        """
        if self.classes:
            required_labels(labels, self.classes)
        h = self.stem(latents).unflatten(1, (-1, STEM, STEM))  # (B, widths[0], 4, 4)
        h = h.contiguous(memory_format=torch.channels_last)
        for size, block in zip(self.map_sizes(), self.blocks, strict=True):
            h = block(h, labels)
            if str(size) in self.attention:
                h = self.attention[str(size)](h)
        return torch.tanh(self.output(F.relu(self.norm(h))))
