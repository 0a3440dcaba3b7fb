"""Check every byte of a run's checkpoints: the verb `sagan verify`."""

from __future__ import annotations

from pathlib import Path

from sagan.checkpoint import folder as checkpoints
from sagan.errors import CheckpointError, CheckpointMissing

Row = tuple[str, bool, str]


def verify(path: str | Path) -> list[Row]:
    """One (checkpoint, whole, what was found) for each checkpoint of a run, oldest first; or for one checkpoint folder.

    Raises CheckpointMissing when there is nothing to check.
    """
    path = Path(path)
    folders = (
        [path]
        if (path / "manifest.json").is_file()
        else [checkpoints.step_folder(path, step) for step in checkpoints.steps(path)]
    )
    if not folders:
        raise CheckpointMissing("there is no checkpoint here", where=path, remedy="Name a run or a checkpoint folder.")
    return [_look(folder) for folder in folders]


def _look(folder: Path) -> Row:
    try:
        manifest = checkpoints.verify(folder)
    except CheckpointError as error:
        return folder.name, False, str(error)
    total = sum(entry["bytes"] for entry in manifest["files"].values())
    return folder.name, True, f"{len(manifest['files'])} files, {total / 2**20:.1f} MiB, every byte as written"
