"""Features of the real pictures: all of a set, or some of it at random; from the cache where they were made before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagan.data.image_set import ImageSet
from sagan.metrics.cache import FeatureCache
from sagan.metrics.features import BATCH, MAX_BYTES, FeatureNetwork, Features, Pictures, collect
from sagan.randomness import Stream, permutation

HALVES = 1 << 20  # index under Stream.METRIC of the order by which a set is halved; subsets of KID are below
CHOICE = HALVES + 1  # of the order by which some pictures of a set are chosen
SCHEMA = 1


@dataclass(frozen=True)
class RealSet:
    """features: (n, d).  labels: (n,), zeros without classes.  ids: (n,), places in the set.  split: which they are, in words.

    cached: whether the features came from the cache.
    """

    features: Features
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]
    split: str
    cached: bool

    def halves(self, seed: int, drawn: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Two sets of rows without a common one: `drawn` of them, at most half, to stand for drawn pictures, and the rest."""
        order = permutation(seed, Stream.METRIC, HALVES, len(self.ids))
        pretend = min(drawn, len(order) // 2)
        return order[pretend:], order[:pretend]


def real_set(
    network: FeatureNetwork,
    images: ImageSet,
    recipe: str,
    *,
    most: int = 0,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RealSet:
    """The features of a set.

    recipe: in words, how its squares were made (fit and background).  most: at most so many pictures, chosen by the seed;
    0 for all, or as many as fit into memory.  cache: None for none.
    Raises DataError for a picture that is gone; ConfigError from the network.
    """
    cache = cache or FeatureCache(None)
    limit = min(filter(None, (most, MAX_BYTES // (4 * network.dimension))))
    if len(images) <= limit:
        ids, split = np.arange(len(images)), "all"
    else:
        ids, split = np.sort(permutation(seed, Stream.METRIC, CHOICE, len(images))[:limit]), f"{limit} by seed {seed}"
    facts: dict[str, str | int] = {
        "schema": SCHEMA,
        "data": images.fingerprint,
        # The fingerprint does not say in which order a folder or an archive lists the same pictures.
        "order": hashlib.sha256(images.digests.tobytes()).hexdigest(),
        "resolution": images.resolution,
        "channels": images.channels,
        "recipe": recipe,
        "split": split,
        "backbone": network.name,
        "weights": network.weights,
        "resize": network.resize,
        "dimension": network.dimension,
    }
    features = cache.read(facts)
    cached = features is not None and features.shape == (len(ids), network.dimension)
    if features is None or not cached:
        features = collect(network, _batches(images, ids), len(ids), progress)
        if network.weights:  # without a hash, nobody could tell when the network changes
            cache.write(facts, features)
    return RealSet(features, images.labels[ids], ids, split, cached)


def _batches(images: ImageSet, ids: NDArray[np.int64]) -> Iterator[Pictures]:
    for start in range(0, len(ids), BATCH):
        yield images.pictures(ids[start : start + BATCH])
