"""What a proof found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """tried: how often.  failures: one line for each time that the promise did not hold.

    facts: what else was counted, such as {"inside a save": 84}; it goes into the table of figures.
    """

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How often the promise held."""
        return self.tried - len(self.failures)

    def note(self, failure: str | None) -> None:
        """Count one trial; None when the promise held."""
        self.tried += 1
        if failure is not None:
            self.failures.append(failure)

    def count(self, fact: str, by: float = 1) -> None:
        """Add to a fact."""
        self.facts[fact] = self.facts.get(fact, 0) + by


def try_each(cases: Iterable[object], attempt: Callable[..., str | None]) -> Outcome:
    """attempt(case): None when the promise held, else what happened instead."""
    outcome = Outcome()
    for case in cases:
        outcome.note(attempt(case))
    return outcome
