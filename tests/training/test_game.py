from __future__ import annotations

import pytest
import torch

from sagan import runtime
from sagan.errors import ResourceError
from sagan.training import game
from sagan.training.game import frozen


def test_a_fresh_game_depends_on_the_seed_alone(make_game, whole_state, differing):
    first = whole_state(make_game())
    torch.manual_seed(9)
    assert differing(first, whole_state(make_game())) == []
    assert len(differing(first, whole_state(make_game(seed=6)))) > 20


def test_two_time_scales(make_game):
    game = make_game(g_lr=1e-3, d_lr=3e-3, beta1=0.25, beta2=0.75)
    (ours,), (theirs,) = game.generator_optimiser.param_groups, game.discriminator_optimiser.param_groups
    assert (ours["lr"], theirs["lr"]) == (1e-3, 3e-3)
    assert ours["betas"] == theirs["betas"] == (0.25, 0.75)
    assert {id(p) for p in ours["params"]} == {id(p) for p in game.generator.parameters()}
    assert {id(p) for p in theirs["params"]} == {id(p) for p in game.discriminator.parameters()}
    assert not ours["fused"], "a fused Adam gives other bits on other machines"


def test_without_classes_no_labels_are_drawn(make_game):
    game = make_game(classes=0)
    latents, labels = game.draw_noise(5, 6, 0)
    assert latents.shape == (6, 12) and labels is None


def test_frozen_passes_gradients_through_and_thaws_even_after_an_error(make_game):
    network = torch.nn.Linear(3, 1)
    network.bias.requires_grad_(False)
    x = torch.ones(2, 3, requires_grad=True)
    try:
        with frozen(network):
            network(x).sum().backward()
            raise KeyError
    except KeyError:
        pass
    assert x.grad is not None and network.weight.grad is None
    assert network.weight.requires_grad and not network.bias.requires_grad, "what was frozen before stays so"


def test_networks_beyond_memory_are_refused_before_they_are_built(make_game, monkeypatch, tmp_path):
    said = tmp_path / "meminfo"
    said.write_text("MemAvailable: 10 kB\n")
    monkeypatch.setattr(runtime, "MEMORY", said)
    monkeypatch.setattr(game, "build_generator", lambda *given, **options: pytest.fail("it was built"))
    with pytest.raises(
        ResourceError, match="training networks of these sizes takes .* GiB of memory, and 0.0 GiB are free"
    ):
        make_game()
