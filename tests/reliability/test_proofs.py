"""Every promise of docs/reliability.md, a few times; `make test-nightly` and measure.py do it in full."""

from __future__ import annotations

import pytest
from proofs import NAMES, proof


def possible(name):
    """The module of a proof; the test is skipped where its `missing()` says what this machine lacks."""
    module = proof(name)
    if reason := getattr(module, "missing", lambda: None)():
        pytest.skip(reason)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_promise_holds(name, tmp_path):
    module = possible(name)
    outcome = module.prove(module.QUICK, 0, tmp_path)
    assert outcome.tried >= module.QUICK
    assert outcome.failures == []


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_the_promise_holds_in_full(name, tmp_path):
    module = possible(name)
    outcome = module.prove(module.FULL, 1, tmp_path)
    assert outcome.tried >= module.FULL
    assert outcome.failures == []
