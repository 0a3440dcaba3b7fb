"""What one look at a run shows, and the limits by which it is a sign of failure.

The limits were set on 20 runs that were broken on purpose and 20 sound ones, small networks on the emblems, and tried on 80
others: benchmarks/health_figures.py, docs/health.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["healthy", "watch", "collapsed", "saturated", "diverged"]
FAILING: tuple[Verdict, ...] = ("collapsed", "diverged", "saturated")  # where several hold, the first is named
Row = Mapping[str, float]

# The discriminator's loss when it cannot tell real from fake; of Wasserstein's there is none.
UNDECIDED = {"hinge": 2.0, "minimax": 1.3863, "non-saturating": 1.3863, "least-squares": 0.25, "relativistic": 0.6931}

GOING = 0.5  # variety from which on a loss of variety means something
COLLAPSED, SCARCE = 0.3, 0.45  # variety, of the real pictures'
FAR = 0.85  # distance
STILL = 0.75  # distance, of that two looks before: at less, the run is on its way
RISEN = 1.25  # distance, of the least that there was
SATURATED, EASY = 0.02, 0.1  # the discriminator's loss, of the undecided one
FOOLED = 1.5  # the same: it takes generated pictures for real ones, and real ones for generated
BLIND = 0.002  # the same: so near to 1, with logits so near to each other, it answers all pictures alike
RUNAWAY = 1000.0  # between the logits of real and generated pictures
DROWNED = 20.0  # norm of attention's branch, of its input's
SCORE_LOST, SCORE_HAD = 0.5, 0.1  # share of the best structure score that is left; what that must have been

EVERY = 100  # steps from look to look in a log that has no line of the watch


@dataclass(frozen=True)
class Past:
    """What a look is compared with. late: the run has had the time to get going.  varied: its pictures varied once.

    distances: of the two looks before, the older one first.  nearest: the least of all.
    """

    late: bool = False
    varied: bool = False
    distances: tuple[float, ...] = ()
    nearest: float = float("inf")
    best_score: float = 0.0


@dataclass(frozen=True)
class Signs:
    """What a look shows: the verdict that it would have by itself, and the numbers that say so, in words."""

    verdict: Verdict
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """Signs in words, each with the verdict that it speaks for: of failure, and of what may become one."""

    failing: list[tuple[Verdict, str]] = field(default_factory=list)
    mild: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict, words: str, *, failing: bool) -> None:
        if failing:
            self.failing.append((verdict, words))
        else:
            self.mild.append(words)


def read_signs(row: Row, past: Past, loss: str) -> Signs:
    """row: the newest numbers of a run by their names in the log, any of which may be missing.  loss: its option's value."""
    found = _Found()
    _read_variety(row, past, found)
    _read_distance(row, past, loss, found)
    _read_losses(row, loss, found)
    _read_trends(row, past, found)
    for verdict in FAILING:
        if words := tuple(text for kind, text in found.failing if kind == verdict):
            return Signs(verdict, words)
    return Signs("watch", tuple(found.mild)) if found.mild else Signs("healthy")


def variety(row: Row) -> float | None:
    """The least of the spreads that noise in single pixels does not raise; None in a log that has none."""
    return min((row[name] for name in ("health/features", "health/nearest") if name in row), default=None)


def _read_variety(row: Row, past: Past, found: _Found) -> None:
    varied = variety(row)
    if (past.late or past.varied) and varied is not None and varied < SCARCE:
        share = f"{varied:.0%}" if varied >= 0.1 else f"{varied:.1%}"
        found.add("collapsed", f"generated pictures vary {share} as much as real ones", failing=varied < COLLAPSED)


def _read_distance(row: Row, past: Past, loss: str, found: _Found) -> None:
    distance = row.get("health/distance", 0.0)
    if distance <= FAR or len(past.distances) < 2:
        return
    before = past.distances[0]
    stays = distance > STILL * before and (past.late or (past.varied and distance > RISEN * past.nearest))
    hopeless = past.varied and _is_blind(row, loss)
    words = f"the distance from the real pictures is {distance:.3g}; two looks before it was {before:.3g}"
    found.add("diverged", words, failing=stays or hopeless)


def _read_losses(row: Row, loss: str, found: _Found) -> None:
    gap = _gap(row)
    if abs(gap) > RUNAWAY:
        found.add("diverged", f"D's logits of real and generated pictures lie {abs(gap):,.0f} apart", failing=True)
    undecided = UNDECIDED.get(loss)
    if undecided is None or "loss/discriminator" not in row:
        return
    share = row["loss/discriminator"] / undecided
    words = f"D's loss is {row['loss/discriminator']:.3g}, where {undecided:.3g} is guessing"
    if share < EASY:
        found.add("saturated", words, failing=share < SATURATED)
    elif share > FOOLED:
        found.add("diverged", f"{words}: it takes one for the other", failing=True)
    elif _is_blind(row, loss):
        found.add("diverged", "D answers all pictures alike", failing=False)


def _read_trends(row: Row, past: Past, found: _Found) -> None:
    for name, value in row.items():
        if name.endswith("/branch_ratio") and value > DROWNED:
            found.add("watch", f"{name.split('/')[1]} adds {value:.0f} times what it is given", failing=False)
    score = row.get("score/structure", past.best_score)
    if past.best_score > SCORE_HAD and score < SCORE_LOST * past.best_score:
        found.add("watch", f"the structure score is {score:.0%}; it was {past.best_score:.0%}", failing=False)


def _gap(row: Row) -> float:
    return row.get("logit/real", 0.0) - row.get("logit/fake", 0.0)


def _is_blind(row: Row, loss: str) -> bool:
    """Whether the discriminator answers all pictures alike, as a dead one does."""
    if loss not in UNDECIDED or not {"loss/discriminator", "logit/real", "logit/fake"} <= row.keys():
        return False
    return abs(row["loss/discriminator"] / UNDECIDED[loss] - 1.0) < BLIND and abs(_gap(row)) < BLIND


def looks(rows: Iterable[Row]) -> list[dict[str, float]]:
    """The looks that a log holds, each with the newest value of every name up to it.

    A line of the watch is a look; a log without such lines is looked at every EVERY steps, at its own lines.
    """
    kept = list(rows)
    watched = any(is_look(row) for row in kept)
    found: list[dict[str, float]] = []
    latest: dict[str, float] = {}
    due = EVERY
    for row in kept:
        latest = {**latest, **row}
        if is_look(row) if watched else "loss/discriminator" in row and row["step"] >= due:
            due = int(row["step"]) // EVERY * EVERY + EVERY
            found.append(latest)
    return found


def is_look(row: Row) -> bool:
    """Whether a line of the log is one of the watch."""
    return "spectrum/generator" in row
