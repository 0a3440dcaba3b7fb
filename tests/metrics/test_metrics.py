"""Kernel distance, Inception Score, neighbours, classes: against formulas.py and hand calculations."""

from __future__ import annotations

import formulas
import numpy as np
import pytest

from sagan.errors import ConfigError
from sagan.metrics.accuracy import classification_accuracy
from sagan.metrics.inception_score import inception_score
from sagan.metrics.intra_class import intra_class_distance
from sagan.metrics.kernel import kernel_distance, unbiased_mmd
from sagan.metrics.neighbours import neighbour_distances, precision_recall


def test_the_kernel_distance_by_hand():
    """x = {0, 1}, y = {2, 3}, one dimension: k = (xy + 1)^3 gives 1 + 343 - 2 (1 + 1 + 27 + 64) / 4 = 297.5."""
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    assert unbiased_mmd(x, y) == pytest.approx(297.5)


def test_the_kernel_distance_is_the_formula(features):
    x, y = features(40, 24, 1), features(31, 24, 2, shift=0.1)
    assert unbiased_mmd(x, y) == pytest.approx(formulas.mmd(x, y), rel=1e-9)


def test_kid_over_subsets_centres_on_the_distance_of_the_whole_sets(features):
    x, y = features(600, 16, 1), features(500, 16, 2, shift=0.2)
    found = kernel_distance(x, y, seed=3, subsets=60, subset_size=200)
    whole = unbiased_mmd(x, y)
    assert found.subset_size == 200 and found.spread > 0
    assert found.estimate == pytest.approx(whole, abs=4 * found.spread / np.sqrt(60))
    assert kernel_distance(x, y, seed=3, subsets=60, subset_size=200) == found
    assert kernel_distance(x, y, seed=4, subsets=60, subset_size=200) != found


def test_kid_of_one_distribution_is_zero_on_average_whatever_the_count(features):
    """The biased estimate would be about (mean k(x, x) - mean k(x, y)) / n, far above the spread here."""
    found = kernel_distance(features(2000, 16, 1), features(2000, 16, 2), subsets=200, subset_size=20)
    assert abs(found.estimate) < 4 * found.spread / np.sqrt(200)


def test_kid_of_sets_that_fit_into_one_subset_is_computed_once(features):
    x, y = features(30, 8, 1), features(30, 8, 2)
    found = kernel_distance(x, y)
    assert (found.subsets, found.spread, found.subset_size) == (1, 0.0, 30)
    assert found.estimate == pytest.approx(formulas.mmd(x, y), rel=1e-9)


def test_small_sets_make_small_subsets_and_one_picture_is_refused(features):
    assert kernel_distance(features(7, 4, 1), features(5, 4, 2)).subset_size == 5
    with pytest.raises(ConfigError, match="at least 2 pictures"):
        kernel_distance(features(1, 4, 1), features(5, 4, 2))


def test_the_inception_score_by_hand():
    """Certain of one of two classes, half each: exp(KL) = 2. Always the same belief: 1."""
    certain = np.array([[50.0, -50.0], [-50.0, 50.0]] * 10)
    assert inception_score(certain, splits=2).whole == pytest.approx(2.0)
    assert inception_score(np.tile([1.0, 2.0, 3.0], (10, 1))).whole == pytest.approx(1.0)


