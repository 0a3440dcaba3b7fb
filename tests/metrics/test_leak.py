"""Copies are found whatever small thing was done to them, and nothing else is called one."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from sagan.data.emblems import render
from sagan.metrics.leak import are_copies, chance_of, judge
from sagan.metrics.nearest import Nearest, TrainingPictures
from sagan.metrics.offline import offline_features


@pytest.fixture(scope="module")
def network():
    return offline_features()


@pytest.fixture(scope="module")
def training(network):
    drawn, _ = render(np.arange(600))
    return TrainingPictures((drawn[i : i + 100] for i in range(0, 600, 100)), network(drawn))


@pytest.fixture(scope="module")
def baseline(training):
    chosen = np.arange(0, 600, 3)
    return training.nearest(training.small[chosen], training.features[chosen], without=chosen)


def altered(pictures, how, seed=0):
    """What is done to copies: each changes every picture."""
    rng = np.random.default_rng(seed)
    x = pictures.astype(np.float64)
    if how == "noised":
        x = x + rng.normal(0, 6, x.shape)
    elif how == "shifted":
        x = np.roll(np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge"), (2, -1), (1, 2))[:, 2:-2, 2:-2]
    elif how == "mirrored":
        x = x[:, :, ::-1]
    elif how == "brighter":
        x = 1.15 * x + 12
    elif how == "all":
        x = altered(altered(altered(altered(pictures, "shifted"), "mirrored"), "brighter"), "noised").astype(np.float64)
    return np.rint(np.clip(x, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("how", ["none", "noised", "shifted", "mirrored", "brighter", "all"])
def test_every_copy_is_found_and_traced_to_its_picture(training, network, how):
    source = np.arange(5, 600, 20)
    samples = altered(training.small[source], how)
    found = training.nearest(samples, network(samples))
    assert are_copies(found).all()
    assert np.array_equal(found.index, source)


def test_one_percent_of_copies_is_found_and_a_clean_generator_is_not_accused(training, network, baseline):
    """20 sets of 100 fresh emblems, which the set does not hold; then the same sets with one copy planted in each."""
    accused = near = 0
    for index in range(20):
        fresh, _ = render(np.arange(10_000 + 100 * index, 10_100 + 100 * index))
        verdict = judge(training.nearest(fresh, network(fresh)), baseline)
        accused += verdict.leaking
        near += len(verdict.copies)
        planted = fresh.copy()
        planted[index] = altered(training.small[7 * index : 7 * index + 1], "all", seed=index)[0]
        found = judge(training.nearest(planted, network(planted)), baseline)
        assert index in found.copies
    assert accused == 0
    assert near <= 10  # of 2,000: emblems of one class and colour can be close


def test_a_generator_that_repeats_its_training_pictures_is_called_that(training, network, baseline):
    samples = altered(training.small[:200], "all")
    verdict = judge(training.nearest(samples, network(samples)), baseline)
    assert verdict.leaking and len(verdict.copies) == 200
    assert "200 of 200 samples lie as near to a training picture as a copy, more" in verdict.words


def test_a_picture_looked_up_among_the_others_does_not_find_itself(training, baseline):
    assert not (baseline.index == np.arange(0, 600, 3)).any()
    assert not (baseline.feature_index == np.arange(0, 600, 3)).any()
    assert (baseline.feature_distance > 0).all()


def made(copies, n, distance=0.4):
    """A result in which the first pictures are copies at this distance, the others at 0.9."""
    distance = np.where(np.arange(n) < copies, distance, 0.9)
    return Nearest(np.arange(n), distance, np.ones(n), np.arange(n), np.ones(n))


def test_a_set_with_twins_of_its_own_accuses_nobody():
    verdict = judge(made(30, 1000), made(28, 1000))
    assert not verdict.leaking and "not clearly more than among the training pictures" in verdict.words
    assert judge(made(30, 1000), made(2, 1000)).leaking
    assert not judge(made(10, 1000), made(28, 1000)).leaking
    assert judge(made(10, 1000, distance=0.05), made(56, 2000)).leaking  # as many, but nearer than any real pair
    clean = judge(made(0, 1000), made(28, 1000))
    assert (clean.leaking, clean.words) == (False, "No copy of a training picture among 1,000 samples.")


def test_the_chance_is_fishers():
    """3 of 10 against 1 of 12: sum over k of C(10, k) C(12, 4 - k) / C(22, 4)."""
    expected = sum(comb(10, k) * comb(12, 4 - k) for k in (3, 4)) / comb(22, 4)
    assert chance_of(3, 10, 1, 12) == pytest.approx(expected)
    assert chance_of(0, 10, 0, 12) == 1.0


def test_neighbours_begin_with_the_nearest_and_name_nobody_twice(training, network):
    source = np.arange(5, 600, 60)
    samples = altered(training.small[source], "mirrored")
    found = training.neighbours(samples, network(samples), 8)
    nearest, first = training.nearest(samples, network(samples)), found.first()
    assert np.array_equal(found.index[:, 0], source)
    for name in ("index", "feature_index"):
        assert np.array_equal(getattr(first, name), getattr(nearest, name))
    for name in ("distance", "usual", "feature_distance"):
        np.testing.assert_allclose(getattr(first, name), getattr(nearest, name), atol=1e-6)
    for index, distance in ((found.index, found.distance), (found.feature_index, found.feature_distance)):
        assert index.shape == (10, 8) and all(len(set(row)) == 8 for row in index.tolist())
        assert (np.diff(distance, axis=1) >= 0).all()
