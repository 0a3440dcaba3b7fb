from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.data.config import DataConfig
from sagan.data.emblems import render
from sagan.data.images import open_images
from sagan.metrics.offline import offline_features
from sagan.metrics.quick import FIRST_SEED, quick_score, quick_statistics


@pytest.fixture(scope="module")
def statistics():
    images = open_images(DataConfig(), 32)
    images._pixels, images.labels = images._pixels[:600], images.labels[:600]
    images.digests = images.digests[:600]
    return quick_statistics(offline_features(), images, recipe="crop #ffffff", count=300)


def emblems(seeds):
    return render(np.array([seed - FIRST_SEED + 20_000 for seed in seeds]))[0]


def test_better_pictures_score_better_and_the_same_ones_the_same(statistics):
    def noisy(seeds):
        noise = np.random.default_rng(0).normal(0, 40, (len(seeds), 32, 32, 3))
        return np.clip(emblems(seeds) + noise, 0, 255).astype(np.uint8)

    good, bad = quick_score(emblems, statistics), quick_score(noisy, statistics)
    assert good == quick_score(emblems, statistics)
    assert bad["frechet"] > 2 * good["frechet"] and bad["kid"] > good["kid"] and bad["precision"] < good["precision"]
    assert set(good) == {"frechet", "kid", "precision", "recall"}


def test_it_asks_for_the_same_seeds_and_leaves_the_generators_of_torch_alone(statistics):
    asked, before = [], torch.get_rng_state()

    def draw(seeds):
        asked.extend(seeds)
        return emblems(seeds)

    quick_score(draw, statistics)
    assert asked == list(range(FIRST_SEED, FIRST_SEED + 300))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_protocol_is_one_line_that_best_json_takes(statistics):
    assert len(statistics.protocol) <= 256
    assert statistics.protocol.startswith("frechet, 300 averaged pictures, 600 real, sagan-32 ")
