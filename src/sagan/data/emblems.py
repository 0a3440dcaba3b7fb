"""Emblems: the built-in picture set, drawn from a seed, so that the first command works anywhere without a download.

Each picture has a part that convolutions learn easily and a part that they find hard, which is the claim of the SAGAN
paper (arXiv:1805.08318, section 1) turned into pixels. Free, and local: the texture, its colours, the background.
Fixed, and far apart: the emblem is its own mirror image about the vertical centre line, its silhouette is one of eight,
and the two beacons at the left and right border share one hue. `sagan.data.emblem_score` measures how much of the
second part a picture gets right.

Lengths are in units of half a picture: x and y run over [-1, 1], y down. Picture i depends on (seed, i) alone and shows
the same emblem at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sagan.data.emblem_shapes import EMBLEM_CLASSES, distance
from sagan.data.emblem_textures import checks, dots, rings, stripes
from sagan.errors import ConfigError
from sagan.randomness import Stream, bits, uniform

__all__ = ["BEACON_RADIUS", "BEACON_X", "EMBLEM_CLASSES", "RESOLUTIONS", "SET_SIZE", "render"]

SET_SIZE = 8192  # pictures in the set that training uses: ids 0 to 8191
RESOLUTIONS = (16, 32, 64, 128)

BEACON_X = 0.865  # distance of a beacon from the centre line
BEACON_RADIUS = 0.105  # their usual radius; real ones vary around it
RIM = 0.05  # width of the plain band along an emblem's edge, which keeps the silhouette crisp under any texture

_WORDS = 32  # random words kept for the parameters of one picture; the words after them are its grain
_CHUNK_PIXELS = 1 << 19  # pixels drawn at a time, so that the working memory stays at some tens of MiB

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Looks:
    """The free parameters of n pictures, each (n,), uniform in the limits that `_draw_looks` names."""

    background_hue: Array
    background_turn: Array
    background_tint: Array
    background_low: Array
    background_high: Array
    gradient_angle: Array
    hue: Array
    hue_step: Array
    bright: Array
    dark: Array
    tint: Array
    width: Array
    height: Array
    centre: Array
    kind: Array
    angle: Array
    period: Array
    shift_x: Array
    shift_y: Array
    beacon_hue: Array
    beacon_turn: Array
    beacon_radius: Array
    beacon_row_left: Array
    beacon_row_right: Array


_LIMITS: dict[str, tuple[float, float]] = {
    # Colours: hues in turns, brightness as luma in [0, 1], tint as a share of the strongest colour of that hue and
    # luma. The background's luma ends well below where the emblem's begins: a silhouette never drowns.
    "background_hue": (0.0, 1.0),
    "background_turn": (-0.12, 0.12),
    "background_tint": (0.25, 0.60),
    "background_low": (0.07, 0.11),
    "background_high": (0.13, 0.19),
    "gradient_angle": (0.0, 2.0 * np.pi),
    "hue": (0.0, 1.0),
    "hue_step": (0.07, 0.93),
    "bright": (0.62, 0.86),
    "dark": (0.42, 0.56),
    "tint": (0.55, 0.95),
    # Size and place of the emblem: nearly constant, so that a small network can learn them in minutes.
    "width": (0.93, 1.07),
    "height": (0.93, 1.07),
    "centre": (-0.05, 0.05),
    # Texture: which of the four, its direction, its period, where it starts.
    "kind": (0.0, 4.0),
    "angle": (0.0, np.pi),
    "period": (0.30, 0.52),
    "shift_x": (0.0, 1.0),
    "shift_y": (0.0, 1.0),
    # Beacons: `beacon_turn` is the small difference in hue that real pairs have.
    "beacon_hue": (0.0, 1.0),
    "beacon_turn": (-0.05, 0.05),
    "beacon_radius": (0.09, 0.12),
    "beacon_row_left": (-0.10, 0.10),
    "beacon_row_right": (-0.10, 0.10),
}


def render(
    ids: NDArray[np.integer], resolution: int = 32, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw emblems.

    ids: (n,) picture numbers from 0, in any order; 0 to SET_SIZE - 1 are the training set.
    resolution: 16, 32, 64 or 128.  seed: another seed is another set.
    Returns pictures (n, R, R, 3) uint8 RGB and labels (n,) int64, the class ids % 8 into EMBLEM_CLASSES.
    Raises ConfigError for another resolution or ids that are no flat array of integers from 0.
    """
    chosen = _checked(ids, resolution)
    pictures = np.empty((len(chosen), resolution, resolution, 3), dtype=np.uint8)
    step = max(1, _CHUNK_PIXELS // resolution**2)
    for start in range(0, len(chosen), step):
        part = slice(start, start + step)
        pictures[part] = _draw(chosen[part], resolution, seed)
    return pictures, chosen % len(EMBLEM_CLASSES)


def _checked(ids: NDArray[np.integer], resolution: int) -> NDArray[np.int64]:
    if resolution not in RESOLUTIONS:
        raise ConfigError(
            f"emblems cannot be drawn at resolution {resolution}",
            remedy=f"Choose one of {', '.join(map(str, RESOLUTIONS))}.",
        )
    chosen = np.asarray(ids)
    if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
        raise ConfigError(
            f"ids of emblems have shape {chosen.shape} and type {chosen.dtype}", remedy="Give a flat array of integers."
        )
    if chosen.size and chosen.min() < 0:
        raise ConfigError(f"an emblem has the id {chosen.min()}", remedy="Ids start at 0.")
    return chosen.astype(np.int64)


def _draw_looks(ids: NDArray[np.int64], seed: int) -> _Looks:
    names = [field.name for field in fields(_Looks)]
    numbers = uniform(seed, Stream.EMBLEM, ids, _WORDS)
    columns = {}
    for place, name in enumerate(names):
        low, high = _LIMITS[name]
        columns[name] = (low + (high - low) * numbers[:, place]).astype(np.float32)
    return _Looks(**columns)


def _draw(ids: NDArray[np.int64], resolution: int, seed: int) -> NDArray[np.uint8]:
    """Background, then emblem, then beacons, then grain -> (n, R, R, 3)."""
    looks = _draw_looks(ids, seed)
    axis = _centres(resolution)
    canvas = _background(looks, axis)
    alpha, colour = _right_half(looks, ids % len(EMBLEM_CLASSES), axis)
    for half in (canvas[:, :, resolution // 2 :], canvas[:, :, resolution // 2 - 1 :: -1]):  # outwards from the centre
        half += alpha[..., None] * (colour - half)
    _add_beacons(canvas, looks, axis)
    canvas += _grain(ids, resolution, seed)[..., None]
    return np.rint(np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8)


def _centres(resolution: int) -> Array:
    """Where the pixels' centres lie along one axis, in [-1, 1] -> (R,)."""
    return ((np.arange(resolution) + 0.5) * (2.0 / resolution) - 1.0).astype(np.float32)


def _background(looks: _Looks, axis: Array) -> Array:
    """A straight gradient between two dark colours -> (n, R, R, 3)."""
    across = axis[None, None, :] * np.cos(looks.gradient_angle)[:, None, None]
    down = axis[None, :, None] * np.sin(looks.gradient_angle)[:, None, None]
    share = (0.5 + 0.35 * (across + down))[..., None]  # 0.35 * sqrt(2) < 0.5: the corners stay between the two colours
    first = _colours(looks.background_hue, looks.background_low, looks.background_tint)
    second = _colours(looks.background_hue + looks.background_turn, looks.background_high, looks.background_tint)
    return first[:, None, None] * (1 - share) + second[:, None, None] * share


def _right_half(looks: _Looks, labels: NDArray[np.int64], axis: Array) -> tuple[Array, Array]:
    """Coverage (n, R, R/2) and colour (n, R, R/2, 3) of the emblems right of the centre line."""
    right = axis[len(axis) // 2 :]
    pixel = np.float32(2.0 / len(axis))
    x = right[None, :] / looks.width[:, None]
    y = (axis[None, :] - looks.centre[:, None]) / looks.height[:, None]
    edge = distance(labels, x, y) * np.sqrt(looks.width * looks.height)[:, None, None]
    alpha = np.clip(0.5 - edge / pixel, 0.0, 1.0)
    inner = np.clip(0.5 - (edge + RIM) / pixel, 0.0, 1.0)
    texture = _texture(looks, right, axis, pixel) * inner  # 0 the bright colour, 1 the dark one
    bright = _colours(looks.hue, looks.bright, looks.tint)
    dark = _colours(looks.hue + looks.hue_step, looks.dark, looks.tint)
    return alpha, bright[:, None, None] + texture[..., None] * (dark - bright)[:, None, None]


def _texture(looks: _Looks, right: Array, axis: Array, pixel: np.float32) -> Array:
    """Share of the second colour, in [0, 1], on the right half -> (n, R, R/2)."""
    texture = np.empty((len(looks.kind), len(axis), len(right)), dtype=np.float32)
    for number, pattern in enumerate((stripes, dots, checks, rings)):
        chosen = np.floor(looks.kind).astype(np.int64) == number
        cos, sin = (f(looks.angle[chosen])[:, None, None] for f in (np.cos, np.sin))
        period = looks.period[chosen][:, None, None]
        x, y = right[None, None, :], axis[None, :, None]
        along = (x * cos + y * sin) / period + looks.shift_x[chosen][:, None, None]
        across = (y * cos - x * sin) / period + looks.shift_y[chosen][:, None, None]
        if pattern is rings:  # about a point of the right half or the centre line, not about the picture's middle
            along = (x - 0.4 * looks.shift_x[chosen][:, None, None]) / period
            across = (y - looks.shift_y[chosen][:, None, None] + 0.5) / period
        texture[chosen] = np.clip(0.5 + pattern(along, across) * period / pixel, 0.0, 1.0)
    return texture


def _add_beacons(canvas: Array, looks: _Looks, axis: Array) -> None:
    """Draw the two beacons of each picture on `canvas`, in place."""
    pixel = 2.0 / len(axis)
    left = (-BEACON_X, looks.beacon_row_left, looks.beacon_hue)
    right = (BEACON_X, looks.beacon_row_right, looks.beacon_hue + looks.beacon_turn)
    for column, row, hue in (left, right):
        away = np.hypot(axis[None, None, :] - column, axis[None, :, None] - row[:, None, None])
        alpha = np.clip(0.5 + (looks.beacon_radius[:, None, None] - away) / pixel, 0.0, 1.0)[..., None]
        colour = _colours(hue, np.full_like(hue, 0.60), np.ones_like(hue))
        canvas += alpha * (colour[:, None, None] - canvas)


def _grain(ids: NDArray[np.int64], resolution: int, seed: int) -> Array:
    """Grey noise, uniform within 1/30 of the range on either side -> (n, R, R); one random byte a pixel."""
    words = bits(seed, Stream.EMBLEM, ids, _WORDS + resolution**2 // 4)[:, _WORDS:]
    noise = words.astype("<u4").view(np.uint8).reshape(len(ids), resolution, resolution)
    return (noise.astype(np.float32) - 127.5) / np.float32(127.5 * 30)


_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def _colours(hue: Array, luma: Array, tint: Array) -> Array:
    """RGB in [0, 1] of a hue (in turns) and luma: grey plus `tint` times the strongest chroma there is -> (n, 3)."""
    ramp = np.abs((hue[:, None] + np.array([0.0, 2 / 3, 1 / 3], dtype=np.float32)) % 1.0 * 6.0 - 3.0) - 1.0
    pure = np.clip(ramp, 0.0, 1.0)
    chroma = pure - (pure @ _LUMA)[:, None]
    room = np.where(chroma > 0, 1.0 - luma[:, None], luma[:, None]) / np.maximum(np.abs(chroma), 1e-6)
    return luma[:, None] + chroma * (tint * room.min(axis=1))[:, None]
