from __future__ import annotations

import copy

import pytest
import torch

from sagan.layers.spectral import advance, normalisers
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.training.averaging import AveragedGenerator


@pytest.fixture
def live():
    return build_generator(ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12), classes=3, seed=4).train()


def shake(network, scale=0.1, seed=0):
    """Move every parameter and every running statistic, as an update would."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.add_(torch.randn(tensor.shape, generator=random).abs() * scale)
    advance(network)


def same(ours, theirs):
    mine, yours = ours.state_dict(), theirs.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[name], yours[name]) for name in mine)


def test_a_copy_until_start_then_the_formula(live):
    averaged = AveragedGenerator(live, decay=0.8, start=2)
    for step in (1, 2):
        shake(live, seed=step)
        averaged.update(live, step)
        assert same(averaged.model, live)
    before = {name: p.detach().clone() for name, p in averaged.model.named_parameters()}
    shake(live, seed=3)
    averaged.update(live, 3)
    for name, parameter in live.named_parameters():
        expected = 0.8 * before[name] + 0.2 * parameter.detach()
        torch.testing.assert_close(averaged.model.get_parameter(name), expected, rtol=1e-6, atol=1e-7, msg=name)
        assert not torch.equal(averaged.model.get_parameter(name), parameter), name
    statistics = [name for name, _ in live.named_buffers() if "running_" in name]
    assert len(statistics) == 10
    for name in statistics:
        assert torch.equal(averaged.model.get_buffer(name), live.get_buffer(name)), "copied, not averaged"


def test_no_tensor_is_shared_and_the_average_is_always_ready_to_draw(live):
    averaged = AveragedGenerator(live, decay=0.9, start=1)
    for step in (1, 2, 3):
        averaged.update(live, step)
        ours = {tensor.data_ptr() for tensor in averaged.model.state_dict().values()}
        assert not ours & {tensor.data_ptr() for tensor in live.state_dict().values()}
        assert not any(module.training for module in averaged.model.modules()) and live.training
        assert not any(parameter.requires_grad for parameter in averaged.model.parameters())


def test_decay_zero_is_a_copy_at_all_times(live):
    averaged = AveragedGenerator(live, decay=0.0, start=0)
    for step in (1, 2, 50):
        shake(live, seed=step)
        averaged.update(live, step)
        assert same(averaged.model, live)


def test_the_average_of_a_constant_network_is_that_network(live):
    averaged = AveragedGenerator(live, decay=0.9, start=0)
    still = copy.deepcopy(live)
    for step in range(1, 30):
        averaged.update(live, step)
    for name, parameter in averaged.model.named_parameters():
        torch.testing.assert_close(parameter, still.get_parameter(name), rtol=1e-6, atol=1e-7, msg=name)
    latents, labels = torch.randn(4, 12, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    advance(still, 29)
    torch.testing.assert_close(averaged.model(latents, labels), still.eval()(latents, labels), rtol=1e-4, atol=1e-4)


def test_u_and_v_are_unit_vectors_that_fit_the_averaged_weights(live):
    """The trap: an average of u and v is shorter than one, sigma comes out too small and pictures explode."""
    averaged = AveragedGenerator(live, decay=0.98, start=0)
    start = [parameter.detach().clone() for parameter in live.parameters()]
    random = torch.Generator().manual_seed(0)
    trap = [normaliser.u.clone() for normaliser, _ in normalisers(live)]
    for step in range(1, 201):
        with torch.no_grad():
            for parameter, first in zip(live.parameters(), start, strict=True):
                parameter.copy_(first + torch.randn(first.shape, generator=random) * first.std(correction=0))
        advance(live, 5)
        averaged.update(live, step)
        for mean, (normaliser, _) in zip(trap, normalisers(live), strict=True):
            mean.lerp_(normaliser.u, 0.02)
    assert min(mean.norm() for mean in trap) < 0.8, "the scenario is one in which the trap would show"
    for normaliser, weight in normalisers(averaged.model):
        assert normaliser.u.norm().item() == pytest.approx(1.0, abs=1e-5)
        assert normaliser.v.norm().item() == pytest.approx(1.0, abs=1e-5)
        largest = torch.linalg.svdvals(normaliser.matrix(weight))[0].item()
        assert normaliser.sigma(weight).item() == pytest.approx(largest, rel=0.02)
