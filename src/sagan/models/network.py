"""What every generator and every discriminator is, whatever it is built of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.attention import AttentionVariant
from sagan.layers.labels import required_labels
from sagan.layers.parts import Norm, Parts, batch_norm


class Generator(nn.Module, ABC):
    """Latents and labels to pictures.

    z_dim: length of a latent.  classes: 0, or K for a class-conditional one.  resolution: side of the pictures.
    channels: of a picture.  attention: the attention layers by map size.
    """

    attention: nn.ModuleDict

    def __init__(self, *, z_dim: int, classes: int, resolution: int, channels: int) -> None:
        super().__init__()
        self.z_dim, self.classes, self.resolution, self.channels = z_dim, classes, resolution, channels

    @abstractmethod
    def render(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """What `forward` does, with labels where there are classes."""

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """latents: (B, z_dim); labels: (B,) int64 when there are classes -> pictures (B, channels, R, R) in [-1, 1].

        Raises ConfigError when there are classes and no labels.
        """
        return self.render(latents, required_labels(labels, self.classes) if self.classes else None)


class Discriminator(nn.Module, ABC):
    """Pictures and labels to logits.

    classes: 0, or K for projection (arXiv:1802.05637).  attention: the attention layers by map size.
    after: the number of the block that each of them stands behind -> its map size, as text.
    """

    attention: nn.ModuleDict
    after: dict[int, str]

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.classes = classes

    @property
    @abstractmethod
    def trunk(self) -> nn.ModuleList:
        """The blocks in the order of the data; attention stands behind some of them."""

    def beginning(self, count: int) -> list[nn.Module]:
        """The first `count` blocks and the attention behind them. Raises ConfigError when there are fewer."""
        if count > len(self.trunk):
            raise ConfigError(
                f"freeze_d is {count}, and this discriminator has {len(self.trunk)} blocks",
                remedy=f"Choose {len(self.trunk)} or fewer.",
            )
        return [*self.trunk[:count], *(self.attention[name] for block, name in self.after.items() if block < count)]

    @abstractmethod
    def judge(self, pictures: Tensor, labels: Tensor | None) -> Tensor:
        """What `forward` does, with labels where there are classes."""

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        """pictures: (B, channels, R, R) in [-1, 1]; labels: (B,) int64 when there are classes -> logits (B,), float32.

        Raises ConfigError when there are classes and no labels.
        """
        return self.judge(pictures, required_labels(labels, self.classes) if self.classes else None)


def attention_after(
    maps: Sequence[tuple[int, int]], places: Collection[int], variant: AttentionVariant, parts: Parts
) -> tuple[nn.ModuleDict, dict[int, str]]:
    """Attention behind the first block of each wanted map size.

    maps: (side, channels) after each block, in the order of the data.  places: wanted sides.
    Returns (the layers by side as text, which of them comes behind which block).
    """
    layers, after = nn.ModuleDict(), dict[int, str]()
    for number, (side, channels) in enumerate(maps):
        if side in places and str(side) not in layers:
            layers[str(side)] = variant(channels, parts)
            after[number] = str(side)
    return layers, after


def generator_norm(z_dim: int, classes: int, parts: Parts, *, group: int, modulated: bool, class_spread: float) -> Norm:
    """The batch norms between a generator's layers. modulated: by the latents.  The others: see `layers.parts.batch_norm`."""
    latent = z_dim if modulated else 0
    return batch_norm(classes, group, z_dim=latent, class_spread=class_spread, generator=parts.generator)
