from __future__ import annotations

import formulas
import numpy as np
import pytest

from sagan.errors import ConfigError
from sagan.metrics.frechet import frechet_distance
from sagan.metrics.moments import Moments, moments_of


def distance(x, y):
    return frechet_distance(moments_of(x), moments_of(y))


def test_of_one_number_it_is_the_difference_of_means_and_of_deviations():
    """In one dimension d^2 = (m1 - m2)^2 + (s1 - s2)^2: means 1 and 4, deviations 1 and 3 give 9 + 4."""
    x = np.array([[0.0], [1.0], [2.0]])  # mean 1, unbiased variance 1
    y = np.array([[1.0], [4.0], [7.0]])  # mean 4, unbiased variance 9
    assert distance(x, y) == pytest.approx(13.0, rel=1e-12)


@pytest.mark.parametrize(("m", "n", "d"), [(500, 400, 32), (100, 300, 96)])
def test_it_is_the_formula_with_complex_roots(features, m, n, d):
    x, y = features(m, d, 1), features(n, d, 2, shift=0.1)
    assert distance(x, y) == pytest.approx(formulas.frechet(x, y), rel=1e-6)


@pytest.mark.parametrize(("m", "n", "d"), [(20, 20, 32), (20, 30, 256), (2, 3, 64), (40, 500, 64)])
def test_it_is_exact_with_fewer_pictures_than_features(features, m, n, d):
    x, y = features(m, d, 1), features(n, d, 2, shift=0.1)
    assert distance(x, y) == pytest.approx(formulas.frechet_of_few(x, y), rel=1e-6)


def test_equal_sets_are_at_distance_zero_and_features_all_alike_do_no_harm(features):
    x = features(30, 64, 1)
    assert distance(x, x) == pytest.approx(0.0, abs=1e-9)
    flat = np.full((5, 64), 3.0, dtype=np.float32)
    assert distance(flat, flat) == 0.0
    assert distance(flat, flat + 1.0) == pytest.approx(64.0)


def test_moments_do_not_depend_on_how_the_features_come(features):
    x = features(9001, 8, 3) + 1000.0  # a mean far from zero, more than one block
    parts = Moments(8)
    for part in np.split(x, [1, 1, 4000, 8999]):
        parts.add(part)
    whole = x.astype(np.float64)
    assert parts.count == 9001
    np.testing.assert_allclose(parts.mean, whole.mean(0), rtol=1e-13)
    np.testing.assert_allclose(parts.covariance, np.cov(whole, rowvar=False), rtol=1e-9, atol=1e-12)


def test_one_picture_and_unlike_widths_are_refused(features):
    with pytest.raises(ConfigError, match="1 pictures have no covariance"):
        distance(features(1, 4, 0), features(5, 4, 0))
    with pytest.raises(ConfigError, match="features of 4 and of 5 numbers"):
        distance(features(5, 4, 0), features(5, 5, 0))
    with pytest.raises(ConfigError, match=r"not \(n, 3\)"):
        Moments(3).add(features(5, 4, 0))
