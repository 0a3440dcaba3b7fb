"""The discriminator: pictures and labels to logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.attention import SelfAttention2d
from sagan.layers.blocks import DownBlock, FirstDownBlock
from sagan.layers.labels import required_labels
from sagan.layers.parts import Parts
from sagan.layers.precision import full_precision


class Discriminator(nn.Module):
    """Residual discriminator with self-attention and, given classes, projection (arXiv:1802.05637).

    widths: channels after each block.  downs: how many blocks, from the first, halve the map.
    sizes: side of the map after each block, which depends on the pictures' resolution.
    attention_at: map sizes followed, once, by self-attention.  classes: 0, or K for a projection table.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        downs: int,
        sizes: Sequence[int],
        attention_at: Sequence[int],
        classes: int,
        parts: Parts,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.classes = classes
        blocks: list[nn.Module] = [FirstDownBlock(image_channels, widths[0], parts=parts)]
        for number, (c_in, c_out) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            blocks.append(DownBlock(c_in, c_out, down=number < downs, parts=parts))
        self.blocks = nn.ModuleList(blocks)
        self.attention = nn.ModuleDict()
        self.attention_after: dict[int, str] = {}
        for number, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            if size in attention_at and str(size) not in self.attention:
                self.attention[str(size)] = SelfAttention2d(width, parts=parts)
                self.attention_after[number] = str(size)
        self.linear = parts.linear(widths[-1], 1)
        self.embedding = parts.embedding(classes, widths[-1]) if classes else None

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """pictures: (B, 3, R, R) in [-1, 1]; labels: (B,) int64 when there are classes -> logits (B,) in float32.

        Raises ConfigError when there are classes and no labels.
        """
        if self.classes:
            required_labels(labels, self.classes)
        h = pictures.contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.blocks):
            h = block(h)
            if number in self.attention_after:
                h = self.attention[self.attention_after[number]](h)
        with full_precision(h):  # a sum over positions is too large for bf16
            features = F.relu(h).sum(dim=(2, 3), dtype=torch.promote_types(h.dtype, torch.float32))  # (B, widths[-1])
            logits: Tensor = self.linear(features).squeeze(1)
            if self.embedding is not None:
                logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits
