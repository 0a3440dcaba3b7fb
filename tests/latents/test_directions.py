from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.errors import ConfigError
from sagan.latents.directions import closed_form, first_weight, principal, stages
from sagan.models.config import ModelConfig
from sagan.sampling import draw_latents


@pytest.fixture(scope="module")
def small(like_trained):
    return like_trained(ModelConfig(resolution=16, g_ch=8, d_ch=8, z_dim=6, g_attn=(8,), d_attn=()), classes=3)


@pytest.fixture(scope="module")
def plain(like_trained):
    """Without classes, its stem a transposed convolution."""
    return like_trained(ModelConfig(resolution=32, architecture="dcgan", g_ch=8, d_ch=8, z_dim=6))


@pytest.mark.parametrize("name", ["small", "plain"])
def test_the_first_weight_is_what_the_stem_computes(name, request):
    generator = request.getfixturevalue(name)
    z = torch.from_numpy(draw_latents(range(5), generator.z_dim))
    stem = generator.stem
    with torch.no_grad():
        flat = z if isinstance(stem, torch.nn.Linear) else z[:, :, None, None]
        straight = stem(flat).flatten(1) - stem(0 * flat).flatten(1)
    torch.testing.assert_close(z.double() @ first_weight(generator).mT, straight.double(), rtol=1e-4, atol=1e-5)


def test_closed_form_directions_are_those_of_most_change_in_the_first_layer(small):
    """By definition: no unit vector changes the map more than the first, none across it more than the second."""
    found = closed_form(small, 3)
    weight = first_weight(small).numpy()
    change = np.linalg.norm(weight @ found.vectors.T.astype(np.float64), axis=0)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(change**2 / (weight**2).sum(), found.shares, rtol=1e-4)
    assert change[0] > change[1] > change[2]
    others = np.random.default_rng(0).normal(size=(500, 6))
    for number in range(3):
        across = others - others @ found.vectors[:number].T @ found.vectors[:number]
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        assert np.linalg.norm(weight @ across.T, axis=0).max() <= change[number] * (1 + 1e-5)
    assert (np.take_along_axis(found.vectors, np.abs(found.vectors).argmax(1)[:, None], 1) > 0).all()


def test_norms_that_take_the_latent_count_among_the_first_layers(like_trained):
    """A direction that the stem does not see at all, and all norms do, is the first."""
    generator = like_trained(ModelConfig(resolution=16, g_ch=8, z_dim=6, g_latent="norms"))
    hidden = torch.tensor([0.0, 0.0, 3.0, 4.0, 0.0, 0.0]) / 5
    with torch.no_grad():
        weight = generator.stem.parametrizations.weight.original
        weight.sub_(torch.outer(weight @ hidden, hidden))
        for norm in (module for module in generator.modules() if getattr(module, "by_latent", None) is not None):
            norm.by_latent.copy_(torch.outer(torch.ones(len(norm.by_latent)), 9 * hidden))
    np.testing.assert_allclose(closed_form(generator, 1).vectors[0], hidden.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["small", "plain"])
def test_both_ways_agree_on_the_linear_layer(name, request, monkeypatch):
    """The covariance of A z is AA': two computations that share nothing but the generator."""
    monkeypatch.setattr("sagan.latents.directions.LOOKED_AT", 256)
    generator = request.getfixturevalue(name)
    closed, found = closed_form(generator, 3), principal(generator, 3, layer=0, label=0)
    np.testing.assert_allclose(np.abs((closed.vectors * found.vectors).sum(1)), 1, atol=2e-3)
    np.testing.assert_allclose(found.shares, closed.shares, rtol=0.05)
    assert (found.straight > 0.99).all()


def test_behind_a_block_they_are_others_and_hold_what_they_promise(small, monkeypatch):
    """Along the first direction the block's map changes more than along most others."""
    monkeypatch.setattr("sagan.latents.directions.LOOKED_AT", 256)
    found = principal(small, 2, layer=1, label=1)
    assert np.abs(found.vectors[0] @ closed_form(small, 1).vectors[0]) < 0.999
    assert 0 < found.shares[1] < found.shares[0] < 1 and (found.straight <= 1 + 1e-6).all()
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    kept = []
    handle = stages(small)[1].register_forward_hook(lambda _, inputs, output: kept.append(output))

    def maps(latents):
        with torch.no_grad():
            small(torch.from_numpy(latents), torch.ones(len(latents), dtype=torch.int64))
        return kept.pop().flatten(1).numpy()

    base = draw_latents(range(64), 6)
    others = np.random.default_rng(1).normal(size=(20, 6))
    others /= np.linalg.norm(others, axis=1, keepdims=True)

    def change(vector):
        return np.square(maps(base + vector.astype(np.float32)) - maps(base - vector.astype(np.float32))).sum()

    ours, theirs = change(found.vectors[0]), [change(vector) for vector in others]
    handle.remove()
    assert ours > np.median(theirs) * 1.2
    again = principal(small, 2, layer=1, label=1)
    assert np.array_equal(found.vectors, again.vectors)
    other = principal(small, 2, layer=1)
    assert not np.allclose(found.vectors, other.vectors, atol=1e-3), "all classes together have others than one of them"


def test_what_cannot_be_asked(small):
    with pytest.raises(ConfigError, match="^7 directions were asked for. Latents have 6 numbers: ask for fewer.$"):
        closed_form(small, 7)
    with pytest.raises(ConfigError, match="^layer is 3. Choose 0, the first linear layer, to 2.$"):
        principal(small, 2, layer=3)
    assert not small.stem._forward_hooks, "nothing is left hanging on the generator"