def test_the_inception_score_in_both_conventions(features):
    logits = features(503, 10, 1) * 3
    found = inception_score(logits, splits=10)
    parts = [formulas.inception_score(logits[i * 503 // 10 : (i + 1) * 503 // 10]) for i in range(10)]
    assert found.splits_mean == pytest.approx(np.mean(parts), rel=1e-9)
    assert found.splits_std == pytest.approx(np.std(parts), rel=1e-6)
    assert found.whole == pytest.approx(formulas.inception_score(logits), rel=1e-9)
    assert found.whole > found.splits_mean


def test_huge_logits_and_few_pictures_keep_the_score_finite():
    found = inception_score(np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]), splits=10)
    assert (found.splits, found.splits_mean) == (2, 1.0)
    assert found.whole == pytest.approx(2.0)
    with pytest.raises(ConfigError, match="needs logits"):
        inception_score(np.empty((0, 10)))


@pytest.mark.parametrize(("m", "n", "d"), [(60, 45, 8), (30, 50, 3)])
def test_precision_recall_density_coverage_are_the_formulas(features, m, n, d, monkeypatch):
    monkeypatch.setattr("sagan.metrics.neighbours.BLOCK_ELEMENTS", 300)  # several blocks, the last one smaller
    x, y = features(m, d, 1), 0.6 * features(n, d, 2) + 1.2  # drawn ones lie closer together than real ones
    found = precision_recall(x, y, k=3, density_k=5)
    expected = formulas.neighbour_metrics(x, y, 3, 5)
    assert vars(found) == pytest.approx(expected)
    assert min(vars(found).values()) > 0.05 and found.recall < 0.95 and found.coverage < 0.95  # a case that can tell


def test_a_picture_is_not_its_own_neighbour_even_among_duplicates():
    x = np.array([[0.0], [0.0], [1.0], [5.0]])
    assert neighbour_distances(x, [1, 2]).tolist() == [[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [16.0, 25.0]]


def test_too_few_pictures_for_neighbours_are_refused(features):
    with pytest.raises(ConfigError, match="more than 5 pictures"):
        precision_recall(features(5, 4, 1), features(50, 4, 2))


def test_the_intra_class_distance_is_the_mean_of_the_classes_own(features):
    x, y = features(90, 6, 1), features(80, 6, 2, shift=0.2)
    a, b = np.arange(90) % 3, np.arange(80) % 3
    found = intra_class_distance(x, a, y, b, 3)
    own = [formulas.frechet(x[a == c], y[b == c]) for c in range(3)]
    assert found.by_class == pytest.approx(own, rel=1e-6)
    assert found.mean == pytest.approx(np.mean(own), rel=1e-6)
    assert found.fewest == 26
    with pytest.raises(ConfigError, match="class number 3 has fewer than 2"):
        intra_class_distance(x, a, y, b, 4)


def test_the_accuracy_score_sees_wrong_labels():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 12)) * 3

    def draw(n, seed):
        labels = np.arange(n) % 4
        return (centres[labels] + np.random.default_rng(seed).normal(size=(n, 12))).astype(np.float32), labels

    train, labels = draw(400, 1)
    test, truth = draw(300, 2)
    right = classification_accuracy(train, labels, test, truth, 4)
    nearest = np.argmin(((test[:, None] - centres) ** 2).sum(2), 1)  # the best that is possible
    assert right == pytest.approx((nearest == truth).mean(), abs=0.02)
    assert classification_accuracy(train, (labels + 1) % 4, test, truth, 4) < 0.05
    assert classification_accuracy(train, np.zeros_like(labels), test, truth, 1) == 0.25
    with pytest.raises(ConfigError, match="class number 2 has no picture"):
        classification_accuracy(train[labels < 2], labels[labels < 2], test, truth, 4)
    assert classification_accuracy(train, labels, test, truth, 4) == right


def planted(features, kind):
    """Two sets that should score as well as can be, then the second spoilt; twelve modes far apart."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(12, 16)) * 6

    def modes(n, seed, which):
        place = np.random.default_rng(seed)
        return centres[place.choice(which, n)] + place.normal(size=(n, 16))

    real, good = modes(600, 1, 12), modes(600, 2, 12)
    spoilt = {
        "dropped": modes(600, 3, 10),
        "copies": np.repeat(real[:60], 10, axis=0) + 1e-6 * rng.normal(size=(600, 16)),
        "identical": real.copy(),
        "noise": good + 6 * rng.normal(size=good.shape),
    }[kind]
    return real, good, spoilt


def all_of(real, fake):
    found = precision_recall(real, fake)
    return {
        "frechet": frechet(real, fake),
        "kid": kernel_distance(real, fake, subsets=20, subset_size=200).estimate,
        **vars(found),
    }


def frechet(real, fake):
    from sagan.metrics.frechet import frechet_distance
    from sagan.metrics.moments import moments_of

    return frechet_distance(moments_of(real), moments_of(fake))


@pytest.mark.parametrize("kind", ["dropped", "copies", "identical", "noise"])
def test_planted_faults_move_each_metric_the_right_way(features, kind):
    real, good, spoilt = planted(features, kind)
    before, after = all_of(real, good), all_of(real, spoilt)
    if kind == "dropped":  # what is drawn looks real; part of the real is not drawn
        assert after["frechet"] > 1.5 * before["frechet"] and after["kid"] > before["kid"]
        assert after["recall"] < before["recall"] - 0.1 and after["coverage"] < before["coverage"] - 0.1
        assert after["precision"] > before["precision"] - 0.1
    elif kind == "copies":  # a few pictures again and again
        assert after["precision"] == 1.0 and after["recall"] < 0.2
        assert after["frechet"] > 1.5 * before["frechet"] and after["coverage"] < before["coverage"]
    elif kind == "identical":
        assert after["frechet"] == pytest.approx(0.0, abs=1e-9) and after["kid"] < 0
        assert (after["precision"], after["recall"], after["coverage"]) == (1.0, 1.0, 1.0)
    else:
        assert after["frechet"] > 10 * before["frechet"] and after["kid"] > before["kid"]
        assert after["precision"] < 0.2 and after["density"] < 0.2
