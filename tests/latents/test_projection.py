"""The descent, on engines whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.engines import fold
from sagan.latents.projection import longest, project
from sagan.models.config import ModelConfig
from sagan.sampling import draw_latents

CPU = torch.device("cpu")


def linear(size=6):
    """An engine that is a matrix, and its inverse: pictures (s, 1, 1, size)."""
    matrix = torch.eye(size) + 0.2 * torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    return lambda z, labels=None: (z @ matrix.mT)[:, None, None, :], matrix


def test_a_picture_of_the_engine_is_found_again_from_every_start():
    engine, _ = linear()
    wanted = draw_latents([77], 6)
    target = engine(torch.from_numpy(wanted))
    told = []
    found = project(
        engine, lambda x: (x - target).square().mean((1, 2, 3)), draw_latents(range(2), 6), None,
        steps=300, device=CPU, tell=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    np.testing.assert_allclose(found.latents, np.repeat(wanted, 2, axis=0), atol=0.02)
    assert (found.distances < 1e-4).all() and told[-1] == (300, 300)


def test_the_best_that_was_met_is_kept_and_labels_are_used():
    """Each class draws latent times its number, and the target is reached by class 2 alone within a latent's length."""
    far = 2.5 * longest(4) / 2
    target = torch.full((1, 1, 1, 4), far)

    def engine(z, labels):
        return (z * labels[:, None])[:, None, None, :]

    labels = np.array([1, 5])
    measured = []

    def measure(x):
        measured.append((x - target).square().mean((1, 2, 3)))
        return measured[-1]

    found = project(engine, measure, draw_latents([0, 1], 4), labels, steps=200, device=CPU)
    assert found.distances[1] < 1e-3 < found.distances[0]
    assert found.distances == pytest.approx(torch.stack(measured).min(dim=0).values.detach().numpy(), rel=1e-6)
    assert np.linalg.norm(found.latents[0]) == pytest.approx(longest(4), rel=1e-4), "no longer than latents are"


def test_the_worse_half_is_left_behind_twice():
    """Of 9 starts 4 go on after a quarter of the steps, and 2 after half: seen by how many pictures are measured."""
    engine, _ = linear()
    sizes = []

    def measure(x):
        sizes.append(len(x))
        return x.square().mean((1, 2, 3))

    starts = draw_latents(range(9), 6)
    found = project(engine, measure, starts, None, steps=8, device=CPU)
    assert sizes == [9, 9, 4, 4, 2, 2, 2, 2, 2]
    moved = np.abs(found.latents - starts).max(axis=1)
    assert (moved > 0.05).all() and (
        found.distances[np.argsort(found.distances)[:2]] < np.median(found.distances)
    ).all()


def test_a_thousandth_of_latents_is_longer():
    lengths = np.linalg.norm(draw_latents(range(20_000), 128), axis=1)
    assert 2e-4 < (lengths > longest(128)).mean() < 3e-3


@pytest.mark.parametrize("options", [{"g_attn": (8,)}, {"architecture": "dcgan", "resolution": 32, "g_attn": ()}])
def test_a_folded_generator_has_the_gradients_of_the_generator(like_trained, options):
    """It works in place here and there; the search goes through it."""
    model = ModelConfig(**{"resolution": 16, "g_ch": 8, "d_ch": 8, "z_dim": 6, "d_attn": (), **options})
    generator = like_trained(model, 3).requires_grad_(False)
    z, labels = torch.from_numpy(draw_latents(range(4), 6)).requires_grad_(True), torch.tensor([0, 2, 1, 1])
    live, folded = (torch.autograd.grad(one(z, labels).square().sum(), z)[0] for one in (generator, fold(generator)))
    torch.testing.assert_close(folded, live, rtol=1e-3, atol=1e-3 * float(live.abs().max()))
