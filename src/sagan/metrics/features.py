"""What a feature network is: pictures as bytes in, features out, and a name that says what a number was measured with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.data.resize import make_square
from sagan.errors import ConfigError

BATCH = 256  # pictures that go through a network together
MAX_BYTES = 2 << 30  # of features kept in memory at once

Pictures = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureNetwork:
    """A network by which pictures are compared.

    name: in every table and file; only Inception's may make a FID.  weights: SHA-256 of its numbers, or of its file.
    resize: how a picture comes to its input, in words.  dimension: of the features.
    compute: RGB pictures (n, R, R, 3) uint8 -> features (n, dimension) float32.
    head: weight (dimension, classes) and bias (classes,) of the classifier on the features, for Inception Score.
    """

    name: str
    weights: str
    resize: str
    dimension: int
    compute: Callable[[Pictures], Features]
    head: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def __call__(self, pictures: Pictures) -> Features:
        """Pictures (n, R, R, C) uint8 with 1, 3 or 4 channels -> features (n, dimension) float32, all finite.

        Raises ConfigError when the network gives something else.
        """
        features = np.asarray(self.compute(as_rgb(pictures)))
        if features.shape != (len(pictures), self.dimension):
            raise ConfigError(
                f"features of shape {features.shape} for {len(pictures)} pictures",
                where=self.name,
                remedy=f"They should be ({len(pictures)}, {self.dimension}).",
            )
        if not np.isfinite(features).all():
            raise ConfigError("features that are not finite numbers", where=self.name)
        return features.astype(np.float32, copy=False)

    def logits(self, features: Features) -> NDArray[np.float64]:
        """Features (n, dimension) -> (n, classes). Raises ConfigError for a network without a classifier."""
        if self.head is None:
            raise ConfigError(f"{self.name} has no classifier, so there is no Inception Score")
        weight, bias = self.head
        return features.astype(np.float64) @ weight.astype(np.float64) + bias


def collect(
    network: FeatureNetwork,
    pictures: Iterable[Pictures],
    count: int,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Features of `count` pictures that come batch by batch -> (count, dimension) float32; the pictures are not kept.

    progress: called as progress(done, count). Raises ConfigError when they would not fit into memory.
    """
    if count * network.dimension * 4 > MAX_BYTES:
        most = MAX_BYTES // (4 * network.dimension)
        raise ConfigError(
            f"{count:,} pictures have too many features to be kept", remedy=f"Use at most {most:,} with {network.name}."
        )
    features, done = np.empty((count, network.dimension), dtype=np.float32), 0
    for batch in pictures:
        features[done : done + len(batch)] = network(batch)
        done += len(batch)
        if progress is not None:
            progress(done, count)
    assert done == count, f"{done} pictures came, not {count}"
    return features


def as_rgb(pictures: Pictures) -> Pictures:
    """(n, R, R, C) -> (n, R, R, 3): grey is repeated, transparent pixels are laid on white."""
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or pictures.shape[3] not in (1, 3, 4):
        raise ConfigError(f"pictures of shape {pictures.shape} and type {pictures.dtype}, not (n, R, R, C) bytes")
    if pictures.shape[3] == 1:
        return np.repeat(pictures, 3, axis=3)
    if pictures.shape[3] == 4:
        alpha = pictures[..., 3:].astype(np.uint32)
        laid = pictures[..., :3] * alpha + np.uint32(255) * (255 - alpha)
        return ((laid + 127) // 255).astype(np.uint8)
    return pictures


def resized(pictures: Pictures, side: int) -> Pictures:
    """Pictures (n, R, R, 3) -> (n, side, side, 3) by Pillow's Lanczos, which does not alias; unchanged at that size."""
    if pictures.shape[1:3] == (side, side):
        return pictures
    squares = [make_square(Image.fromarray(picture), side, "stretch") for picture in pictures]
    return np.stack(squares) if squares else np.empty((0, side, side, 3), dtype=np.uint8)
