from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # for `formulas`, which tests share


@pytest.fixture
def features():
    """features(n, d, seed): skewed, correlated, with means far from zero, as those of networks are."""

    def make(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
        return (np.maximum(rng.normal(size=(n, d)) @ mix + 0.3 + shift, 0.0) + 2.0).astype(np.float32)

    return make
