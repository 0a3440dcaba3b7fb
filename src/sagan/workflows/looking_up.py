"""The training pictures, ready to be looked in: for the leak test, and for the neighbours of a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sagan.data.config import DataConfig
from sagan.data.image_set import ImageSet
from sagan.metrics.cache import FeatureCache
from sagan.metrics.features import BATCH, FeatureNetwork
from sagan.metrics.nearest import TrainingPictures
from sagan.metrics.real import RealSet, real_set
from sagan.runtime import cache_folder

Tell = Callable[[str, int, int], None]  # what is being done, how much of it, of how many


def training_pictures(
    network: FeatureNetwork, images: ImageSet, config: DataConfig, tell: Tell
) -> tuple[TrainingPictures, RealSet]:
    """All pictures of a set with their features, which come from the user's cache where they were made before.

    What is found in them by number is `RealSet.ids[number]` of the set. Raises as `metrics.real.real_set` does.
    """
    real = real_set(
        network,
        images,
        f"{config.fit} {config.background}",
        cache=FeatureCache(cache_folder()),
        progress=lambda a, b: tell("features", a, b),
    )
    parts = np.array_split(real.ids, -(-len(real.ids) // BATCH))
    return TrainingPictures((images.pictures(part) for part in parts), real.features), real
