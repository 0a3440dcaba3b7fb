"""Check every byte of a run's checkpoints, of a generator file or of a pack: the verb `sagan verify`."""

from __future__ import annotations

from pathlib import Path

from sagan.checkpoint import folder as checkpoints
from sagan.checkpoint.generator_file import read_generator
from sagan.checkpoint.manifest import MANIFEST
from sagan.checkpoint.tensors import unpack
from sagan.data.pack.layout import is_pack
from sagan.data.pack.reading import PackSource
from sagan.disk import disk_errors
from sagan.errors import CheckpointError, CheckpointMissing, DataError
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.sharing.layout import is_shared

Row = tuple[str, bool, str]


def verify(path: str | Path) -> list[Row]:
    """One (name, whole, what was found) for each checkpoint of a run, oldest first; for one checkpoint or generator; for the
    network files of a shared folder; or for each shard of a pack.

    Raises CheckpointMissing when there is nothing to check.
    """
    path = Path(path)
    with disk_errors(path):
        is_file, is_checkpoint = path.is_file(), (path / MANIFEST).is_file()
    if is_file:
        return [_look_at_generator(path)]
    if is_pack(path):
        return _look_at_pack(path)
    if is_shared(path):
        both = (path / MODEL).is_file()
        return [_look_at_generator(path / GENERATOR), *([_look_at_networks(path / MODEL)] if both else [])]
    folders = [path] if is_checkpoint else [checkpoints.step_folder(path, step) for step in checkpoints.steps(path)]
    if not folders:
        remedy = "Name a run, a checkpoint folder, a generator file or a pack."
        raise CheckpointMissing("there is no checkpoint here", where=path, remedy=remedy)
    return [_look(folder) for folder in folders]


def _look(folder: Path) -> Row:
    try:
        manifest = checkpoints.verify(folder)
    except CheckpointError as error:
        return folder.name, False, str(error)
    total = sum(entry["bytes"] for entry in manifest["files"].values())
    return folder.name, True, f"{len(manifest['files'])} files, {total / 2**20:.1f} MiB, every byte as written"


def _look_at_pack(folder: Path) -> list[Row]:
    try:
        pack = PackSource(folder)
    except DataError as error:
        return [(folder.name, False, str(error))]
    shards = zip(pack.contents.shards, pack.checked(), strict=True)
    return [
        (name, whole, f"{shard.kept:,} pictures" if whole else "its bytes are not what was written")
        for shard, (name, whole) in shards
    ]


def _look_at_generator(file: Path) -> Row:
    """A generator file proves itself: its header holds a hash of its record and tensors."""
    try:
        record, tensors = read_generator(file)
    except CheckpointError as error:
        return file.name, False, str(error)
    side = record.model.resolution
    return file.name, True, f"a generator of {side}x{side} at step {record.step:,}, {len(tensors)} tensors as written"


def _look_at_networks(file: Path) -> Row:
    """As a generator file, it proves itself."""
    try:
        tensors, _ = unpack(file)
    except CheckpointError as error:
        return file.name, False, str(error)
    return file.name, True, f"both networks as training left them, {len(tensors)} tensors as written"
