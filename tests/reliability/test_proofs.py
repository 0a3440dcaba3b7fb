"""Every promise of docs/reliability.md, a few times; `make test-nightly` and measure.py do it in full."""

from __future__ import annotations

import pytest
from proofs import NAMES, proof

NIGHTLY = [pytest.mark.nightly, pytest.mark.timeout(7200)]
ALONE = ("signals", "kills", "races", "ranks", "worker-death")  # how soon processes answer is what they look at
EFFORTS = [pytest.param(name, "QUICK", 0, id=name, marks=[pytest.mark.alone] * (name in ALONE)) for name in NAMES]
EFFORTS += [pytest.param(name, "FULL", 1, id=f"{name} in full", marks=NIGHTLY) for name in NAMES]


@pytest.mark.parametrize(("name", "effort", "seed"), EFFORTS)
def test_the_promise_holds(name, effort, seed, tmp_path):
    """Skipped where the proof's `missing()` says what this machine lacks."""
    module = proof(name)
    if reason := getattr(module, "missing", lambda: None)():
        pytest.skip(reason)
    count = getattr(module, effort)
    outcome = module.prove(count, seed, tmp_path)
    assert outcome.tried >= count
    assert outcome.failures == []
