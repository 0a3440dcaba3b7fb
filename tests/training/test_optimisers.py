"""Optimisers by name, their memory, and rates that fall."""

from __future__ import annotations

import pytest
import torch

from sagan.training.config import TrainingConfig
from sagan.training.optimisers import build_optimiser, set_rate


def network():
    return torch.nn.Linear(3, 2)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop)])
def test_the_memory_made_in_advance_is_what_the_first_step_makes(name, kind):
    stepped, prepared = network(), network()
    first = kind(stepped.parameters())
    second = build_optimiser(prepared, 1e-3, TrainingConfig(optimiser=name))
    stepped(torch.ones(1, 3)).sum().backward()
    first.step()
    for ours, theirs in zip(prepared.parameters(), stepped.parameters(), strict=True):
        mine, real = second.state[ours], first.state[theirs]
        assert mine.keys() == real.keys()
        assert all(mine[key].shape == real[key].shape and mine[key].dtype == real[key].dtype for key in mine)
        assert not any(tensor.any() for tensor in mine.values())


def test_the_record_reaches_them():
    adam = build_optimiser(network(), 3e-4, TrainingConfig(beta1=0.25, beta2=0.75)).param_groups[0]
    assert (adam["lr"], adam["betas"], adam["fused"]) == (3e-4, (0.25, 0.75), None)
    rms = build_optimiser(network(), 5e-5, TrainingConfig(optimiser="rmsprop", beta2=0.99)).param_groups[0]
    assert (rms["lr"], rms["alpha"], rms["momentum"], rms["centered"]) == (5e-5, 0.99, 0, False)


def test_adam_is_torchs_whatever_the_order_in_memory():
    ours, theirs = (torch.nn.Conv2d(3, 4, 3).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    ours.to(memory_format=torch.channels_last)
    mine = build_optimiser(ours, 1e-2, TrainingConfig(beta1=0.5, beta2=0.9))
    real = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.9), foreach=False)
    for step in range(3):
        x = torch.randn(2, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        for net, optimiser in ((ours, mine), (theirs, real)):
            optimiser.zero_grad()
            net(x).square().sum().backward()
            optimiser.step()
    for weight, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, expected)
        assert mine.state[weight].keys() == real.state[expected].keys()
        for key, value in real.state[expected].items():
            torch.testing.assert_close(mine.state[weight][key], value)


def test_rmsprop_by_hand():
    """square = 0.9 * 0 + 0.1 * g^2; the weight moves by rate * g / (sqrt(square) + 1e-8): rate / sqrt(0.1) at first."""
    net = network()
    before = net.weight.detach().clone()
    optimiser = build_optimiser(net, 0.01, TrainingConfig(optimiser="rmsprop", beta2=0.9))
    (net.weight * torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])).sum().backward()
    optimiser.step()
    signs = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    torch.testing.assert_close(net.weight.detach(), before - 0.01 / 0.1**0.5 * signs)


@pytest.mark.parametrize(
    ("step", "decay_steps", "expected"),
    [(0, 0, 2e-4), (10**6, 0, 2e-4), (0, 100, 2e-4), (25, 100, 1.5e-4), (99, 100, 2e-6), (100, 100, 0), (300, 100, 0)],
)
def test_rates_fall_linearly_to_nothing(step, decay_steps, expected):
    optimiser = build_optimiser(network(), 1.0, TrainingConfig())
    set_rate(optimiser, 2e-4, step, decay_steps)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9, abs=1e-15)
