"""What adapters read from texts beside the tensors."""

from __future__ import annotations

import pytest

from sagan.interop import mmgeneration


@pytest.mark.parametrize(
    ("words", "eps"),
    [
        ("norm_eps=1e-05,", 1e-5),
        ("dict(norm_eps = 0.001)", 1e-3),
        ("norm_eps=-1", 1e-4),
        ("norm_eps=1e999", 1e-4),
        ("norm_eps=0", 1e-4),
        ("norm_eps=e", 1e-4),
        ("no such word", 1e-4),
    ],
)
def test_an_epsilon_that_cannot_be_one_is_not_believed(words, eps):
    """It goes into a variance: a negative one would make NaN of every picture, without a word."""
    assert mmgeneration._epsilon({"step": 7, "meta/config": words}) == eps
