"""Spectral normalisation: the tests of spec 4.5, against singular values, torch's own two versions and finite differences."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from sagan.layers.spectral import WARM_UP, advance, normalisers, spectral_norm

KINDS = ("conv", "transposed", "linear", "embedding")


def layer(kind: str, seed: int = 0) -> nn.Module:
    """A layer with uneven axes and a weight of its own."""
    made = {
        "conv": lambda: nn.Conv2d(5, 7, 3),
        "transposed": lambda: nn.ConvTranspose2d(5, 7, (3, 2)),
        "linear": lambda: nn.Linear(11, 6),
        "embedding": lambda: nn.Embedding(30, 20),
    }[kind]()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


def as_matrix(kind: str, weight: torch.Tensor) -> torch.Tensor:
    """One row per output channel or class; a transposed convolution keeps its output channels on axis 1."""
    return weight.permute(1, 0, 2, 3).reshape(7, -1) if kind == "transposed" else weight.reshape(len(weight), -1)


def normed(kind: str, seed: int = 0) -> nn.Module:
    return spectral_norm(layer(kind, seed), generator=torch.Generator().manual_seed(seed + 1))


def run(kind: str, module: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(9)
    if kind == "embedding":
        return module(torch.tensor([0, 8, 3]))
    shape = (2, 11) if kind == "linear" else (2, 5, 4, 6)
    return module(torch.randn(shape, generator=generator).to(module.weight.dtype))


def snapshot(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_sigma_is_the_largest_singular_value(self, kind):
        module = normed(kind)
        advance(module, 50)
        ((normaliser, weight),) = normalisers(module)
        largest = torch.linalg.svdvals(as_matrix(kind, weight.detach()))[0]
        assert abs(normaliser.sigma(weight) / largest - 1) < 0.01
        assert abs(torch.linalg.svdvals(as_matrix(kind, module.weight.detach()))[0] - 1) < 0.01

    def test_fresh_weights_are_already_close(self, kind):
        top = torch.linalg.svdvals(as_matrix(kind, normed(kind).weight.detach()))[0]
        assert 1 - 1e-6 < top < 1.1

    @pytest.mark.parametrize("training", [True, False])
    def test_reading_moves_nothing_and_only_advance_does(self, kind, training):
        module = normed(kind).train(training)
        before = snapshot(module)
        run(kind, module).sum().backward()
        run(kind, module)
        assert changed(module, before) == set()
        advance(module)
        assert changed(module, before) == {"parametrizations.weight.0.u", "parametrizations.weight.0.v"}

    def test_state_is_one_row_vector_and_one_column_vector_of_length_one(self, kind):
        module = normed(kind)
        rows, columns = as_matrix(kind, module.weight).shape
        state = module.state_dict()
        for name, size in (("u", rows), ("v", columns)):
            vector = state[f"parametrizations.weight.0.{name}"]
            assert vector.shape == (size,)
            torch.testing.assert_close(vector.norm(), torch.tensor(1.0))

    def test_gradient_with_u_and_v_held_still(self, kind):
        """Against finite differences of sum(P * W / (u' W v)) in NumPy."""
        module = normed(kind).double()
        ((normaliser, original),) = normalisers(module)
        probe = torch.randn(original.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        (module.weight * probe).sum().backward()
        u, v, p = normaliser.u.numpy(), normaliser.v.numpy(), as_matrix(kind, probe).numpy()
        w = as_matrix(kind, original.detach()).numpy()

        def value(w):
            return (p * w).sum() / (u @ w @ v)

        expected = np.zeros_like(w)
        for place in np.ndindex(w.shape):
            step = np.zeros_like(w)
            step[place] = 1e-6
            expected[place] = (value(w + step) - value(w - step)) / 2e-6
        np.testing.assert_allclose(as_matrix(kind, original.grad).numpy(), expected, atol=1e-7)

    @pytest.mark.filterwarnings("ignore")  # the old function is deprecated, its checkpoints are not
    @pytest.mark.parametrize("version", ["old", "new"])
    def test_weights_of_torchs_own_versions_normalise_alike(self, kind, version):
        torch.manual_seed(0)
        theirs = layer(kind, seed=5)
        if version == "old":
            theirs = nn.utils.spectral_norm(theirs)
            names = {"weight_orig": "original", "weight_u": "0.u", "weight_v": "0.v"}
        else:
            theirs = parametrizations.spectral_norm(theirs)
            names = {f"parametrizations.weight.{key}": key.replace("_", "") for key in ("original", "0._u", "0._v")}
        for _ in range(3):
            run(kind, theirs)
        theirs.eval()
        renamed = {
            f"parametrizations.weight.{names[key]}" if key in names else key: tensor
            for key, tensor in theirs.state_dict().items()
        }
        ours = normed(kind)
        ours.load_state_dict(renamed)
        expected = run(kind, theirs)
        torch.testing.assert_close(run(kind, ours), expected, rtol=1e-6, atol=1e-6)

    def test_two_forwards_and_one_backward(self, kind):
        def gradient(*weights):
            module = normed(kind)
            sum(weight * run(kind, module).square().sum() for weight in weights).backward()
            return next(normalisers(module))[1].grad

        torch.testing.assert_close(gradient(1.0, 2.0), gradient(3.0))

    def test_a_deep_copy_owns_its_vectors(self, kind):
        module = normed(kind)
        copied = copy.deepcopy(module)
        before, before_copied = snapshot(module), snapshot(copied)
        advance(copied)
        assert changed(module, before) == set() and changed(copied, before_copied)
        with torch.no_grad():
            next(normalisers(copied))[1].mul_(-3.0)
        assert changed(module, before) == set()
        assert torch.equal(module.weight, copy.deepcopy(module).weight)

    def test_bfloat16_autocast_keeps_everything_in_float32(self, kind):
        module, other = normed(kind), normed(kind)
        advance(other)
        expected = other.weight
        with torch.autocast("cpu", torch.bfloat16):
            advance(module)
            weight = module.weight
        assert weight.dtype == torch.float32
        assert torch.equal(weight, expected)

    def test_a_zero_weight_gives_zero_not_nan(self, kind):
        module = layer(kind)
        nn.init.zeros_(module.weight)
        module = spectral_norm(module)
        advance(module)
        assert not module.weight.any()
        assert all(tensor.isfinite().all() for tensor in module.state_dict().values())


def test_derivatives_of_every_order():
    module = spectral_norm(nn.Linear(3, 2)).double()
    ((normaliser, weight),) = normalisers(module)
    weight = weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(normaliser, (weight,))
    assert torch.autograd.gradgradcheck(normaliser, (weight,))


def test_the_order_in_memory_changes_nothing():
    """Kernels lie with their channels last, files hold u and v in the order of the axes: both orders are one layer."""
    plain = spectral_norm(nn.Conv2d(3, 5, 3), generator=torch.Generator().manual_seed(4)).double()
    other = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    assert other.weight.stride() != plain.weight.stride()
    probe = torch.randn(5, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for module in (plain, other):
        advance(module, 3)
        (module.weight * probe).sum().backward()
    assert other.parametrizations.weight.original.grad.stride() == other.parametrizations.weight.original.stride()
    torch.testing.assert_close(other.parametrizations.weight.original.grad, plain.parametrizations.weight.original.grad)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value)


def test_one_advance_is_one_power_iteration_by_hand():
    module = spectral_norm(nn.Linear(2, 2, bias=False), generator=torch.Generator().manual_seed(0))
    ((normaliser, weight),) = normalisers(module)
    with torch.no_grad():
        weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
        normaliser.u.copy_(torch.tensor([0.8, 0.6]))
    advance(module)
    # v ~ W'u = (2.4, 2.4); u ~ Wv ~ (3, 4); sigma = u'Wv = (9 + 16) / 5 / sqrt 2
    torch.testing.assert_close(normaliser.v, torch.tensor([0.5, 0.5]).sqrt())
    torch.testing.assert_close(normaliser.u, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(normaliser.sigma(weight), torch.tensor(5 / 2**0.5))
    torch.testing.assert_close(module.weight, weight / (5 / 2**0.5))


def test_construction_warms_up():
    ((fresh, weight),) = normalisers(normed("conv"))
    other = copy.deepcopy(fresh)
    with torch.no_grad():
        other.u.copy_(nn.functional.normalize(torch.randn(7, generator=torch.Generator().manual_seed(1)), dim=0))
    other.advance(weight, WARM_UP)
    assert WARM_UP >= 10
    torch.testing.assert_close(fresh.u, other.u)


def test_advance_reaches_every_layer_the_asked_number_of_times():
    network = nn.Sequential(normed("linear"), nn.Sequential(normed("conv"), nn.ReLU()), nn.Linear(2, 2))
    twin = copy.deepcopy(network)
    assert len(list(normalisers(network))) == 2
    advance(network, 3)
    for _ in range(3):
        for normaliser, weight in normalisers(twin):
            normaliser.advance(weight)
    assert changed(network, snapshot(twin)) == set()


def test_the_first_u_comes_from_the_generator_alone():
    state = torch.get_rng_state()
    first, second, other = normed("conv"), normed("conv"), spectral_norm(layer("conv"), generator=torch.Generator())
    assert changed(first, snapshot(second)) == set()
    assert "parametrizations.weight.0.u" in changed(other, snapshot(first))
    torch.set_rng_state(state)
