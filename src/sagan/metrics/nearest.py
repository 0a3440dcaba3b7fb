"""The nearest training picture of each sample, whatever small thing was done to it: moved, mirrored, brightened, noised.

Two stages, so that 1,000 samples against 50,000 pictures take seconds. Coarse: 8x8 thumbnails of the sample, mirrored or not
and moved by up to two pixels, against thumbnails of all training pictures; the best few stay, with those that are nearest in
features. Fine: the middle of the sample, at 32x32, against every place in each candidate, each channel less its mean and the
whole divided by its norm, so that brightness and contrast do not count. Distances lie from 0 (equal) to 2; 1.4 is unrelated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sagan.metrics.features import Features, Pictures, as_rgb, resized

SIDE, THUMB = 32, 8
SHIFT = 3  # pixels of 32 that a copy may be moved in the fine stage
COARSE_SHIFTS = tuple((y, x) for y in (-2, 0, 2) for x in (-2, 0, 2))
CANDIDATES, FROM_FEATURES = 16, 8
CHUNK = 32  # samples at a time

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Nearest:
    """For each of n samples. index: (n,), its nearest training picture.  distance: (n,), to it.

    usual: (n,), the median distance to its other candidates, which look alike too: what near means around this picture.
    feature_index, feature_distance: (n,), the nearest in features, and how far.
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]
    usual: NDArray[np.float64]
    feature_index: NDArray[np.int64]
    feature_distance: NDArray[np.float64]

    @property
    def ratio(self) -> NDArray[np.float64]:
        """distance / usual: about 0.9 for a picture of its own, near 0 for a copy."""
        return self.distance / np.maximum(self.usual, 1e-9)


