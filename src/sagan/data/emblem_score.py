"""How much of the far-reaching structure of the emblems a picture gets right, measured from its pixels alone.

Three tests, each one number or two against a threshold that 99 % of real pictures meet:

    mirror       the texture left of the centre line is the mirror image of the one on the right
    beacons      a disc is found near each border, and the two hues agree
    silhouette   what stands out from the background covers the template of its class, and no other class's better

The structure score is the share of pictures that pass all three. It needs no network and no hidden parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sagan.data.emblem_templates import Templates, templates
from sagan.data.emblems import EMBLEM_CLASSES, RESOLUTIONS
from sagan.errors import DataError

Array = NDArray[np.float32]

_CHUNK_PIXELS = 1 << 20  # pixels measured at a time
_FAINTEST = 0.10  # nothing less far from the background than this (distance in RGB, [0, 1] each) counts as drawn
_STANDS_OUT = 0.25  # share of the bright parts' distance from the background that counts as drawn; dark ones keep 0.3
_FLAT = 0.01  # a texture with less contrast (standard deviation) is no texture: nothing to be mirrored
_GREY = 0.05  # a beacon with less chroma has no hue


@dataclass(frozen=True)
class Measurements:
    """What was measured on n pictures; every array is (n,)."""

    mirror_error: Array
    """Root mean square difference between the halves over that of unrelated halves: 0 perfect, about 1 unrelated."""
    beacon_fit: Array
    """Correlation of the worse of the two beacon zones with a disc, in [-1, 1]."""
    hue_difference: Array
    """Degrees between the hues of the two beacons, in [0, 180]."""
    overlap: Array
    """Intersection over union of the picture's silhouette and the template of its class, in [0, 1]."""
    label: NDArray[np.int64]
    """The class whose template it was compared with."""
    closest: NDArray[np.int64]
    """The class whose template fits best."""


@dataclass(frozen=True)
class Thresholds:
    """What a picture must reach to pass."""

    mirror_error: float
    beacon_fit: float
    hue_difference: float
    overlap: float


@dataclass(frozen=True)
class StructureScore:
    """Shares of the pictures, in [0, 1], that pass each test, and (structure) all three."""

    mirror: float
    beacons: float
    silhouette: float
    structure: float


# By resolution, so that 99 % of real pictures pass each test. Measured by `python benchmarks/emblems_thresholds.py`,
# which writes benchmarks/results/emblems-thresholds.json; the figures here are the ones in that file.
THRESHOLDS: dict[int, Thresholds] = {
    16: Thresholds(mirror_error=0.334, beacon_fit=0.932, hue_difference=19.4, overlap=0.808),
    32: Thresholds(mirror_error=0.269, beacon_fit=0.94, hue_difference=19.5, overlap=0.812),
    64: Thresholds(mirror_error=0.242, beacon_fit=0.922, hue_difference=19.5, overlap=0.803),
    128: Thresholds(mirror_error=0.232, beacon_fit=0.887, hue_difference=19.5, overlap=0.796),
}


def score(pictures: NDArray[np.uint8], labels: NDArray[np.integer] | None) -> StructureScore:
    """The structure score of pictures (n, R, R, 3) uint8 RGB, R one of 16, 32, 64, 128, with labels (n,) in 0..7.

    labels None: each picture is compared with the class that fits it best, for generators without classes.
    Raises DataError for anything else, and for no pictures at all.
    """
    return score_of(measure(pictures, labels), pictures.shape[1])


def score_of(found: Measurements, resolution: int) -> StructureScore:
    """The structure score of what `measure` found on pictures of this side."""
    passed = passes(found, THRESHOLDS[resolution])
    shares = {name: float(test.mean()) for name, test in passed.items()}
    return StructureScore(**shares, structure=float(np.logical_and.reduce(list(passed.values())).mean()))


def passes(found: Measurements, limit: Thresholds) -> dict[str, NDArray[np.bool_]]:
    """Which pictures pass each test -> {"mirror", "beacons", "silhouette"}, each (n,)."""
    return {
        "mirror": found.mirror_error <= limit.mirror_error,
        "beacons": (found.beacon_fit >= limit.beacon_fit) & (found.hue_difference <= limit.hue_difference),
        "silhouette": (found.overlap >= limit.overlap) & (found.closest == found.label),
    }


def measure(pictures: NDArray[np.uint8], labels: NDArray[np.integer] | None) -> Measurements:
    """The measurements behind `score`, picture by picture; the arguments are those of `score`."""
    _check(pictures, labels)
    step = max(1, _CHUNK_PIXELS // pictures.shape[1] ** 2)
    parts = []
    for start in range(0, len(pictures), step):
        part = slice(start, start + step)
        parts.append(_measure(pictures[part], None if labels is None else np.asarray(labels[part], dtype=np.int64)))
    names = [field.name for field in fields(Measurements)]
    return Measurements(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _check(pictures: NDArray[np.uint8], labels: NDArray[np.integer] | None) -> None:
    shape = getattr(pictures, "shape", None)
    if shape is None or len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or pictures.dtype != np.uint8:
        kind = f"{shape} {getattr(pictures, 'dtype', type(pictures).__name__)}"
        raise DataError(f"pictures to score are {kind}", remedy="Give RGB pictures (n, R, R, 3) as uint8.")
    if shape[1] not in RESOLUTIONS:
        known = ", ".join(map(str, RESOLUTIONS))
        raise DataError(f"pictures to score are {shape[1]} pixels wide", remedy=f"Emblems are {known} pixels wide.")
    if not shape[0]:
        raise DataError("there are no pictures to score", remedy="Give at least one.")
    if labels is None:
        return
    labels = np.asarray(labels)
    if labels.shape != shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"labels are {labels.shape} {labels.dtype} for {shape[0]} pictures", remedy="Give one integer per picture."
        )
    if labels.min() < 0 or labels.max() >= len(EMBLEM_CLASSES):
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"a label is {wrong}", remedy=f"Emblems have the classes 0 to {len(EMBLEM_CLASSES) - 1}.")


