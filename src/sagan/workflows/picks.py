"""Which pictures a command draws: seeds, their classes and their truncation, one row a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.latents.files import Latents
from sagan.sampling import draw_labels, draw_latents
from sagan.workflows.openers import class_number
from sagan.workflows.seeds import Liked


@dataclass(frozen=True)
class Picks:
    """seeds: (n,).  labels: (n,), zeros without classes.  truncations: (n,), 0 for none.

    given: (n, z_dim), latents in place of those of the seeds, which are mere numbers then; None for the seeds' own.
    """

    seeds: Sequence[int]
    labels: NDArray[np.int64]
    truncations: NDArray[np.float64]
    given: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    def latents(self, part: slice, z_dim: int) -> NDArray[np.float32]:
        """Of some of the rows: (k, z_dim)."""
        if self.given is not None:
            return self.given[part]
        seeds, bounds = np.asarray(self.seeds[part], dtype=np.int64), self.truncations[part]
        made = np.empty((len(seeds), z_dim), dtype=np.float32)
        for bound in np.unique(bounds).tolist():
            rows = bounds == bound
            made[rows] = draw_latents(seeds[rows].tolist(), z_dim, bound)
        return made

    def rows(self, places: NDArray[np.int64]) -> Picks:
        """Some of them."""
        given = None if self.given is None else self.given[places]
        seeds = [self.seeds[place] for place in places.tolist()]
        return Picks(seeds, self.labels[places], self.truncations[places], given)

    def named(self, names: Sequence[str], notes: Sequence[str]) -> list[Liked]:
        """As the rows of a list (`seeds.write_liked`), with a note behind each."""
        words = [_word(label, names) for label in self.labels.tolist()] if names else [""] * len(self)
        rows = zip(self.seeds, words, self.truncations.tolist(), notes, strict=True)
        return [Liked(*row) for row in rows]


def pick(seeds: Sequence[int], classes: str | None, trunc: float, names: Sequence[str]) -> Picks:
    """Seeds with the classes that were asked for, in equal shares and in order; else with what each seed draws.

    classes: 'cat,3', or 'all'.  names: of the generator's classes. Raises ConfigError.
    """
    return Picks(seeds, _labels(seeds, classes, names), np.full(len(seeds), trunc, dtype=np.float64))


def pick_liked(liked: Sequence[Liked], classes: str | None, trunc: float, names: Sequence[str]) -> Picks:
    """The pictures of a list. classes, trunc: where the command names them, in place of what the list says.

    Raises ConfigError for a class that the generator has not.
    """
    picks = pick([one.seed for one in liked], classes, trunc, names)
    labels, truncations = picks.labels.copy(), picks.truncations.copy()
    for row, one in enumerate(liked):
        if classes is None and one.label:
            if not names:
                raise ConfigError(f"the list names a class, {one.label}, and this generator has none")
            labels[row] = class_number(one.label, names)
        if not trunc and one.truncation is not None:
            truncations[row] = one.truncation
    return Picks(picks.seeds, labels, truncations)


def pick_given(found: Latents, classes: str | None, names: Sequence[str]) -> Picks:
    """The pictures of given latents, with their own classes, or with those that were asked for. Raises ConfigError."""
    numbers = range(len(found.latents))
    labels = found.labels if classes is None and found.labels is not None else _labels(numbers, classes, names)
    return Picks(numbers, labels, np.zeros(len(numbers)), found.latents)


def _labels(seeds: Sequence[int], words: str | None, names: Sequence[str]) -> NDArray[np.int64]:
    if words is None:
        return draw_labels(seeds, len(names))
    if not names:
        raise ConfigError("this generator has no classes", remedy="Leave out --classes.")
    everything = words == "all" and "all" not in names
    chosen = range(len(names)) if everything else [class_number(w.strip(), names) for w in words.strip("[]").split(",")]
    places = np.arange(len(seeds)) * len(chosen) // len(seeds)
    return np.asarray(list(chosen), dtype=np.int64)[places]


def _word(label: int, names: Sequence[str]) -> str:
    """A class as a list names it: by its number where the name would break the line."""
    name = names[label]
    return name if name and name == " ".join(name.split()) else str(label)
