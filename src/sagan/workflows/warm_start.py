"""Training that starts from somebody's weights: `sagan train --init-from`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sagan.checkpoint.generator_file import GeneratorRecord, parse_generator, read_generator
from sagan.checkpoint.tensors import Tensors, unpack_bytes
from sagan.errors import CheckpointIncompatible
from sagan.layers.norm import BatchNorm2d
from sagan.layers.spectral import WARM_UP, normalisers
from sagan.training.game import Game
from sagan.training.reporting import Note, Watch
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.openers import generator_file, locate, network_files

SHOWN = 6
LEAST = 0.1  # of the tensors: in other networks some fit by accident
ORIGINAL, U, V = "parametrizations.weight.original", "parametrizations.weight.0.u", "parametrizations.weight.0.v"


def options_of(path: Path) -> dict[str, Any]:
    """The options of the model table that a generator was made with. Raises as opening it does."""
    file, _ = generator_file(path)
    record, _ = read_generator(file)
    return record.model.model_dump()


@torch.no_grad()
def start_from(game: Game, path: Path, watch: Watch) -> None:
    """Copy what fits by name and shape into both networks of a fresh game; say what does not.

    The generator starts from the averaged one. A batch norm's tables for another number of classes start at the mean of
    the old classes; the discriminator's table is drawn anew. Raises CheckpointIncompatible when hardly any fits.
    """
    local, notes = locate(path, both=True)
    for line in notes:
        watch(Note(line))
    _, ours, theirs = _read(local)
    copied, total = 0, 0
    for name, network, loaded in (("generator", game.generator, ours), ("discriminator", game.discriminator, theirs)):
        if not loaded:
            watch(Note(f"{path} has no {name}: it starts anew."))
            continue
        fits, strays = _fill(network, loaded)
        copied, total = copied + fits, total + fits + len(strays)
        watch(Note(f"Starting the {name} from {path}: {fits} of {fits + len(strays)} tensors fit{_listed(strays)}."))
    if copied < LEAST * total:
        raise CheckpointIncompatible(
            f"only {copied} of {total} tensors fit these networks",
            where=path,
            remedy="Leave its sizes as they are: give no model options.",
        )
    game.averaged.model.load_state_dict(game.generator.state_dict())


def _read(path: Path) -> tuple[GeneratorRecord, Tensors, Tensors]:
    """(record, generator's tensors, discriminator's tensors or none) of whatever opens as a generator, by its path."""
    file, _ = generator_file(path)
    if path.is_file() or not (file.parent / MODEL).exists():
        return *read_generator(file), {}
    files = network_files(file.parent)
    tensors, _ = unpack_bytes(files[MODEL], file.parent / MODEL)
    prefix = "discriminator."
    judge = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return *parse_generator(files[GENERATOR], file), judge


def _fill(network: nn.Module, loaded: Mapping[str, Tensor]) -> tuple[int, list[str]]:
    """How many of the network's tensors were filled, and the names of those that were not."""
    state = network.state_dict()
    fitting = _with_norms_of(network, state, loaded)
    tables = {f"{name}.{part}" for name, module in network.named_modules() if isinstance(module, BatchNorm2d)
              for part in ("gain", "bias")}  # fmt: skip
    strays = []
    for name, tensor in state.items():
        source = fitting.get(name)
        if (
            source is not None
            and name in tables
            and source.shape != tensor.shape
            and source.shape[-1] == tensor.shape[-1]
        ):
            tensor.copy_(source.mean(dim=0) if source.ndim == 2 else source)  # other classes than before, or none
        elif source is not None and source.shape == tensor.shape:
            tensor.copy_(source)
            continue
        strays.append(name)
    if any(name.endswith((U, V)) for name in strays):  # beside a weight that came without them, or a table drawn anew
        for part, weight in normalisers(network):
            part.advance(weight, WARM_UP)
    return len(state) - len(strays), strays


def _with_norms_of(network: nn.Module, state: Mapping[str, Tensor], loaded: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The loaded tensors under the names that the network has, whether either of them has spectral norm or not."""
    fitting = dict(loaded)
    for name in state:
        layer = name.removesuffix(ORIGINAL)
        if name.endswith(ORIGINAL) and f"{layer}weight" in loaded:
            fitting[name] = loaded[f"{layer}weight"]
        layer = name.removesuffix("weight")
        if (
            name.endswith(".weight")
            and f"{layer}{ORIGINAL}" in loaded
            and f"{layer}{U}" in loaded
            and f"{layer}{V}" in loaded
        ):
            weight = loaded[f"{layer}{ORIGINAL}"]
            u, v = loaded[f"{layer}{U}"], loaded[f"{layer}{V}"]
            axis = 1 if isinstance(network.get_submodule(layer[:-1]), nn.ConvTranspose2d) else 0
            sigma = u @ weight.movedim(axis, 0).flatten(1) @ v
            fitting[name] = weight / sigma
    return fitting


def _listed(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"; not {', '.join(names[:SHOWN])}{more}"