def _measure(pictures: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> Measurements:
    shapes = templates(pictures.shape[1])
    colours = pictures.astype(np.float32) / 255.0
    above = colours - _background(colours, shapes)  # what was drawn over the background, (n, R, R, 3)
    standing_out = np.sqrt(np.square(above).sum(axis=-1))  # (n, R, R)

    overlaps = _overlaps(standing_out, shapes)  # (n, 8, K)
    closest = overlaps.max(axis=2).argmax(axis=1)
    chosen = closest if labels is None else labels
    everyone = np.arange(len(pictures))
    height = overlaps[everyone, chosen].argmax(axis=1)

    left_fit, left_hue = _beacon(colours[:, :, ::-1], above[:, :, ::-1], standing_out[:, :, ::-1], shapes)
    right_fit, right_hue = _beacon(colours, above, standing_out, shapes)
    turn = np.abs(left_hue - right_hue) % 360.0
    return Measurements(
        mirror_error=_mirror_error(colours, shapes.interiors[chosen, height], shapes),
        beacon_fit=np.minimum(left_fit, right_fit),
        hue_difference=np.nan_to_num(np.minimum(turn, 360.0 - turn), nan=180.0),
        overlap=overlaps[everyone, chosen, height],
        label=chosen,
        closest=closest,
    )


def _background(colours: Array, shapes: Templates) -> Array:
    """The plane in each channel that fits the pixels no emblem reaches -> (n, R, R, 3)."""
    seen = colours.reshape(len(colours), -1, 3)[:, shapes.background_pixels]  # (n, P, 3)
    return (shapes.plane @ (shapes.plane_fit @ seen)).reshape(colours.shape)


def _overlaps(standing_out: Array, shapes: Templates) -> Array:
    """Intersection over union with every class at every height -> (n, 8, K)."""
    zone = standing_out[:, :, shapes.emblem_columns].reshape(len(standing_out), -1)
    bright = np.quantile(zone, 0.9, axis=1, keepdims=True).astype(np.float32)
    drawn = (zone > np.maximum(_STANDS_OUT * bright, _FAINTEST)).astype(np.float32)
    flat = shapes.silhouettes.reshape(-1, zone.shape[1])
    both = drawn @ flat.T
    either = drawn.sum(axis=1, keepdims=True) + flat.sum(axis=1) - both
    return (both / either).reshape(len(zone), *shapes.silhouettes.shape[:2])


def _mirror_error(colours: Array, interior: Array, shapes: Templates) -> Array:
    """interior: (n, P), where each picture's texture is. Unrelated halves differ by sqrt(2) standard deviations."""
    zone = colours[:, :, shapes.emblem_columns]
    difference = np.square(zone - zone[:, :, ::-1]).sum(axis=-1).reshape(interior.shape)
    texture = zone.reshape(*interior.shape, 3)
    weight = interior / interior.sum(axis=1, keepdims=True)
    mean = np.einsum("np,npc->nc", weight, texture)
    variance = np.einsum("np,npc->n", weight, np.square(texture - mean[:, None]))
    error = np.sqrt(np.einsum("np,np->n", weight, difference) / np.maximum(2.0 * variance, 1e-12))
    return np.where(variance < 3 * _FLAT**2, np.float32(1.0), error).astype(np.float32)


def _beacon(colours: Array, above: Array, standing_out: Array, shapes: Templates) -> tuple[Array, Array]:
    """The best correlation with a disc in the right zone, and the hue of that disc in degrees or NaN, both (n,)."""
    rows, columns = shapes.beacon_rows[:, None], shapes.beacon_columns[None, :]
    zone = standing_out[:, rows, columns].reshape(len(colours), -1)
    away = zone - zone.mean(axis=1, keepdims=True)
    discs = shapes.discs - shapes.discs.mean(axis=1, keepdims=True)
    discs /= np.linalg.norm(discs, axis=1, keepdims=True)
    length = np.linalg.norm(away, axis=1, keepdims=True)
    fit = away @ discs.T / np.maximum(length, 1e-6)
    best = fit.argmax(axis=1)

    # Unmix: a pixel is background + coverage * (beacon - background); least squares over the zone gives the beacon.
    coverage = shapes.discs[best]
    power = np.square(coverage).sum(axis=1)[:, None]
    drawn = np.einsum("np,npc->nc", coverage, above[:, rows, columns].reshape(*zone.shape, 3)) / power
    behind = (colours - above)[:, rows, columns].reshape(*zone.shape, 3)
    beacon = drawn + np.einsum("np,npc->nc", coverage, behind) / coverage.sum(axis=1)[:, None]
    hue, chroma = _hue(beacon)
    found = np.linalg.norm(drawn, axis=1) >= _FAINTEST
    correlation = np.where(found, fit[np.arange(len(fit)), best], np.float32(0.0))
    return correlation.astype(np.float32), np.where(chroma >= _GREY, hue, np.nan).astype(np.float32)


def _hue(colour: Array) -> tuple[Array, Array]:
    """Hue in degrees and chroma of RGB (n, 3): the angle and length of the projection along the grey axis."""
    red, green, blue = colour.T
    x, y = red - (green + blue) / 2, np.sqrt(0.75, dtype=np.float32) * (green - blue)
    return np.degrees(np.arctan2(y, x)), np.hypot(x, y)
