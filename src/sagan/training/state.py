"""All that a restart needs, as named tensors and one JSON record, and back into a fresh game: all or nothing.

What is not here is a pure function of what is: noise, labels, order and mirroring depend on (seed, stream, counter) alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from pydantic import Field
from torch import Tensor, nn

from sagan.checkpoint.loading import assign
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.checkpoint.tensors import pack, unpack_bytes
from sagan.errors import CheckpointCorrupt
from sagan.records import Record
from sagan.training.game import Game
from sagan.training.optimisers import Optimiser

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"
GENERATOR = "generator.safetensors"  # the averaged generator: written by its own room, read here to go on


class RunState(Record):
    """The counters of a run at a boundary between two steps."""

    step: int = Field(ge=0)
    critic_updates: int = Field(ge=0)
    position: int = Field(ge=0, description="Pictures handed to training so far.")
    seconds: float = Field(ge=0, description="Training time so far.")
    data_fingerprint: str
    environment: dict[str, str | int]
    rollbacks: tuple[int, ...] = Field(default=(), description="Steps from which the run went back.")


def state_files(game: Game, state: RunState) -> dict[str, bytes]:
    """The files of a checkpoint beside the generator's. Raises NumericError when a value is not finite."""
    return {
        MODEL: pack(_with_prefix("generator", game.generator) | _with_prefix("discriminator", game.discriminator)),
        OPTIMISER: pack(optimiser_tensors(game) | memory_tensors(game)),
        STATE: dump_strict_json(state.model_dump(mode="json"), STATE),
    }


def read_state(payload: bytes, where: object) -> RunState:
    """The counters in `state.json`. Raises CheckpointCorrupt."""
    try:
        return RunState.model_validate(parse_strict_json(payload, where))
    except ValueError as error:
        raise CheckpointCorrupt(f"its state is not valid: {str(error).splitlines()[0]}", where=where) from None


def restore(game: Game, files: Mapping[str, bytes], averaged: Mapping[str, Tensor], where: object) -> RunState:
    """Put a checkpoint's files into a fresh game. averaged: the tensors of its generator file.

    Everything is parsed and compared before anything is written. Raises CheckpointCorrupt, CheckpointIncompatible.
    """
    state = read_state(files[STATE], f"{where}/{STATE}")
    loaded = unpack_bytes(files[MODEL], f"{where}/{MODEL}")[0]
    loaded |= unpack_bytes(files[OPTIMISER], f"{where}/{OPTIMISER}")[0]
    if state.step == 0:  # manifests of schema 1 left out memories that were still zero
        loaded = optimiser_tensors(game) | loaded
    loaded |= {f"averaged.{name}": tensor for name, tensor in averaged.items()}
    assign(game_tensors(game), loaded, where)
    game.step, game.critic_updates, game.rollbacks = state.step, state.critic_updates, state.rollbacks
    return state


def game_tensors(game: Game) -> dict[str, Tensor]:
    """Every tensor that an update can change, by name: both networks, the average, both optimisers' memory, and that of
    the parts for small sets."""
    return (
        _with_prefix("generator", game.generator)
        | _with_prefix("discriminator", game.discriminator)
        | _with_prefix("averaged", game.averaged.model)
        | optimiser_tensors(game)
        | memory_tensors(game)
    )


def memory_tensors(game: Game) -> dict[str, Tensor]:
    """What the parts for small sets remember: 'memory.lecam/real'..."""
    return {f"memory.{name}": tensor for name, tensor in game.memory.items()}


def _with_prefix(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in network.state_dict().items()}


def _optimisers(game: Game) -> list[tuple[str, Optimiser, nn.Module]]:
    return [
        ("generator_optimiser", game.generator_optimiser, game.generator),
        ("discriminator_optimiser", game.discriminator_optimiser, game.discriminator),
    ]


def optimiser_tensors(game: Game) -> dict[str, Tensor]:
    """The optimisers' memory by parameter name, not by index: 'generator_optimiser.exp_avg.blocks.0.conv1...'"""
    return dict(
        chain.from_iterable(
            (
                (f"{prefix}.{kind}.{name}", tensor)
                for name, parameter in network.named_parameters()
                for kind, tensor in optimiser.state.get(parameter, {}).items()
            )
            for prefix, optimiser, network in _optimisers(game)
        )
    )
