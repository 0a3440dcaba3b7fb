"""The measure of memory that the fuzzing relies on sees growth, and is not misled by what was held before."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from proofs.memory import INTERVAL, MIB, MemoryWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak of memory")


def test_growth_is_seen_also_after_it_went():
    with MemoryWatch() as memory:
        np.ones(100 * MIB, np.uint8)
        assert 95 * MIB < memory.most() < 200 * MIB
        memory.forget()
        assert memory.most() < 50 * MIB


def test_what_goes_meanwhile_does_not_make_up_for_growth():
    before = np.ones(200 * MIB, np.uint8)
    with MemoryWatch() as memory:
        del before
        time.sleep(20 * INTERVAL)
        after = np.ones(150 * MIB, np.uint8)
        assert 145 * MIB < memory.most() < 250 * MIB
    assert after.any()
