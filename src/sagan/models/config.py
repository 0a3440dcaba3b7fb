"""The record of the two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import field_validator, model_validator

from sagan.errors import ConfigError
from sagan.models.architecture import ARCHITECTURES, discriminator_sizes, generator_sizes
from sagan.records import Record, option

# resolution -> (generator width, discriminator width, attention at): the published sizes (SNGAN Table 4, StudioGAN's 64,
# the authors' released 128 with attention where the paper's headline row has it).
PUBLISHED = {16: (128, 128, 8), 32: (256, 128, 16), 64: (64, 64, 32), 128: (64, 64, 64)}

ATTENTION_CHANNELS = 8  # the fewest that attention takes: its queries and keys have an eighth of the map's


class ModelConfig(Record):
    """Sizes and parts of the generator and the discriminator (SAGAN, arXiv:1805.08318)."""

    resolution: int = option(32, "Side of the square pictures in pixels: 16, 32, 64 or 128.")
    z_dim: int = option(128, "Length of the latent vector.", ge=1, le=4096)
    g_ch: int = option(0, "Base width of the generator; 0 means the published width for the resolution.", ge=0, le=1024)
    d_ch: int = option(
        0, "Base width of the discriminator; 0 means the published width for the resolution.", ge=0, le=1024
    )
    g_attn: tuple[int, ...] | None = option(
        None, "Map sizes with self-attention in the generator, such as 16 or 16,32; 0 for none."
    )
    d_attn: tuple[int, ...] | None = option(
        None, "Map sizes with self-attention in the discriminator, such as 16; 0 for none."
    )
    g_sn: bool = option(True, "Spectral normalisation in the generator.")
    d_sn: bool = option(True, "Spectral normalisation in the discriminator.")
    bn_group: int = option(0, "Batch-norm statistics over groups of this many pictures; 0 for the whole batch.", ge=0)
    init: Literal["xavier", "orthogonal"] = option("xavier", "How weights are drawn at the start.")

    @field_validator("resolution")
    @classmethod
    def _known_resolution(cls, value: int) -> int:
        if value not in PUBLISHED:
            raise ConfigError(
                f"resolution is {value}",
                remedy=f"Choose one of {', '.join(map(str, PUBLISHED))}; pictures of any size are resized to it.",
            )
        return value

    @field_validator("g_attn", "d_attn", mode="before")
    @classmethod
    def _zero_means_none(cls, value: object) -> object:
        if value is None:
            return None
        places = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        return tuple(place for place in places if place not in (0, False))

    @model_validator(mode="after")
    def _fill_published_sizes(self) -> ModelConfig:
        generator, discriminator, attention = PUBLISHED[self.resolution]
        chosen = {
            "g_ch": self.g_ch or generator,
            "d_ch": self.d_ch or discriminator,
            "g_attn": (attention,) if self.g_attn is None else self.g_attn,
            "d_attn": (attention,) if self.d_attn is None else self.d_attn,
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)  # frozen for everybody else: the record is complete once made
        shape = ARCHITECTURES[self.resolution]
        maps = _first_factors(generator_sizes(self.resolution), shape.generator[1:])
        _check_places("g", self.g_attn or (), self.g_ch, maps)
        maps = _first_factors(discriminator_sizes(self.resolution), shape.discriminator)
        _check_places("d", self.d_attn or (), self.d_ch, maps)
        return self


def _first_factors(sizes: Sequence[int], factors: Sequence[int]) -> dict[int, int]:
    """Map size -> multiple of the base width there; where several blocks have a size, of the first, as attention is."""
    return dict(reversed(list(zip(sizes, factors, strict=True))))


def _check_places(network: Literal["g", "d"], places: Sequence[int], width: int, factors: Mapping[int, int]) -> None:
    """Raise ConfigError for attention where there is no map, or where the map has too few channels for it."""
    name = f"{network}_attn"
    for place in places:
        if place not in factors:
            raise ConfigError(
                f"{name} has {place}, but the maps there are {sorted(factors)}", remedy="Name map sizes from that list."
            )
        if width * factors[place] < ATTENTION_CHANNELS:
            raise ConfigError(
                f"{name} has {place}, but attention needs {ATTENTION_CHANNELS} channels"
                f" and that map has {width * factors[place]}",
                remedy=f"Use {network}_ch {-(-ATTENTION_CHANNELS // factors[place])} or more,"
                f" or leave {place} out of {name} (0 for no attention).",
            )
