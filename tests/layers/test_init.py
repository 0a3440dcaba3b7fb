"""Where weights start."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from sagan.layers.init import INITIALISERS, RELU_GAIN
from sagan.models.config import ModelConfig


def drawn(name: str, *shape: int, seed: int = 0, gain: float = 1.0) -> torch.Tensor:
    return INITIALISERS[name](torch.empty(shape), torch.Generator().manual_seed(seed), gain)


def test_the_registry_is_what_the_record_offers():
    offered = ModelConfig.model_fields["init"].annotation
    assert set(get_args(offered)) == set(INITIALISERS)


def test_only_one_scheme_listens_to_the_place_of_a_layer():
    """sqrt(2) on the 3x3 convolutions of blocks is WGAN-GP's and SNGAN's code; SAGAN's release has 1 everywhere."""
    for name in INITIALISERS:
        plain, gained = drawn(name, 8, 4, 3, 3), drawn(name, 8, 4, 3, 3, gain=RELU_GAIN)
        expected = plain * math.sqrt(2) if name == "xavier-relu" else plain
        torch.testing.assert_close(gained, expected)


def test_normal_has_dcgans_deviation():
    weight = drawn("normal", 64, 40, 4, 4)
    assert abs(weight.std() / 0.02 - 1) < 0.01 and abs(weight.mean()) < 3e-4


def test_torch_is_what_torch_does():
    torch.manual_seed(0)
    theirs = torch.nn.Conv2d(12, 20, 3).weight.detach()
    ours = drawn("torch", 20, 12, 3, 3)
    bound = 1 / math.sqrt(12 * 9)
    assert 0.99 * bound < ours.abs().max() <= bound and abs(ours.std() / theirs.std() - 1) < 0.03


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
