"""The residual pair of WGAN-GP, SNGAN and SAGAN. Sizes are arguments; `models.architecture` has the published ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.attention import AttentionVariant, official
from sagan.layers.blocks import DownBlock, FirstDownBlock, UpBlock
from sagan.layers.parts import Norm, Parts, batch_norm, no_norm
from sagan.layers.precision import full_precision
from sagan.layers.resample import Upsampling, double
from sagan.models.network import Discriminator, Generator, attention_after, generator_norm


class ResidualGenerator(Generator):
    """Residual generator with self-attention (SAGAN section 4; SNGAN table 4 at 32x32).

    widths: channels of the stem and after each block; every block doubles the map.  base: side of the stem's map.
    attention_at: map sizes followed by self-attention, of the form `attention`.  z_dim: length of a latent.
    classes: 0, or K for class-conditional batch norm.  parts, group, class_spread: see `layers.parts`.
    modulated: the latent enters the blocks' batch norms too (BigGAN, arXiv:1809.11096).  upsample: see `UpBlock`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        attention_at: Collection[int],
        z_dim: int,
        classes: int,
        parts: Parts,
        base: int = 4,
        attention: AttentionVariant = official,
        group: int = 0,
        modulated: bool = False,
        class_spread: float = 0.0,
        channels: int = 3,
        upsample: Upsampling = double,
    ) -> None:
        doublings = len(widths) - 1
        super().__init__(z_dim=z_dim, classes=classes, resolution=base << doublings, channels=channels)
        self.base = base
        norm = generator_norm(z_dim, classes, parts, group=group, modulated=modulated, class_spread=class_spread)
        self.stem = parts.linear(z_dim, widths[0] * base * base)
        self.blocks = nn.ModuleList(
            UpBlock(c_in, c_out, parts=parts, norm=norm, upsample=upsample)
            for c_in, c_out in zip(widths, widths[1:], strict=False)
        )
        maps = [(base << number, widths[number]) for number in range(1, len(widths))]
        self.attention, self._attention_after = attention_after(maps, attention_at, attention, parts)
        self.norm = batch_norm(0, group)(widths[-1])
        self.output = parts.conv(widths[-1], channels, 3)

    def render(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        h = self.stem(latents).unflatten(1, (-1, self.base, self.base))  # (B, widths[0], base, base)
        h = h.contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.blocks):
            h = block(h, labels, latents)
            if number in self._attention_after:
                h = self.attention[self._attention_after[number]](h)
        return torch.tanh(self.output(F.relu(self.norm(h))))


class ResidualDiscriminator(Discriminator):
    """Residual discriminator with self-attention and, given classes, projection (arXiv:1802.05637).

    widths: channels after each block.  downs: how many blocks, from the first, halve the map.
    sides: of the map after each block, which depend on the pictures' resolution.
    attention_at: map sizes followed, once, by self-attention of the form `attention`.  classes: 0, or K for a table.
    thin, norm, rectified: see `DownBlock`.  mean: pool the last map by its mean, as WGAN-GP's code does, not by its sum.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        downs: int,
        sides: Sequence[int],
        attention_at: Collection[int],
        classes: int,
        parts: Parts,
        attention: AttentionVariant = official,
        thin: bool = False,
        norm: Norm = no_norm,
        mean: bool = False,
        rectified: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__(classes=classes)
        self.mean = mean
        blocks: list[nn.Module] = [FirstDownBlock(channels, widths[0], parts=parts)]
        for number, (c_in, c_out) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            down = number < downs
            blocks.append(DownBlock(c_in, c_out, down=down, parts=parts, thin=thin, norm=norm, rectified=rectified))
        self.blocks = nn.ModuleList(blocks)
        maps = list(zip(sides, widths, strict=True))
        self.attention, self.after = attention_after(maps, attention_at, attention, parts)
        self.linear = parts.linear(widths[-1], 1)
        self.embedding = parts.embedding(classes, widths[-1]) if classes else None

    @property
    def trunk(self) -> nn.ModuleList:
        return self.blocks

    def judge(self, pictures: Tensor, labels: Tensor | None) -> Tensor:
        h = pictures.contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.blocks):
            h = block(h)
            if number in self.after:
                h = self.attention[self.after[number]](h)
        with full_precision(h):  # a sum over positions is too large for bf16
            h = F.relu(h).to(torch.promote_types(h.dtype, torch.float32))
            features = h.mean(dim=(2, 3)) if self.mean else h.sum(dim=(2, 3))  # (B, widths[-1])
            logits: Tensor = self.linear(features).squeeze(1)
            if self.embedding is not None:
                logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits
