"""The spread of pictures, by hand and by what must raise or lower it."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.data.emblems import render
from sagan.errors import ConfigError
from sagan.health.spread import Reference, describe, nearest_distance

SIDE = 16


@pytest.fixture(scope="module")
def real():
    return render(np.arange(64), SIDE)[0]


@pytest.fixture(scope="module")
def other_real():
    return render(np.arange(1000, 1064), SIDE)[0]


def test_a_picture_is_described_by_the_mean_and_contrast_of_its_cells():
    picture = np.zeros((1, 8, 8, 2), dtype=np.uint8)
    picture[0, 0, 0, 0] = 255  # one of the four pixels of the first cell: mean 1/4, deviation sqrt(1/4 - 1/16)
    picture[0, 6:, 6:, 1] = 51  # the whole last cell: mean 0.2, deviation 0
    described = describe(picture)[0].reshape(2, 4, 4, 2)
    expected = np.zeros((2, 4, 4, 2))
    expected[0, 0, 0, 0], expected[1, 0, 0, 0], expected[0, 3, 3, 1] = 0.25, np.sqrt(3) / 4, 0.2
    np.testing.assert_allclose(described, expected, atol=1e-7)


def test_cells_share_the_pixels_that_lie_across_their_borders():
    picture = np.zeros((1, 10, 10, 1), dtype=np.uint8)
    picture[0, :, 2] = 255  # cells are 2.5 pixels wide: half of the column is in the first and half in the second
    mean = describe(picture)[0].reshape(2, 4, 4)[0]
    np.testing.assert_allclose(mean, [[0.2, 0.2, 0.0, 0.0]] * 4, atol=1e-12)


def test_the_nearest_distance_by_hand():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    # to the nearest other: 3, 4 and 3, each over the square root of two dimensions
    assert nearest_distance(points) == pytest.approx(10 / 3 / np.sqrt(2))


def test_other_real_pictures_are_as_varied_and_near(real, other_real):
    spread = Reference(real).measure(other_real)
    assert 0.9 < spread.pixels < 1.1 and 0.9 < spread.features < 1.1 and 0.85 < spread.nearest < 1.15
    assert spread.distance < 0.15


def test_the_same_pictures_are_at_no_distance(real):
    spread = Reference(real).measure(real)
    values = (spread.pixels, spread.features, spread.nearest, spread.distance)
    assert values == pytest.approx((1, 1, 1, 0), abs=1e-12)


def test_repeated_pictures_are_noticed_though_they_differ_from_each_other(real):
    spread = Reference(real).measure(np.repeat(real[:8], 8, axis=0))
    assert spread.nearest == pytest.approx(0.0, abs=1e-6)
    assert spread.features > 0.7, "eight pictures are still far apart: only the nearest ones tell"


def test_faded_pictures_vary_less_in_proportion(real):
    faded = np.rint(128 + (real - 128.0) / 4).astype(np.uint8)
    spread = Reference(real).measure(faded)
    assert spread.pixels == pytest.approx(0.25, abs=0.01)
    assert spread.features == pytest.approx(0.25, abs=0.02)
    assert spread.nearest == pytest.approx(0.25, abs=0.03)
    assert spread.distance > 1


def test_noise_in_pixels_does_not_hide_that_all_pictures_are_one(real):
    random = np.random.default_rng(0)
    noisy = np.clip(real[:1] + random.normal(0, 40, real.shape), 0, 255).astype(np.uint8)
    spread = Reference(real).measure(noisy)
    assert spread.pixels > 1.5 * spread.features, "which is why pixels alone are not asked"
    assert spread.features < 0.5


def test_grey_pictures_and_real_ones_that_are_all_alike_have_numbers():
    flat = np.full((8, SIDE, SIDE, 1), 7, dtype=np.uint8)
    spread = Reference(flat).measure(flat)
    assert all(np.isfinite(value) for value in vars(spread).values())


def test_too_few_pictures_are_refused(real):
    with pytest.raises(ConfigError, match="7 pictures are too few to measure their spread. Give at least 8."):
        Reference(real[:7])
