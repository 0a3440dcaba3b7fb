"""From look to look: a verdict that lasts, since when, and by which numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sagan.health.signs import FAILING, GOING, Past, Row, Signs, Verdict, looks, read_signs, variety

SUSTAINED = 2  # looks in a row until a failing verdict stands, and until it is taken back
MOVED = 0.05  # how far Adam may have moved each weight until a run should have got going
AVERAGED = 2.0  # time constants of the averaged generator that are waited for besides


@dataclass(frozen=True)
class Judgement:
    """How a run is. since: the step of the first look that showed it.  evidence: numbers in words, the newest."""

    verdict: Verdict
    step: int = 0
    since: int = 0
    evidence: tuple[str, ...] = ()

    @property
    def failing(self) -> bool:
        """Whether the run does not work: a verdict that a policy acts on."""
        return self.verdict in FAILING


def patience_of(*, rate: float, ema: float) -> int:
    """The step by which a run with this learning rate of the generator, and this average, should have got going."""
    return round(MOVED / rate + AVERAGED / (1.0 - ema))


class Watcher:
    """Is shown a run look by look, in order.

    loss: the option's value.  patience: until this step a run that has never got going is not held to be failing.
    """

    def __init__(self, loss: str, patience: int) -> None:
        self._loss, self._patience = loss, patience
        self._past = Past()
        self._failing: list[tuple[int, Signs]] = []  # the looks in a row that failed
        self._calm = 0  # looks in a row that did not
        self.sound_until = 0  # the step of the newest look that showed no failure
        self.judgement = Judgement("healthy")

    def look(self, row: Row) -> Judgement:
        """Take in the newest numbers of a run (`signs.read_signs`); how it is now."""
        step, before = int(row["step"]), self.judgement
        varied = variety(row)
        had = self._past.varied or (varied is not None and varied >= GOING)
        self._past = replace(self._past, late=step >= self._patience, varied=had)
        signs = read_signs(row, self._past, self._loss)
        if signs.verdict in FAILING:
            self._failing.append((step, signs))
            self._calm = 0
        else:
            self._failing, self._calm, self.sound_until = [], self._calm + 1, step
        self.judgement = self._judge(step, signs, before)
        distances = (*self._past.distances, row["health/distance"]) if "health/distance" in row else ()
        self._past = replace(
            self._past,
            distances=distances[-2:],
            nearest=min(self._past.nearest, *distances[-1:], float("inf")),
            best_score=max(self._past.best_score, row.get("score/structure", 0.0)),
        )
        return self.judgement

    def _judge(self, step: int, signs: Signs, before: Judgement) -> Judgement:
        if len(self._failing) >= SUSTAINED:
            return Judgement(
                signs.verdict, step, before.since if before.failing else self._failing[0][0], signs.evidence
            )
        if before.failing and self._calm < SUSTAINED:
            return replace(before, step=step, evidence=signs.evidence or before.evidence)
        verdict: Verdict = "watch" if self._failing else signs.verdict
        return Judgement(verdict, step, before.since if verdict == before.verdict else step, signs.evidence)


def judge(rows: Iterable[Row], loss: str, patience: int) -> Watcher:
    """A watcher that was shown a whole log."""
    watcher = Watcher(loss, patience)
    for row in looks(rows):
        watcher.look(row)
    return watcher
