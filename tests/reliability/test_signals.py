"""The proof of the signals notices a command that a signal kills."""

from __future__ import annotations

import pytest
from proofs.signals import prove

pytestmark = pytest.mark.alone


@pytest.mark.timeout(600)
def test_a_command_without_handlers_is_noticed(tmp_path):
    outcome = prove(1, 0, tmp_path, only="train", sabotage="let_signals_kill")
    assert outcome.tried == 1
    assert len(outcome.failures) == 1 and "train 0: exit code -" in outcome.failures[0]
