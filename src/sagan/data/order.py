"""Which picture comes when: pure functions of (seed, position), so that a resume needs one integer.

Position is the number of pictures handed out so far. Nothing here has a state; what is kept is only kept to be quick.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sagan.randomness import Stream, permutation

EPOCHS_KEPT = 2


class Order(Protocol):
    """Position -> picture."""

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """positions: (k,) int64 from 0, in any order -> (k,) int64, places in the set."""
        ...


class PlainOrder:
    """For a set of `count` pictures: each epoch shows every picture once, in an order of its own."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self.seed = seed
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See Order."""
        epochs, places = np.divmod(positions, self.count)
        ids = np.empty_like(positions)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            ids[here] = self._epoch(epoch)[places[here]]
        return ids

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._epochs:
            while len(self._epochs) >= EPOCHS_KEPT:
                self._epochs.pop(next(iter(self._epochs)))
            self._epochs[epoch] = permutation(self.seed, Stream.ORDER, epoch, self.count)
        return self._epochs[epoch]


class BalancedOrder:
    """Every class equally often. A round shows one picture of each class, the classes in an order of the round's own;
    within a class each of its epochs shows every picture of it once, so a rare class begins anew sooner.

    labels: (n,) int64, every class 0..K-1 at least once.
    """

    def __init__(self, labels: NDArray[np.int64], seed: int) -> None:
        self.seed = seed
        self.members = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
        self._epochs: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See Order."""
        rounds, slots = np.divmod(positions, len(self.members))
        shown, row = np.unique(rounds, return_inverse=True)
        labels = permutation(self.seed, Stream.CLASS_ORDER, shown, len(self.members))[row, slots]
        ids = np.empty_like(positions)
        for label in np.unique(labels).tolist():
            here = labels == label
            ids[here] = self._of_class(label, rounds[here])
        return ids

    def _of_class(self, label: int, turns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class's picture number `turns` (k,), counted over all its epochs -> (k,) places in the set."""
        members = self.members[label]
        epochs, places = np.divmod(turns, len(members))
        wanted = np.unique(epochs)
        known, orders = self._epochs.get(label, (wanted[:0], wanted[:0]))
        if not np.isin(wanted, known).all():
            indices = wanted * len(self.members) + label  # no two epochs of any classes have the same
            known, orders = wanted, permutation(self.seed, Stream.ORDER, indices, len(members))
            self._epochs[label] = known, orders
        return members[orders[np.searchsorted(known, epochs), places]]
