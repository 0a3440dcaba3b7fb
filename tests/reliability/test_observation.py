"""The proof of the observers notices one that disturbs."""

from __future__ import annotations

import pytest
from proofs.observation import prove


@pytest.mark.timeout(600)
def test_telemetry_that_moves_u_and_v_is_noticed(tmp_path):
    outcome = prove(1, 0, tmp_path, sabotage="watch_in_training_mode")
    assert len(outcome.failures) == 1 and "differs in model.safetensors" in outcome.failures[0]
