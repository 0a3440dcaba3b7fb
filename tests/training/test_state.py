from __future__ import annotations

from itertools import islice

import pytest
import torch

from sagan.checkpoint.tensors import pack, unpack_bytes
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible
from sagan.training.state import MODEL, OPTIMISER, STATE, RunState, optimiser_tensors, read_state, restore, state_files
from sagan.training.step import train_step

SAVED_AT, MORE = 3, 2


def play(game, batches, steps):
    for batch in islice(batches, steps):
        train_step(game, iter([batch]))
    return game


def saved(game):
    """What a checkpoint of the game holds: files, and the tensors of the generator file."""
    state = RunState(
        step=game.step,
        critic_updates=game.critic_updates,
        position=game.images,
        seconds=1.5,
        data_fingerprint="f" * 64,
        environment={"threads": 1},
    )
    averaged = {name: tensor.clone() for name, tensor in game.averaged.model.state_dict().items()}
    return state_files(game, state), averaged


@pytest.fixture(scope="module")
def story(make_game, batches, whole_state):
    """(files, averaged) of a game stopped at SAVED_AT, and all numbers of the one that went on."""
    game = play(make_game(), batches(), SAVED_AT)
    checkpoint = saved(game)
    return *checkpoint, whole_state(play(game, batches(SAVED_AT), MORE))


def resumed(make_game, files, averaged):
    game = make_game()
    state = restore(game, files, averaged, "here")
    return game, state


def test_a_restored_game_goes_on_bit_for_bit(make_game, batches, whole_state, differing, story):
    files, averaged, expected = story
    for _ in range(2):  # twice from one checkpoint: what was read must not be changed by training
        game, state = resumed(make_game, files, averaged)
        assert (state.step, state.position, state.seconds, game.step, game.critic_updates) == (3, 18, 1.5, 3, 3)
        play(game, batches(state.position // 6), MORE)
        assert differing(whole_state(game), expected) == []


def lose_moment(game, kind):
    for optimiser in (game.generator_optimiser,):
        for memory in optimiser.state.values():
            memory[kind].zero_()


def lose_vector(game, network):
    for name, buffer in getattr(game, network).named_buffers():
        if name.endswith(".u"):
            buffer.copy_(torch.nn.functional.normalize(torch.arange(1.0, len(buffer) + 1), dim=0))


def lose_buffers(game, ending, value):
    for name, buffer in game.generator.named_buffers():
        if name.endswith(ending):
            buffer.fill_(value)


# Each is one thing that a careless checkpoint leaves out. The comparison must notice every one of them.
LOST = {
    "adam's first moment": lambda game: lose_moment(game, "exp_avg"),
    "adam's second moment": lambda game: lose_moment(game, "exp_avg_sq"),
    "adam's step": lambda game: lose_moment(game, "step"),
    "u of the discriminator": lambda game: lose_vector(game, "discriminator"),
    "u of the generator": lambda game: lose_vector(game, "generator"),
    "u of the average": lambda game: lose_vector(game.averaged, "model"),
    "running means": lambda game: lose_buffers(game, "running_mean", 0.0),
    "running variances": lambda game: lose_buffers(game, "running_var", 1.0),
    "the average": lambda game: game.averaged.model.load_state_dict(game.generator.state_dict()),
    "the count of steps": lambda game: setattr(game, "step", 0),
    "the count of discriminator updates": lambda game: setattr(game, "critic_updates", 0),
    "gamma": lambda game: game.generator.attention["8"].gamma.data.zero_(),
}


@pytest.mark.parametrize("lost", LOST)
def test_the_comparison_notices_whatever_is_lost(make_game, batches, whole_state, differing, story, lost):
    files, averaged, expected = story
    game, state = resumed(make_game, files, averaged)
    LOST[lost](game)
    play(game, batches(state.position // 6), MORE)
    assert differing(whole_state(game), expected) != []


def test_the_comparison_notices_a_lost_position(make_game, batches, whole_state, differing, story):
    files, averaged, expected = story
    game, _ = resumed(make_game, files, averaged)
    assert differing(whole_state(play(game, batches(0), MORE)), expected) != []


def test_every_number_of_a_game_is_in_its_checkpoint(make_game, whole_state, batches):
    game = play(make_game(), batches(), 1)
    files, averaged = saved(game)
    stored = {f"averaged.{name}": tensor for name, tensor in averaged.items()}
    stored |= unpack_bytes(files[MODEL], "")[0] | unpack_bytes(files[OPTIMISER], "")[0]
    live = whole_state(game)
    counters = {"step", "critic_updates"}
    assert stored.keys() == live.keys() - counters
    assert all(torch.equal(stored[name], live[name]) for name in stored)


def test_the_optimisers_memory_goes_by_parameter_name(make_game, batches):
    game = play(make_game(), batches(), 1)
    names = set(optimiser_tensors(game))
    for prefix, network in (
        ("generator_optimiser", game.generator),
        ("discriminator_optimiser", game.discriminator),
    ):
        for name, parameter in network.named_parameters():
            memory = (game.generator_optimiser if prefix[0] == "g" else game.discriminator_optimiser).state[parameter]
            for kind in ("step", "exp_avg", "exp_avg_sq"):
                assert optimiser_tensors(game)[f"{prefix}.{kind}.{name}"] is memory[kind]
                names.remove(f"{prefix}.{kind}.{name}")
    assert names == set()


@pytest.mark.parametrize(
    ("file", "ending"),
    [
        (OPTIMISER, "generator_optimiser.exp_avg.norm.gain"), (OPTIMISER, "discriminator_optimiser.step.linear.bias"),
        (MODEL, "discriminator.linear.parametrizations.weight.0.u"), (MODEL, "generator.norm.running_mean"),
        (MODEL, "generator.stem.parametrizations.weight.0.v"), ("averaged", "norm.gain"),
    ],
)  # fmt: skip
def test_a_checkpoint_without_one_of_its_tensors_is_refused(make_game, whole_state, differing, story, file, ending):
    files, averaged, _ = story
    if file == "averaged":
        averaged = {name: tensor for name, tensor in averaged.items() if name != ending}
    else:
        tensors = unpack_bytes(files[file], "")[0]
        tensors.pop(ending)
        files = {**files, file: pack(tensors)}
    game = make_game()
    before = whole_state(game)
    with pytest.raises(CheckpointIncompatible, match=f"made for another structure: missing .*{ending}") as info:
        restore(game, files, averaged, "runs/x/checkpoints/step-00000003")
    assert "step-00000003" in str(info.value) and info.value.exit_code == 4
    after = {name: tensor for name, tensor in whole_state(game).items() if name in before}
    assert differing(before, after) == [], "nothing was written"


def test_a_checkpoint_of_another_structure_is_refused(make_game, whole_state, differing, story):
    files, averaged, _ = story
    game = make_game(model={"g_ch": 24})
    before = whole_state(game)
    with pytest.raises(CheckpointIncompatible, match="different generator.stem.* float32 256, here: float32 384"):
        restore(game, files, averaged, "here")
    with pytest.raises(CheckpointIncompatible, match="unknown .*discriminator.embedding"):
        restore(make_game(classes=0), files, averaged, "here")
    after = {name: tensor for name, tensor in whole_state(game).items() if name in before}
    assert differing(before, after) == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"step": -1}', b'{"step": 1, "critic_updates": 1, "position": 8, "seconds": NaN}', b'{"step": 1}'],
)
def test_a_state_that_is_none_is_corrupt(payload):
    with pytest.raises(CheckpointCorrupt, match="^state.json: "):
        read_state(payload, STATE)
