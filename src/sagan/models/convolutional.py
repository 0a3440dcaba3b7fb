"""The pair of plain convolutions: DCGAN, SNGAN's standard CNN, and heykeetae's SAGAN. Sizes and quirks are arguments."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.layers.attention import AttentionVariant, official
from sagan.layers.parts import Norm, Parts, no_norm
from sagan.layers.precision import full_precision
from sagan.models.network import Discriminator, Generator, attention_after, generator_norm


class ConvolutionalGenerator(Generator):
    """Transposed convolutions with batch norm and ReLU (DCGAN, arXiv:1511.06434).

    widths: channels of the stem and after each doubling that batch norm and ReLU follow.  base: side of the stem's map.
    conv_output: the picture comes from a 3x3 convolution (SNGAN table 3) instead of one more doubling.
    dense_stem: the stem's bias differs from place to place.  output_parts: of the last layer alone.
    The other arguments are those of `ResidualGenerator`.
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
        conv_output: bool = False,
        dense_stem: bool = False,
        output_parts: Parts | None = None,
        attention: AttentionVariant = official,
        group: int = 0,
        modulated: bool = False,
        class_spread: float = 0.0,
        channels: int = 3,
    ) -> None:
        doublings = len(widths) - conv_output
        super().__init__(z_dim=z_dim, classes=classes, resolution=base << doublings, channels=channels)
        self.base = base
        norm = generator_norm(z_dim, classes, parts, group=group, modulated=modulated, class_spread=class_spread)
        self.stem: nn.Module
        if dense_stem:
            self.stem = parts.linear(z_dim, widths[0] * base * base)
        else:
            self.stem = parts.conv_transpose(z_dim, widths[0], base)
        self.norms = nn.ModuleList(norm(width) for width in widths)
        self.doublings = nn.ModuleList(
            parts.conv_transpose(c_in, c_out, 4, stride=2, padding=1)
            for c_in, c_out in zip(widths, widths[1:], strict=False)
        )
        maps = [(base << number, width) for number, width in enumerate(widths)]
        self.attention, self._attention_after = attention_after(maps, attention_at, attention, parts)
        last = output_parts or parts
        self.output: nn.Module
        if conv_output:
            self.output = last.conv(widths[-1], channels, 3)
        else:
            self.output = last.conv_transpose(widths[-1], channels, 4, stride=2, padding=1)

    def render(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        if isinstance(self.stem, nn.Linear):
            h = self.stem(latents).unflatten(1, (-1, self.base, self.base))
        else:
            h = self.stem(latents[:, :, None, None])  # (B, widths[0], base, base)
        h = h.contiguous(memory_format=torch.channels_last)
        for number, norm in enumerate(self.norms):
            h = F.relu(norm(h if number == 0 else self.doublings[number - 1](h), labels, latents))
            if number in self._attention_after:
                h = self.attention[self._attention_after[number]](h)
        return torch.tanh(self.output(h))


class ConvolutionalDiscriminator(Discriminator):
    """Strided convolutions with leaky ReLU; the last map is weighed place by place into a logit.

    widths: channels after each halving.  sides: of the map there.  slope: of the leaky ReLU.
    pairs: a 3x3 convolution before each strided one, and a last one of twice the width (SNGAN table 3).
    norm: behind every convolution but the first (DCGAN has batch norm there).  head_parts: of the last layer alone.
    classes: 0, or K for projection on the sum of the last map, which the residual networks brought; none of the
    published networks of this kind had it. The other arguments are those of `ResidualDiscriminator`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        sides: Sequence[int],
        attention_at: Collection[int],
        classes: int,
        parts: Parts,
        slope: float,
        pairs: bool = False,
        norm: Norm = no_norm,
        head_parts: Parts | None = None,
        attention: AttentionVariant = official,
        channels: int = 3,
    ) -> None:
        super().__init__(classes=classes)
        self.slope = slope
        stages: list[nn.Module] = []
        for number, (c_in, c_out) in enumerate(zip([channels, *widths], widths, strict=False)):
            first = no_norm if number == 0 else norm
            before = [parts.conv(c_in, c_out, 3), first(c_out), nn.LeakyReLU(slope)] if pairs else []
            halving = parts.conv(c_out if pairs else c_in, c_out, 4, stride=2, padding=1)
            stages.append(nn.Sequential(*before, halving, (norm if pairs else first)(c_out)))
        self.stages = nn.ModuleList(stages)
        maps = list(zip(sides, widths, strict=True))
        self.attention, self.after = attention_after(maps, attention_at, attention, parts)
        width = widths[-1] * 2 if pairs else widths[-1]
        self.last = nn.Sequential(parts.conv(widths[-1], width, 3), norm(width)) if pairs else None
        self.head = (head_parts or parts).conv(width, 1, sides[-1], padding=0)
        self.embedding = parts.embedding(classes, width) if classes else None

    @property
    def trunk(self) -> nn.ModuleList:
        return self.stages

    def judge(self, pictures: Tensor, labels: Tensor | None) -> Tensor:
        h = pictures.contiguous(memory_format=torch.channels_last)
        for number, stage in enumerate(self.stages):
            h = F.leaky_relu(stage(h), self.slope)
            if number in self.after:
                h = self.attention[self.after[number]](h)
        if self.last is not None:
            h = F.leaky_relu(self.last(h), self.slope)
        with full_precision(h):
            h = h.to(torch.promote_types(h.dtype, torch.float32))
            logits: Tensor = self.head(h).flatten()
            if self.embedding is not None:
                logits = logits + (self.embedding(labels) * h.sum(dim=(2, 3))).sum(dim=1)
        return logits
