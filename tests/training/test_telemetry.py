from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sagan.layers.attention import SelfAttention2d
from sagan.training.step import to_signal
from sagan.training.telemetry import QUERIES, measure, observe_attention, observe_spectra

SHAPE = (2, 16, 12, 8)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    made = SelfAttention2d(16)
    with torch.no_grad():
        made.gamma.fill_(-0.25)
    return made


@pytest.fixture
def x():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) * 4


def by_hand(layer, x):
    """Entropy and distance of all queries, place by place, in plain NumPy."""
    weights = layer.weights(x).double().numpy()  # (B, H, W, h, w)
    _, height, width, rows, columns = weights.shape
    step = max(1, height * width // QUERIES)
    entropies, distances = [], []
    for picture in weights:
        for place in range(step // 2, height * width, step):
            i, j = divmod(place, width)
            row = picture[i, j]
            entropies.append(-(row * np.log(np.maximum(row, 1e-30))).sum() / math.log(rows * columns))
            distances.append(
                sum(
                    row[k, n]
                    * math.hypot((i + 0.5) / height - (k + 0.5) / rows, (j + 0.5) / width - (n + 0.5) / columns)
                    for k in range(rows)
                    for n in range(columns)
                )
            )
    return np.mean(entropies), np.mean(distances)


def test_the_four_numbers(layer, x):
    values = measure(layer, x)
    entropy, distance = by_hand(layer, x)
    branch = (layer(x) - x).norm() / x.norm()
    assert values["gamma"] == -0.25
    assert values["branch_ratio"] == pytest.approx(branch.item(), rel=1e-4)
    assert values["entropy"] == pytest.approx(entropy, abs=1e-5)
    assert values["distance"] == pytest.approx(distance, abs=1e-5)
    assert 0.05 < values["entropy"] < 0.999, "neither extreme, so the comparison says something"


def test_looking_everywhere_alike_has_entropy_one(layer, x):
    with torch.no_grad():
        layer.query.parametrizations.weight.original.zero_()
    values = measure(layer, x)
    assert values["entropy"] == pytest.approx(1.0, abs=1e-6)
    assert values["distance"] == pytest.approx(by_hand(layer, x)[1], abs=1e-5)


def test_looking_at_one_place_has_entropy_zero(layer, x):
    assert measure(layer, 1e4 * x)["entropy"] < 0.02


class OnMps(torch.Tensor):
    """A tensor that, like those of mps, has no float64 until it is moved to the CPU."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")


def test_a_device_without_float64_gives_the_same_numbers(layer, x):
    there = x.as_subclass(OnMps)
    with pytest.raises(TypeError, match="float64"):
        layer.weights(there).double()  # the pretence reaches the weights
    assert measure(layer, there) == measure(layer, x)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_device_of_its_own_gives_the_numbers_of_the_cpu(layer, x):
    here = measure(layer, x)
    assert measure(layer.cuda(), x.cuda()) == pytest.approx(here, rel=1e-2)


def test_every_layer_of_both_networks_is_named(make_game, batches):
    game, batch = make_game(), next(batches())
    values = observe_attention(game, to_signal(batch.pixels[:4]), batch.labels[:4])
    assert values.keys() == {
        f"attention/{layer}@8/{what}"
        for layer in ("G.attention", "D.attention")
        for what in ("gamma", "branch_ratio", "entropy", "distance")
    }
    assert values["attention/G.attention@8/gamma"] == 0.0 == values["attention/G.attention@8/branch_ratio"]
    assert not any(module._forward_pre_hooks for module in game.averaged.model.modules())


def test_the_generator_seen_is_the_averaged_one(make_game, batches):
    game, batch = make_game(), next(batches())
    with torch.no_grad():
        game.averaged.model.attention["8"].gamma.fill_(0.5)
    values = observe_attention(game, to_signal(batch.pixels[:4]), batch.labels[:4])
    assert values["attention/G.attention@8/gamma"] == 0.5
    assert values["attention/G.attention@8/branch_ratio"] > 0


@pytest.mark.parametrize("normalised", [True, False])
def test_the_largest_singular_value_is_that_of_a_plain_decomposition(make_game, normalised):
    game = make_game(model={"g_sn": normalised, "d_sn": normalised})
    networks = {"generator": game.generator, "discriminator": game.discriminator}
    expected = {
        f"spectrum/{name}": max(
            float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))
            for weight in network.parameters()
            if weight.ndim > 1
        )
        for name, network in networks.items()
    }
    found = observe_spectra(game)
    assert found == pytest.approx(expected, rel=0.02)
    assert found["spectrum/generator"] != found["spectrum/discriminator"]


def test_looking_at_spectra_changes_nothing(make_game, whole_state, differing):
    game = make_game()
    before = whole_state(game)
    observe_spectra(game)
    assert differing(whole_state(game), before) == []
