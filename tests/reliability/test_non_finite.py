"""The proof about NaN notices a guard that sleeps."""

from __future__ import annotations

import pytest
from proofs import non_finite


@pytest.mark.parametrize("asleep", ["to all", pytest.param("to a running mean", marks=pytest.mark.nightly)])
def test_a_sleeping_guard_is_noticed(tmp_path, monkeypatch, asleep):
    awake = non_finite.update.require_finite

    def sleepy(game, report):
        if asleep == "to a running mean":
            non_finite.buffer(game.generator, "running_mean").nan_to_num_()
            awake(game, report)

    monkeypatch.setattr(non_finite.update, "require_finite", sleepy)
    outcome = non_finite.prove(len(non_finite.PLACES), 0, tmp_path)
    expected = {"to all": non_finite.PLACES, "to a running mean": ["a running mean"]}
    for place in expected[asleep]:
        assert any(f"in {place} at" in failure for failure in outcome.failures), place
