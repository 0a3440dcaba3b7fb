"""The record of the two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sagan.errors import ConfigError
from sagan.models.architecture import Shape, Size, published_attention, shape_of, sides, size_of, widths_at
from sagan.records import Record, option

ATTENTION_CHANNELS = 8  # the fewest that attention takes: its queries and keys have an eighth of the map's
ATTENTION_VARIANTS = ("official", "paper", "heykeetae")  # known without loading torch; `layers.attention` has the rest
CONTROL_VARIANTS = ("residual",)  # what may stand in attention's place: `layers.control`

Place = Annotated[int, Field(ge=0, le=65_536)]  # the side of a map; bounded so that a message can always show it


class ModelConfig(Record):
    """Sizes and parts of the generator and the discriminator (SAGAN, arXiv:1805.08318, and its ancestors)."""

    resolution: int = option(
        32, "Side of the square pictures in pixels: 16, 32, 48, 64, 128, 256, 512 or another of 4, 5, 6, 7 times 2^k."
    )
    channels: int = option(3, "Channels of a picture: 1 is grey, 3 is RGB, 4 is RGB with transparency.", ge=1, le=4)
    architecture: Literal["residual", "dcgan", "sngan-cnn", "heykeetae"] = option(
        "residual", "Kind of networks: residual blocks (SAGAN, SNGAN, WGAN-GP) or plain convolutions."
    )
    z_dim: int = option(128, "Length of the latent vector.", ge=1, le=4096)
    g_ch: int = option(0, "Base width of the generator; 0 means the published width for the resolution.", ge=0, le=1024)
    d_ch: int = option(
        0, "Base width of the discriminator; 0 means the published width for the resolution.", ge=0, le=1024
    )
    attention: str = option(
        "official",
        "Form of the attention block: official (the authors' code), paper (its text), heykeetae, or residual: no attention"
        " but as many parameters in its place.",
    )
    g_attn: tuple[Place, ...] | None = option(
        None, "Map sizes with self-attention in the generator, such as 16 or 16,32; 0 for none."
    )
    d_attn: tuple[Place, ...] | None = option(
        None, "Map sizes with self-attention in the discriminator, such as 16; 0 for none."
    )
    g_sn: bool = option(True, "Spectral normalisation in the generator.")
    d_sn: bool = option(True, "Spectral normalisation in the discriminator.")
    d_norm: Literal["none", "batch", "layer"] = option("none", "Further normalisation inside the discriminator.")
    d_hidden: Literal["wide", "thin"] = option(
        "wide", "Hidden width of the discriminator's residual blocks: wide is the output's, thin the input's (SNGAN)."
    )
    d_shortcut: Literal["plain", "rectified"] = option(
        "plain", "What the discriminator's shortcuts read: the block's input, or its ReLU (others' in-place ReLU)."
    )
    g_up: Literal["nearest", "bilinear"] = option(
        "nearest", "How the generator's residual blocks enlarge: nearest, as the papers do, or bilinear (mimicry)."
    )
    g_latent: Literal["stem", "norms"] = option(
        "stem",
        "Where the latent enters the generator: its first layer (the papers), or the blocks' norms too (BigGAN).",
    )
    g_class_spread: float = option(
        0.0, "How far apart the classes start in the generator's norms; 0 is alike, as published.", ge=0.0, le=1.0
    )
    layout: Literal["usual", "biggan", "chainer"] = option(
        "usual", "Widths of the residual networks of 64x64: usual, biggan (wider generator), chainer (five halvings)."
    )
    d_pool: Literal["sum", "mean"] = option("sum", "How the residual discriminator pools its last map (mean: WGAN-GP).")
    bn_group: int = option(0, "Batch-norm statistics over groups of this many pictures; 0 for the whole batch.", ge=0)
    init: Literal["xavier", "xavier-relu", "orthogonal", "normal", "torch"] = option(
        "xavier", "How weights are drawn at the start."
    )

    @property
    def size(self) -> Size:
        """The resolution as base * 2**doublings."""
        size = size_of(self.resolution)
        assert size is not None
        return size

    @property
    def shape(self) -> Shape:
        """The networks' widths along their maps, as multiples of `g_ch` and `d_ch`."""
        return shape_of(self.architecture, self.resolution, self.layout)

    @field_validator("resolution")
    @classmethod
    def _known_resolution(cls, value: int) -> int:
        if size_of(value) is None:
            nearest = min(sides(), key=lambda side: abs(side - value))
            raise ConfigError(
                f"resolution is {value}, and networks double a map of 4 to 7 pixels",
                remedy=f"Choose 16, 32, 64, 128, 256, 512 or, near to it, {nearest}; pictures of any size are resized to it.",
            )
        return value

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, value: int) -> int:
        if value not in (1, 3, 4):
            raise ConfigError(f"channels is {value}", remedy="Choose 1 (grey), 3 (RGB) or 4 (RGB with transparency).")
        return value

    @field_validator("attention")
    @classmethod
    def _known_attention(cls, value: str) -> str:
        if value not in ATTENTION_VARIANTS + CONTROL_VARIANTS:
            from sagan.layers.attention import ATTENTION  # loads torch, which the command line's help does not need

            if value not in ATTENTION:
                raise ConfigError(
                    f"attention is {value!r}",
                    remedy=f"Choose one of {', '.join((*ATTENTION, *CONTROL_VARIANTS))}, or import what adds it.",
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
        shape, size = self.shape, self.size
        generator, discriminator = published_attention(shape, size)
        chosen = {
            "g_ch": self.g_ch or shape.g_ch,
            "d_ch": self.d_ch or shape.d_ch,
            "g_attn": generator if self.g_attn is None else self.g_attn,
            "d_attn": discriminator if self.d_attn is None else self.d_attn,
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)  # frozen for everybody else: the record is complete once made
        _check_places("g", self.g_attn or (), self.g_ch, widths_at(shape.generator_maps(size)))
        _check_places("d", self.d_attn or (), self.d_ch, widths_at(shape.discriminator_maps(size)))
        return self


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
