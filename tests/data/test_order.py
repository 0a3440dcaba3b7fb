"""Orders are pure functions of (seed, position): any question, in any order, has one answer."""

from __future__ import annotations

import numpy as np
import pytest

from sagan.data.order import BalancedOrder, PlainOrder
from sagan.randomness import Stream, permutation

LABELS = np.array([0] * 5 + [1] + [2] * 3)  # nine pictures in three classes


def by_hand(position: int, labels: np.ndarray, seed: int) -> int:
    """The balanced order by its definition, one position at a time and nothing remembered."""
    classes = int(labels.max()) + 1
    turn, slot = divmod(position, classes)
    label = permutation(seed, Stream.CLASS_ORDER, turn, classes)[slot]
    members = np.flatnonzero(labels == label)
    epoch, place = divmod(turn, len(members))
    return int(members[permutation(seed, Stream.ORDER, epoch * classes + int(label), len(members))[place]])


def test_a_batch_may_span_many_epochs():
    ids = PlainOrder(3, seed=0).at(np.arange(12))
    assert [sorted(ids[start : start + 3].tolist()) for start in range(0, 12, 3)] == [[0, 1, 2]] * 4
    assert PlainOrder(1, seed=0).at(np.arange(5)).tolist() == [0] * 5


@pytest.mark.parametrize("seed", [0, 11])
def test_the_balanced_order_is_the_one_of_its_definition(seed):
    assert BalancedOrder(LABELS, seed).at(np.arange(100)).tolist() == [by_hand(p, LABELS, seed) for p in range(100)]


def test_each_round_shows_each_class_once_and_each_class_each_picture_before_it_repeats_one():
    ids = BalancedOrder(LABELS, seed=3).at(np.arange(3 * 15))
    assert all(sorted(LABELS[ids[start : start + 3]]) == [0, 1, 2] for start in range(0, 45, 3))
    for label, size in ((0, 5), (1, 1), (2, 3)):
        shown = ids[LABELS[ids] == label]
        epochs = shown.reshape(-1, size)
        assert all(sorted(epoch) == np.flatnonzero(LABELS == label).tolist() for epoch in epochs)
        assert size == 1 or len({tuple(epoch) for epoch in epochs.tolist()}) > 1, "another order in each epoch"
    assert len({tuple(LABELS[ids[start : start + 3]]) for start in range(0, 45, 3)}) > 2, "classes in turn too"


@pytest.mark.parametrize("order", [PlainOrder(9, seed=4), BalancedOrder(LABELS, seed=4)], ids=["plain", "balanced"])
def test_what_was_asked_before_does_not_matter(order):
    everything = order.at(np.arange(120))
    for positions in (np.arange(60, 64), np.arange(3, 50), np.array([119, 0, 7, 7, 64]), np.arange(10**12, 10**12 + 4)):
        first = order.at(positions)
        assert np.array_equal(first, order.at(positions[::-1])[::-1])
        if positions.max() < 120:
            assert np.array_equal(first, everything[positions])


def test_seeds_differ():
    assert not np.array_equal(BalancedOrder(LABELS, 1).at(np.arange(30)), BalancedOrder(LABELS, 2).at(np.arange(30)))
