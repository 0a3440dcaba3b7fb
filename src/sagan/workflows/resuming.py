"""Start anew, go on, or refuse: what a run folder and the record asked for have to say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagan.checkpoint.folder import newest, read_folder, read_manifest, steps
from sagan.checkpoint.generator_file import parse_generator
from sagan.config import Change, RunConfig, difference
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, ConfigError, DataError, SaganError
from sagan.presets import run_of
from sagan.training.game import Game
from sagan.training.reporting import Note, Watch
from sagan.training.state import GENERATOR, STATE, RunState, read_state, restore
from sagan.workflows.run_folder import RunFolder, read_json

SHOWN = 5  # classes named in a difference


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
    named = (source / GENERATOR).is_file()
    checkpoint, warnings = (source, []) if named else newest(source)
    for warning in warnings:
        watch(Note(f"Warning: {warning}"))
    if checkpoint is None and (warnings or resume != "auto"):
        raise CheckpointCorrupt(
            "there is no whole checkpoint to go on from",
            where=source,
            remedy="Start a new run with another --out; the damaged files were left as they are.",
        )
    if named and checkpoint is not None and not (checkpoint / STATE).is_file():
        raise ConfigError(
            "it holds networks alone, and no optimisers to go on with",
            where=checkpoint,
            remedy=f"Start from them: --init-from {checkpoint}",
        )
    own = not named and source.resolve() == folder.path.resolve()  # then whatever is later is damaged
    if checkpoint is not None and not own and present and read_manifest(checkpoint)["step"] < present[-1]:
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


def check_pictures(
    checkpoint: Path, facts: Mapping[str, Any], *, where: str, accept: bool, watch: Watch
) -> list[Change]:
    """Compare the pictures of a checkpoint with those that were opened; the change, if there is one and it may be.

    facts: of the opened ones, as in data.json.  where: their path.
    accept: go on with others, as long as there are as many classes.
    Raises DataError with the difference, class by class.
    """
    _, files = read_folder(checkpoint, only=(STATE,))
    before = read_state(files[STATE], checkpoint / STATE).data_fingerprint
    if before == facts["fingerprint"]:
        return []
    stored = _stored_facts(checkpoint, before)
    words = "; ".join(picture_changes(stored, facts)) if stored else "no record of the former ones is left"
    fits = not stored or len(stored["classes"]) == len(facts["classes"])
    if not (accept and fits):
        allow = ", or add --accept-data-change to go on with these" if fits else ""
        raise DataError(
            f"the pictures are not those of the run: {words}",
            where=where,
            remedy=f"Put the former ones back, train on these in another folder with --out{allow}.",
        )
    watch(Note(f"Going on with other pictures, as was allowed: {words}."))
    return [Change("pictures", before, facts["fingerprint"], "structural")]


def picture_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between the pictures of two data.json, in words: classes that came and went, and how many pictures."""
    old, new = ({entry["name"]: entry for entry in facts["classes"]} for facts in (before, after))
    gone, came = [name for name in old if name not in new], [name for name in new if name not in old]
    words = [f"{word} {_listed(names)}" for word, names in (("classes gone:", gone), ("new classes:", came)) if names]
    both = [(name, old[name], new[name]) for name in old if name in new]
    counted = [(name, a, b) for name, a, b in both if "pictures" in a and "pictures" in b]  # those of streams are not
    changed = [(name, a, b) for name, a, b in counted if a["pictures"] != b["pictures"]]
    counts = [f"{name} {a['pictures']:,} -> {b['pictures']:,}" for name, a, b in changed]
    words += [f"pictures a class: {_listed(counts)}"] if counts else []
    other = [name for name, a, b in counted if a["pictures"] == b["pictures"] and a.get("digest") != b.get("digest")]
    words += [f"as many, but other pictures or names: {_listed(other)}"] if other else []
    if before["pictures"] != after["pictures"]:
        words.append(f"{before['pictures']:,} -> {after['pictures']:,} pictures in all")
    return words or ["as many, but other pictures or names"]


def _listed(words: list[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _stored_facts(checkpoint: Path, fingerprint: str) -> dict[str, Any] | None:
    """The data.json beside a checkpoint's run; None when there is none, or it is of other pictures."""
    try:
        facts: dict[str, Any] = read_json(RunFolder(run_of(checkpoint)).data)
    except SaganError:
        return None
    return facts if facts.get("fingerprint") == fingerprint else None


def go_on(game: Game, checkpoint: Path, environment: dict[str, str | int], watch: Watch) -> RunState:
    """Restore a fresh game from a checkpoint.

    Says in one line each what differs in the environment: the promise of equal bits holds for equal ones.
    Raises CheckpointIncompatible for another structure.
    """
    _, files = read_folder(checkpoint)
    _, averaged = parse_generator(files[GENERATOR], checkpoint / GENERATOR)
    state = restore(game, files, averaged, checkpoint)
    if state.critic_updates != state.step * game.config.n_dis:
        raise CheckpointIncompatible(
            f"{state.critic_updates} discriminator updates in {state.step} steps", where=checkpoint
        )
    for name, now in environment.items():
        if (before := state.environment.get(name)) != now:
            watch(Note(f"Differs from before: {name} was {before}, is {now}; results may differ by rounding."))
    return state
