"""What is not finite is noticed before anything remembers it, and the way back leads to the state of before."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from sagan.errors import NumericError
from sagan.randomness import Stream
from sagan.training.guard import MOST, WITHIN, LastGood, breaks_too_often, require_finite
from sagan.training.step import train_step


def play(game, batches, steps):
    for batch in islice(batches, steps):
        train_step(game, iter([batch]))
    return game


def poison(values, bad):
    values[(-1,) * values.ndim] = bad


def poison_gradient(network, bad):
    def harm(gradient):
        gradient = gradient.clone()
        poison(gradient, bad)
        return gradient

    next(iter(network.parameters())).register_hook(harm)


PLACES = {
    "a gradient of the discriminator": lambda game, bad: poison_gradient(game.discriminator, bad),
    "a gradient of the generator": lambda game, bad: poison_gradient(game.generator, bad),
    "a vector u of the discriminator": lambda game, bad: poison(_buffer(game.discriminator, ".u"), bad),
    "a vector u of the generator": lambda game, bad: poison(_buffer(game.generator, ".u"), bad),
    "a running mean": lambda game, bad: poison(_buffer(game.generator, "running_mean"), bad),
    "a running variance": lambda game, bad: poison(_buffer(game.generator, "running_var"), bad),
    "a weight of the discriminator": lambda game, bad: poison(next(game.discriminator.parameters()).data, bad),
    "a weight of the generator": lambda game, bad: poison(next(game.generator.parameters()).data, bad),
}


def _buffer(network, ending):
    return next(buffer for name, buffer in network.named_buffers() if name.endswith(ending))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_noticed_before_the_average_moves(make_game, batches, place, bad):
    game = play(make_game(), batches(), 2)
    before = {name: tensor.clone() for name, tensor in game.averaged.model.state_dict().items()}
    PLACES[place](game, bad)
    with pytest.raises(NumericError, match="is not finite"):
        play(game, batches(2), 1)
    after = game.averaged.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_broke_first_is_named(make_game, batches):
    game = play(make_game(), batches(), 2)
    poison_gradient(game.discriminator, float("nan"))
    with pytest.raises(NumericError, match=r"^the discriminator's gradient of \S+ is not finite$"):
        play(game, batches(2), 1)


def test_what_is_finite_passes_however_large(make_game, batches):
    game = play(make_game(), batches(), 1)
    weight = next(game.generator.parameters())
    weight.grad = torch.full_like(weight, 3e38)
    require_finite(game, {"loss": torch.tensor(-3e38, dtype=torch.bfloat16)})
    with pytest.raises(NumericError, match="^loss is not finite$"):
        require_finite(game, {"loss": torch.tensor(float("inf"))})
    game.generator_optimiser.step()  # whose second moment is then beyond float32
    with pytest.raises(NumericError, match=r"^the generator's exp_avg_sq of \S+ is not finite$"):
        require_finite(game, {})


def test_only_what_lies_on_the_device_is_looked_at(make_game, batches):
    """The optimiser counts its steps in the computer's memory: beside the others it would cost a copy, or an error."""
    game = play(make_game(), batches(), 1)
    for memory in game.discriminator_optimiser.state.values():
        memory["step"] = memory["step"].to("meta")
    assert require_finite(game, {}) is None, "no complaint"


def test_going_back_is_exact_and_may_be_repeated(make_game, batches, whole_state, differing):
    game = play(make_game(), batches(), 2)
    good, copy = whole_state(game), LastGood(game)
    for _ in range(2):
        play(game, batches(7), 2)
        copy.go_back(game, game.step)
        assert differing(whole_state(game), good) == []
    assert game.rollbacks == (4, 4)


def test_after_going_back_other_noise_is_drawn(make_game):
    game = make_game()
    drawn = [game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, 3)[0]]
    for rollbacks in ((5,), (5, 9)):
        game.rollbacks = rollbacks
        assert 0 <= game.noise_seed < 2**63
        drawn.append(game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, 3)[0])
    assert not any(torch.equal(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_it_does_not_go_back_for_ever():
    assert MOST == 3 and WITHIN == 1000
    assert not breaks_too_often([10, 20, 30])
    assert breaks_too_often([10, 20, 30, 1009])
    assert not breaks_too_often([10, 20, 30, 1010]), "the first one is long ago by now"
    assert breaks_too_often([10, 20, 30, 1010, 1015])
