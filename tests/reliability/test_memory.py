"""The measure of memory that the fuzzing relies on sees growth, and is not misled by what was held before."""

from __future__ import annotations

import mmap
import sys
import time

import numpy as np
import pytest
from proofs.memory import INTERVAL, MIB, MemoryWatch

from sagan.runtime import tune_allocator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak of memory")


def test_growth_is_seen_also_after_it_went():
    with MemoryWatch() as memory:
        np.ones(100 * MIB, np.uint8)
        assert 95 * MIB < memory.most() < 200 * MIB
        memory.forget()
        assert memory.most() < 50 * MIB


def test_what_was_freed_before_does_not_hide_growth():
    """The allocator keeps what is freed for the next that asks (`sagan.runtime` sets it so)."""
    tune_allocator()
    freed = [np.ones(50 * MIB, np.uint8) for _ in range(4)]
    del freed
    with MemoryWatch() as memory:
        np.ones(150 * MIB, np.uint8)
        assert 145 * MIB < memory.most() < 250 * MIB


def test_what_goes_meanwhile_does_not_make_up_for_growth():
    before = mmap.mmap(-1, 200 * MIB)
    before.write(bytes(200 * MIB))
    with MemoryWatch() as memory:
        before.close()
        time.sleep(20 * INTERVAL)
        after = np.ones(150 * MIB, np.uint8)
        assert 145 * MIB < memory.most() < 250 * MIB
    assert after.any()
