"""Start anew, go on, or refuse: what a run folder and the record asked for have to say to each other."""

from __future__ import annotations

from pathlib import Path

from sagan.checkpoint.folder import newest, read_folder, read_manifest, steps
from sagan.checkpoint.generator_file import parse_generator
from sagan.config import Change, RunConfig, difference
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, ConfigError, DataError
from sagan.training.game import Game
from sagan.training.reporting import Note, Watch
from sagan.training.state import GENERATOR, RunState, restore
from sagan.workflows.run_folder import RunFolder


def find_checkpoint(folder: RunFolder, resume: str, watch: Watch) -> Path | None:
    """The checkpoint to go on from, or None for a fresh start.

    resume: 'auto' goes on with what the folder has; 'off' refuses a folder that has something; else the path of a run or
    of a checkpoint to go on from, which may lie in another folder but not behind what this folder has already.
    Raises ConfigError; CheckpointCorrupt when all checkpoints are damaged.
    """
    present = steps(folder.path)
    if resume == "off":
        if present:
            raise ConfigError(
                f"the folder holds a run at step {present[-1]}",
                where=folder.path,
                remedy="Choose another folder with --out, or leave out --resume off to go on with it.",
            )
        return None
    source = folder.path if resume == "auto" else Path(resume)
    checkpoint, warnings = (source, []) if (source / GENERATOR).is_file() else newest(source)
    for warning in warnings:
        watch(Note(f"Warning: {warning}"))
    if checkpoint is None and (warnings or resume != "auto"):
        raise CheckpointCorrupt(
            "there is no whole checkpoint to go on from",
            where=source,
            remedy="Start a new run with another --out; the damaged files were left as they are.",
        )
    if resume != "auto" and checkpoint is not None and present and read_manifest(checkpoint)["step"] < present[-1]:
        raise ConfigError(
            f"the folder holds step {present[-1]}, which is later than {checkpoint}",
            where=folder.path,
            remedy="Choose another folder with --out for what starts from there.",
        )
    return checkpoint


def check_record(
    stored: RunConfig | None, asked: RunConfig, folder: RunFolder, *, override: bool, watch: Watch
) -> list[Change]:
    """Compare the stored record with the one asked for; what changed and may. Raises ConfigError with the difference."""
    if stored is None:
        return []
    changes = difference(stored, asked)
    structural = [change for change in changes if change.resume == "structural"]
    schedule = [change for change in changes if change.resume == "schedule"]
    refused = structural or ([] if override else schedule)
    if refused:
        words = ", ".join(f"{change.name} {change.old} -> {change.new}" for change in refused)
        choose = "Choose another folder with --out, or repeat the options that the run was started with."
        allow = "Add --override to go on with the change, which is then recorded, or choose another --out."
        raise ConfigError(
            f"the folder holds a run with another record: {words}",
            where=folder.path,
            remedy=choose if structural else allow,
        )
    told = [change for change in changes if change.name not in ("out", "preset")]
    for change in told:
        watch(Note(f"Changed from the stored record: {change.name} {change.old} -> {change.new}"))
    return told


def go_on(game: Game, checkpoint: Path, fingerprint: str, environment: dict[str, str | int], watch: Watch) -> RunState:
    """Restore a fresh game from a checkpoint, after checking that the pictures are the same.

    Says in one line each what differs in the environment: the promise of equal bits holds for equal ones.
    Raises DataError when the pictures changed, CheckpointIncompatible for another structure.
    """
    _, files = read_folder(checkpoint)
    _, averaged = parse_generator(files[GENERATOR], checkpoint / GENERATOR)
    state = restore(game, files, averaged, checkpoint)
    if state.data_fingerprint != fingerprint:
        raise DataError(
            f"the pictures are not those of the run: fingerprint {fingerprint[:12]}, was {state.data_fingerprint[:12]}",
            where=checkpoint,
            remedy="Put the old pictures back, or train on the new ones in another folder with --out.",
        )
    if state.critic_updates != state.step * game.config.n_dis:
        raise CheckpointIncompatible(
            f"{state.critic_updates} discriminator updates in {state.step} steps", where=checkpoint
        )
    for name, now in environment.items():
        if (before := state.environment.get(name)) != now:
            watch(Note(f"Differs from before: {name} was {before}, is {now}; results may differ by rounding."))
    return state