@dataclass(frozen=True)
class Neighbours:
    """For each of n samples its k nearest, best first. index, distance: (n, k), in pixels.  usual: (n,), as in `Nearest`.

    feature_index, feature_distance: (n, k), in features.
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]
    usual: NDArray[np.float64]
    feature_index: NDArray[np.int64]
    feature_distance: NDArray[np.float64]

    def first(self) -> Nearest:
        """The nearest alone."""
        return Nearest(
            self.index[:, 0], self.distance[:, 0], self.usual, self.feature_index[:, 0], self.feature_distance[:, 0]
        )


class _Compared(NamedTuple):
    """candidates, distances: (n, 24), of the fine stage.  near, squares: (n, 8), in features, nearest first."""

    candidates: Tensor
    distances: Tensor
    near: Tensor
    squares: Tensor


class TrainingPictures:
    """The pictures to look in. Bytes at 32x32, thumbnails and features: about 5 KiB a picture."""

    def __init__(self, pictures: Iterator[Pictures], features: Features) -> None:
        small = [small_pictures(batch) for batch in pictures]
        self.small: Pictures = np.concatenate(small)  # (m, 32, 32, 3)
        self.features = features
        self.thumbs = torch.cat([thumbs(to_tensor(part)) for part in np.array_split(self.small, len(small))])
        self._norms = torch.from_numpy(np.einsum("ij,ij->i", features, features))

    def __len__(self) -> int:
        return len(self.small)

    @torch.no_grad()
    def nearest(
        self,
        samples: Pictures,
        features: Features,
        *,
        without: NDArray[np.int64] | None = None,
        progress: Progress | None = None,
    ) -> Nearest:
        """samples: (n, R, R, C) uint8.  features: (n, d) of them.  without: (n,), a training picture that each may not find.

        Needs more training pictures than candidates, 24.
        """
        parts = []
        for start in range(0, len(samples), CHUNK):
            part = slice(start, start + CHUNK)
            barred = None if without is None else torch.from_numpy(without[part])
            parts.append(self._look_up(small_pictures(samples[part]), features[part], barred))
            if progress is not None:
                progress(min(start + CHUNK, len(samples)), len(samples))
        return Nearest(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    @torch.no_grad()
    def neighbours(self, samples: Pictures, features: Features, k: int) -> Neighbours:
        """The k nearest of few samples (n, R, R, C) with features (n, d).  k: at most FROM_FEATURES.

        Needs more training pictures than candidates, 24.
        """
        found = self._compare(small_pictures(samples), features, None)
        index, distance = [], []
        for candidates, distances in zip(found.candidates.numpy(), found.distances.double().numpy(), strict=True):
            order = np.argsort(distances, kind="stable")
            _, first = np.unique(candidates[order], return_index=True)  # one may have been found in both ways
            best = order[np.sort(first)[:k]]
            index.append(candidates[best])
            distance.append(distances[best])
        return Neighbours(
            np.stack(index),
            np.stack(distance),
            found.distances.median(dim=1).values.double().numpy(),
            found.near[:, :k].numpy(),
            found.squares[:, :k].clamp(min=0).sqrt().double().numpy(),
        )

    def _look_up(
        self, small: Pictures, features: Features, barred: Tensor | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        found = self._compare(small, features, barred)
        best = found.distances.argmin(dim=1, keepdim=True)
        return (
            found.candidates.gather(1, best)[:, 0].numpy(),
            found.distances.gather(1, best)[:, 0].double().numpy(),
            found.distances.median(dim=1).values.double().numpy(),
            found.near[:, 0].numpy(),
            found.squares[:, 0].clamp(min=0).sqrt().double().numpy(),
        )

    def _compare(self, small: Pictures, features: Features, barred: Tensor | None) -> _Compared:
        x = to_tensor(small)
        by_pixels = self._coarse(x)
        by_features = self._feature_distances(features)
        if barred is not None:
            rows = torch.arange(len(x))
            by_pixels[rows, barred], by_features[rows, barred] = -torch.inf, torch.inf
        squares, near = by_features.topk(FROM_FEATURES, dim=1, largest=False)
        candidates = torch.cat([by_pixels.topk(CANDIDATES, dim=1).indices, near], dim=1)  # (n, 24)
        distances = fine_distances(x, torch.from_numpy(self.small[candidates.numpy()]))
        return _Compared(candidates, distances, near, squares)

    def _coarse(self, x: Tensor) -> Tensor:
        """(n, 3, 32, 32) -> (n, m): the best correlation of the thumbnails over shifts and mirroring."""
        best = torch.full((len(x), len(self)), -torch.inf)
        for seen in (x, x.flip(3)):
            padded = F.pad(seen, (2, 2, 2, 2), mode="replicate")
            for down, right in COARSE_SHIFTS:
                moved = padded[:, :, 2 + down : 2 + down + SIDE, 2 + right : 2 + right + SIDE]
                torch.maximum(best, thumbs(moved) @ self.thumbs.T, out=best)
        return best

    def _feature_distances(self, features: Features) -> Tensor:
        """(n, d) -> (n, m), squared."""
        given = torch.from_numpy(features)
        return given.square().sum(1, keepdim=True) - 2.0 * given @ torch.from_numpy(self.features).T + self._norms


def small_pictures(pictures: Pictures) -> Pictures:
    """(n, R, R, C) -> (n, 32, 32, 3)."""
    return resized(as_rgb(pictures), SIDE)


def to_tensor(small: Pictures) -> Tensor:
    """(n, 32, 32, 3) uint8 -> (n, 3, 32, 32) float32."""
    return torch.from_numpy(np.ascontiguousarray(small)).permute(0, 3, 1, 2).float()


def thumbs(x: Tensor) -> Tensor:
    """(n, 3, 32, 32) -> (n, 192): means of 4x4 pixels, each channel less its mean, of norm 1."""
    return unit(F.avg_pool2d(x, SIDE // THUMB)).flatten(1)


def unit(x: Tensor) -> Tensor:
    """(n, 3, h, w) -> each channel less its mean, then each picture divided by its norm; a plain one becomes zero."""
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / centred.square().sum((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-3)


def window_means(x: Tensor, side: int) -> Tensor:
    """(n, 3, 32, 32) -> (n, 3, 7, 7), the mean of each window of `side` pixels; rows first, then columns."""
    return F.avg_pool2d(F.avg_pool2d(x, (side, 1), stride=1), (1, side), stride=1)


def fine_distances(x: Tensor, candidates: Tensor) -> Tensor:
    """x: (n, 3, 32, 32) float; candidates: (n, k, 32, 32, 3) uint8 -> (n, k), the least over shifts and mirroring.

    |a - b|^2 = 2 - 2 a.b for a, b of norm 1: the middle of x against every window of the candidate.
    """
    n, k = candidates.shape[:2]
    window, shifts = SIDE - 2 * SHIFT, 2 * SHIFT + 1
    middle = x[:, :, SHIFT : SHIFT + window, SHIFT : SHIFT + window]
    pictures = candidates.permute(0, 1, 4, 2, 3).float().reshape(n * k, 3, SIDE, SIDE)
    mean = window_means(pictures, window)
    power = (window_means(pictures.square(), window) - mean.square()).sum(1) * window**2  # (nk, 7, 7)
    norms = power.clamp(min=1e-6).sqrt().reshape(n, k, shifts, shifts)
    # By the Fourier transform, which is fifty times faster than a convolution with a filter of its own for each sample.
    waves = torch.fft.rfft2(pictures - pictures.mean((2, 3), keepdim=True)).reshape(n, k, 3, SIDE, -1)
    best = torch.full((n, k), -1.0)
    for seen in (middle, middle.flip(3)):
        # One filter a sample, less its means: so the means of the windows drop out of the product.
        filters = torch.fft.rfft2(unit(seen), s=(SIDE, SIDE)).conj()[:, None]
        products = torch.fft.irfft2((waves * filters).sum(2), s=(SIDE, SIDE))[..., :shifts, :shifts]
        best = torch.maximum(best, (products / norms).flatten(2).amax(2))
    return (2.0 - 2.0 * best.clamp(max=1.0)).sqrt()
