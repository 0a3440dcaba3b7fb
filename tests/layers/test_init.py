"""Where weights start."""

from __future__ import annotations

import math

import pytest
import torch

from sagan.layers.init import INITIALISERS, orthogonal, xavier


def drawn(name: str, *shape: int, seed: int = 0) -> torch.Tensor:
    return INITIALISERS[name](torch.empty(shape), torch.Generator().manual_seed(seed))


def test_the_registry():
    assert INITIALISERS == {"xavier": xavier, "orthogonal": orthogonal}


def test_xavier_is_uniform_within_glorots_bound():
    weight = drawn("xavier", 24, 40, 3, 3)
    bound = math.sqrt(6 / (9 * 24 + 9 * 40))
    assert 0.99 * bound < weight.abs().max() <= bound
    assert abs(weight.std() / (bound / math.sqrt(3)) - 1) < 0.02
    assert abs(weight.mean()) < 0.02 * bound


@pytest.mark.parametrize(("rows", "columns"), [(6, 4), (5, 7)])
def test_orthogonal_has_orthonormal_rows_or_columns(rows, columns):
    matrix = drawn("orthogonal", rows, columns, 3, 3).flatten(1)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(rows), rtol=0, atol=1e-5)
    tall = drawn("orthogonal", 20, 6)
    torch.testing.assert_close(tall.mT @ tall, torch.eye(6), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", INITIALISERS)
def test_only_the_generator_decides(name):
    before = torch.get_rng_state()
    assert torch.equal(drawn(name, 4, 5), drawn(name, 4, 5))
    assert not torch.equal(drawn(name, 4, 5), drawn(name, 4, 5, seed=1))
    assert torch.equal(torch.get_rng_state(), before)
