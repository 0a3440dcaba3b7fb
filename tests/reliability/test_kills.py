"""The proof of the kills notices a save that a kill can tear."""

from __future__ import annotations

import pytest
from proofs import kills

pytestmark = pytest.mark.alone


@pytest.mark.timeout(900)
def test_a_save_in_the_open_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "INSIDE", 1.0)
    monkeypatch.setattr(kills, "WITH_WORKERS", 0.0)
    outcome = kills.prove(3, 0, tmp_path, sabotage="publish_in_the_open")
    assert outcome.failures and outcome.facts["published checkpoints lost"] >= 1
    assert "is of step" in outcome.failures[0]
