"""Checkpoints of a run: run/checkpoints/step-00012000/, each with a manifest, each published by one rename.

There is no pointer to the latest one: the newest that verifies is the latest. A folder under its final name was
complete when it got that name; what happened to the disk since is what verifying finds out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sagan.checkpoint.manifest import MANIFEST, MAX_MANIFEST_BYTES, make_manifest, parse_manifest
from sagan.disk import DISK, Disk, UnfitFile, disk_errors, probe, publish_folder, read_whole
from sagan.disk import sweep as sweep_folder
from sagan.disk.faults import resource_error
from sagan.disk.reading import open_regular
from sagan.errors import CheckpointCorrupt, CheckpointMissing

CHECKPOINTS = "checkpoints"
_NAME = re.compile(r"step-(\d{8,12})")
_BLOCK = 1 << 20
_REMEDY = "Take another checkpoint; this one is damaged."


def step_folder(run: Path, step: int) -> Path:
    """run/checkpoints/step-00012000"""
    return Path(run) / CHECKPOINTS / f"step-{step:08d}"


def publish(run: Path, step: int, files: Mapping[str, bytes], disk: Disk = DISK) -> Path:
    """Write the checkpoint of `step` with these files and a manifest; its folder. All of it appears at once, or none.

    A checkpoint of the same step is replaced.  files: name -> bytes, names such as model.safetensors or state.json.
    Raises ResourceError; older checkpoints are then as they were.
    """
    final = step_folder(run, step)
    publish_files(final, step, files, disk)
    return final


def publish_files(folder: Path, step: int, files: Mapping[str, bytes], disk: Disk = DISK) -> None:
    """As `publish`, under a name of one's own: a checkpoint that belongs to no run. Raises ResourceError."""
    publish_folder(folder, {**files, MANIFEST: make_manifest(step, files)}, disk)  # the manifest last: it vouches


def steps(run: Path) -> list[int]:
    """Steps that have a checkpoint, whole or not, oldest first."""
    folder = Path(run) / CHECKPOINTS
    with disk_errors(folder):
        names = os.listdir(folder) if folder.is_dir() else []
    matches = (_NAME.fullmatch(name) for name in names)
    return sorted(step for match in matches if match and step_folder(run, step := int(match[1])).name == match[0])


def newest(run: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that verifies, and one line of warning for each newer one that does not.

    (None, []) means there is none; (None, [...]) means that all are damaged, which is not the same as a fresh start.
    Raises CheckpointIncompatible when a newer version wrote the newest whole one: going on from an older one would fork
    the run behind its owner's back.
    """
    warnings: list[str] = []
    for step in reversed(steps(run)):
        folder = step_folder(run, step)
        try:
            verify(folder)
        except (CheckpointCorrupt, CheckpointMissing) as error:
            warnings.append(f"passed over: {error}")
        else:
            return folder, warnings
    return None, warnings


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint, after all checks but the hashes of the files: names, exact set, sizes.

    Raises CheckpointMissing, CheckpointCorrupt, CheckpointIncompatible.
    """
    folder = Path(folder)
    sizes = _listing(folder)
    if MANIFEST not in sizes:
        raise CheckpointCorrupt(f"it has no {MANIFEST}", where=folder, remedy=_REMEDY)
    manifest = parse_manifest(_read(folder / MANIFEST, MAX_MANIFEST_BYTES), folder / MANIFEST)
    files: dict[str, Any] = manifest["files"]
    expected, got = {*files, MANIFEST}, set(sizes)
    if missing := sorted(expected - got):
        raise CheckpointCorrupt(f"expected the file {missing[0]}, got none", where=folder, remedy=_REMEDY)
    if unknown := sorted(got - expected):
        raise CheckpointCorrupt(f"the file {unknown[0]!r} is not in the manifest", where=folder, remedy=_REMEDY)
    if _NAME.fullmatch(folder.name) and folder.name != step_folder(folder, manifest["step"]).name:
        raise CheckpointCorrupt(f"its {MANIFEST} is that of step {manifest['step']}", where=folder, remedy=_REMEDY)
    for name, entry in files.items():
        if sizes[name] != entry["bytes"]:
            raise CheckpointCorrupt(
                f"expected {entry['bytes']} bytes, got {sizes[name]}", where=folder / name, remedy=_REMEDY
            )
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """The manifest, after checking every byte of every file against it. Raises as `read_manifest` does."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name, entry in manifest["files"].items():
        _compare(_hash(folder / name, entry["bytes"]), entry, folder / name)
    return manifest


def read_folder(folder: Path, only: Collection[str] | None = None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the verified bytes of every file: what was checked is what is used. Raises as `verify` does.

    only: names of the files to read; all of them without.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    contents = {}
    for name, entry in manifest["files"].items():
        if only is not None and name not in only:
            continue
        contents[name] = _read(folder / name, entry["bytes"])
        _compare(hashlib.sha256(contents[name]).hexdigest(), entry, folder / name)
    return manifest, contents


def sweep(run: Path, disk: Disk = DISK) -> list[str]:
    """Clear what dead writers left in a run, before `newest`; the names handled. Only for the holder of its lock."""
    return [name for folder in _places(run) for name in sweep_folder(folder, disk)]


def prepare(run: Path, disk: Disk = DISK) -> None:
    """What a start does first, once it holds the lock: sweep, then find out that every folder can be written to.

    Raises ResourceError, within moments rather than at the first save.
    """
    sweep(run, disk)  # first: what a dead writer left may be all that fills the disk
    for folder in _places(run):
        if folder.is_dir():
            probe(folder, disk)


def _places(run: Path) -> tuple[Path, ...]:
    """The folders that a run writes into."""
    return Path(run), Path(run) / "samples", Path(run) / CHECKPOINTS


def _listing(folder: Path) -> dict[str, int]:
    """File name -> size; anything but a regular file is refused."""
    with disk_errors(folder):
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointMissing("there is no such checkpoint", where=folder, remedy="Check the path.") from None
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise CheckpointCorrupt(f"{entry.name!r} is not a regular file", where=folder, remedy=_REMEDY)
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        return read_whole(path, max_bytes=max_bytes, follow=False)
    except (OSError, UnfitFile) as error:
        raise _unreadable(error, path) from None


def _hash(path: Path, max_bytes: int) -> str:
    sha256 = hashlib.sha256()
    try:
        with open(open_regular(path, max_bytes=max_bytes, follow=False), "rb") as file:
            while block := file.read(_BLOCK):
                sha256.update(block)
    except (OSError, UnfitFile) as error:
        raise _unreadable(error, path) from None
    return sha256.hexdigest()


def _compare(got: str, entry: dict[str, Any], path: Path) -> None:
    if got != entry["sha256"]:
        raise CheckpointCorrupt(f"expected SHA-256 {entry['sha256']}, got {got}", where=path, remedy=_REMEDY)


def _unreadable(error: OSError | UnfitFile, path: Path) -> Exception:
    """A bad sector is damage like any other; a permission is the reader's business."""
    if isinstance(error, PermissionError):
        return resource_error(error, path)
    return CheckpointCorrupt(f"cannot be read: {error}", where=path, remedy=_REMEDY)
