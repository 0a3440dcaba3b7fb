"""Which checkpoints stay, and which is the best."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from sagan.checkpoint.folder import publish, read_manifest, step_folder, steps, sweep
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.disk import DISK, Disk, UnfitFile, disk_errors, read_whole, write_atomic
from sagan.disk.atomic import TRASH
from sagan.errors import CheckpointCorrupt, CheckpointError, ResourceError
from sagan.records import Record

BEST = "best.json"
_LEAST = 2  # with one alone, a disk that damages it has damaged the run


class Best(Record):
    """The best checkpoint so far."""

    step: int = Field(ge=0)
    value: float
    protocol: str = Field(max_length=256, description="How it was measured; values of two protocols never compare.")


def retain(
    run: Path, keep: int, now: int, best_step: int | None = None, disk: Disk = DISK, *, sound_step: int | None = None
) -> list[str]:
    """Delete all but the newest `keep` (at least 2) checkpoints, the best and the last sound one; one line of warning per
    one that stayed.

    now: the step that the run stands at. Later checkpoints are those that it could not go on from: they neither count
    nor go, and nor do damaged ones; their owner may look at them. Each goes by one rename first, so that no half-deleted
    folder ever looks like a checkpoint. Never raises for a disk that refuses: keeping too much must not end a run.
    """
    whole = [step for step in steps(run) if step <= now and _is_whole(step_folder(run, step))]
    kept = {*whole[-max(keep, _LEAST) :], best_step, sound_step}
    warnings = []
    for step in whole:
        if step in kept:
            continue
        folder = step_folder(run, step)
        try:
            with disk_errors(folder):
                _delete(folder, disk)
        except ResourceError as error:
            warnings.append(f"could not delete an old checkpoint: {error}")
    return warnings


def forget_after(run: Path, step: int, disk: Disk = DISK) -> None:
    """Delete the checkpoints after a step that a run went back to, and what is remembered of a best one among them.

    Raises ResourceError when the disk refuses; those before it in time then stay.
    """
    try:
        best = read_best(run)
    except CheckpointCorrupt:  # it may name any step
        best = None
    with disk_errors(Path(run)):
        if best is not None and best.step > step:
            disk.remove(Path(run) / BEST)
        for later in reversed(steps(run)):
            if later > step:
                _delete(step_folder(run, later), disk)


def publish_or_make_room(
    run: Path, step: int, files: Mapping[str, bytes], keep: int, disk: Disk = DISK, *, sound_step: int | None = None
) -> Path:
    """`publish`; when the disk refuses, clear leftovers and what retention would delete, and try once more.

    The second try writes everything anew, so that no sync that failed is tried again.
    Raises ResourceError; older checkpoints are then as they were.
    """
    try:
        return publish(run, step, files, disk)
    except ResourceError:
        _make_room(run, keep, step - 1, disk, sound_step)
    return publish(run, step, files, disk)


def _make_room(run: Path, keep: int, now: int, disk: Disk, sound_step: int | None) -> None:
    """Delete what nobody needs, as far as the disk lets; nothing that a run would keep."""
    try:
        sweep(run, disk)
        best = read_best(run)
    except (ResourceError, CheckpointCorrupt):  # without knowing the best one, none is known to be superfluous
        return
    retain(run, keep, now, None if best is None else best.step, disk, sound_step=sound_step)


def write_best(run: Path, step: int, value: float, protocol: str, disk: Disk = DISK) -> None:
    """Remember `step` as the best by `value` under `protocol`, such as 'structure, 512 pictures, EMA'."""
    best = Best(step=step, value=value, protocol=protocol)
    write_atomic(Path(run) / BEST, dump_strict_json(best.model_dump(mode="json"), BEST), disk)


def read_best(run: Path) -> Best | None:
    """What `write_best` remembered, or None. Raises CheckpointCorrupt."""
    path = Path(run) / BEST
    with disk_errors(path):
        try:
            payload = read_whole(path, max_bytes=1 << 16)
        except FileNotFoundError:
            return None
        except UnfitFile as error:
            raise CheckpointCorrupt(str(error), where=path) from None
    try:
        return Best.model_validate(parse_strict_json(payload, path), strict=True)
    except ValidationError:
        raise CheckpointCorrupt("it is not a step, a value and a protocol", where=path, remedy="Remove it.") from None


def _delete(folder: Path, disk: Disk) -> None:
    """By one rename first: a folder that is half deleted must not look like a checkpoint."""
    trash = folder.parent / f"{TRASH}{folder.name}-{secrets.token_hex(4)}"
    disk.rename(folder, trash)
    disk.remove(trash)


def _is_whole(folder: Path) -> bool:
    """Cheap on purpose: manifest, names and sizes, not the hashes, since this runs after every save."""
    try:
        read_manifest(folder)
    except (CheckpointError, ResourceError):
        return False
    return True
