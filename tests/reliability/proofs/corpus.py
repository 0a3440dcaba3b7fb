"""Files to damage: a run of two whole checkpoints that were never trained, made in a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sagan.checkpoint.folder import publish
from sagan.checkpoint.generator_file import GeneratorRecord, pack_generator
from sagan.checkpoint.strict_json import dump_strict_json
from sagan.models.config import ModelConfig
from sagan.runtime import Runtime
from sagan.training.config import TrainingConfig
from sagan.training.game import new_game
from sagan.training.state import GENERATOR, RunState, optimiser_tensors, state_files

MODEL = ModelConfig(resolution=16, z_dim=8, g_ch=8, d_ch=8)
CLASSES = ("barns", "boats")
CPU = Runtime(torch.device("cpu"), 1)
OLDER, NEWER = 1, 2


def checkpoint_files(step: int) -> dict[str, bytes]:
    """The four files of a checkpoint, with other numbers at each step."""
    game = new_game(MODEL, TrainingConfig(batch_size=4, seed=step, precision="fp32"), len(CLASSES), CPU)
    for tensor in optimiser_tensors(game).values():
        if tensor.is_floating_point():
            tensor.normal_(generator=torch.Generator().manual_seed(step))  # zeros would hide that they were zeroed
    state = RunState(
        step=step,
        critic_updates=step,
        position=4 * step,
        seconds=1.5 * step,
        data_fingerprint=f"{step:064x}",
        environment={"torch": torch.__version__, "threads": 1},
    )
    facts = GeneratorRecord(model=MODEL, classes=CLASSES, step=step, library="0.0.0", data_name="photos")
    return {**state_files(game, state), GENERATOR: pack_generator(game.averaged.model.state_dict(), facts)}


def write_run(run: Path) -> Path:
    """A run with the checkpoints OLDER and NEWER."""
    for step in (OLDER, NEWER):
        publish(run, step, checkpoint_files(step))
    return run


def resealed(manifest: Mapping[str, Any]) -> bytes:
    """A manifest that says something else and vouches for it, as only somebody who means it would write it."""
    inner = {key: value for key, value in manifest.items() if key != "self"}
    return dump_strict_json(inner | {"self": hashlib.sha256(dump_strict_json(inner, "x")).hexdigest()}, "x")


@contextmanager
def changed(folder: Path, files: Mapping[str, bytes | None]) -> Iterator[None]:
    """Inside, files of a folder have other bytes, or are not there (None); afterwards all is as it was."""
    before = {name: path.read_bytes() if (path := folder / name).exists() else None for name in files}
    put(folder, files)
    try:
        yield
    finally:
        put(folder, before)


def put(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Write these bytes; remove what is None."""
    for name, payload in files.items():
        if payload is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_bytes(payload)
