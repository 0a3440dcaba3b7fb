"""The proof about races notices a lock that does not lock, does not say whose it is, or outlives its owner."""

from __future__ import annotations

import pytest
from proofs import races

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(
    ("sabotage", "words"),
    [
        ("lock_nothing", "both train"),
        ("keep_the_owner_secret", "does not name the owner"),
        ("share_the_lock_with_children", "after its owner had been killed"),
    ],
)
def test_a_lock_that_is_none_is_noticed(tmp_path, monkeypatch, sabotage, words):
    monkeypatch.setattr(races, "PATIENCE", 6.0)
    outcome = races.prove(1, 0, tmp_path, sabotage=sabotage)
    assert outcome.held == 0 and words in outcome.failures[0]
