"""G4: damage of every sort in the files of a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from proofs.corpus import NEWER, OLDER, changed, write_run
from proofs.outcome import Outcome
from sagan.checkpoint.folder import newest, read_folder, step_folder
from sagan.checkpoint.generator_file import read_generator
from sagan.checkpoint.manifest import MANIFEST
from sagan.errors import CheckpointCorrupt, CheckpointError, SaganError
from sagan.training.state import GENERATOR
from sagan.workflows.verify import verify

CLAIM = (
    "A flipped bit, or a file that is cut, zeroed, swapped, older, missing or too many, is refused by name; the run"
    " falls back to the checkpoint before, and `sagan verify` says the same"
)
QUICK = 500
FULL = 20_000

PREFIX = 8  # bytes of a safetensors file that say how long its header is

Files = Mapping[str, bytes]


class Damage(NamedTuple):
    """kind: for the count.  files: the new bytes by name, None for a file that is gone.  torn: see `attempt`."""

    kind: str
    files: Mapping[str, bytes | None]
    torn: bool = False


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Half of the trials flip one bit each; the others do the other damage in turn."""
    chance, run = random.Random(seed), write_run(workspace / "run")
    newer, older = ({path.name: path.read_bytes() for path in step_folder(run, s).iterdir()} for s in (NEWER, OLDER))
    outcome = Outcome()
    flips, others = flipped_bits(newer, count, chance), other_damage(newer, older, chance)
    for number in range(count):
        damage = next(flips if number < count // 2 else others)
        outcome.note(attempt(run, damage))
        outcome.count(damage.kind)
    return outcome


def attempt(run: Path, damage: Damage) -> str | None:
    """Damage the newer checkpoint and ask all three ways in; a torn generator file must also be refused alone."""
    folder = step_folder(run, NEWER)
    with changed(folder, damage.files):
        found = _ask(run, folder, damage)
    return None if found is None else f"{damage.kind} of {', '.join(damage.files)}: {found}"


def _ask(run: Path, folder: Path, damage: Damage) -> str | None:
    try:
        read_folder(folder)
    except CheckpointCorrupt as error:
        told = str(error)
    except SaganError as error:
        return f"refused as {type(error).__name__}"
    else:
        return "read as if it were whole"
    if not any(name in told for name in damage.files):
        return f"refused without naming the file: {told}"
    chosen, warnings = newest(run)
    if chosen != step_folder(run, OLDER) or warnings != [f"passed over: {told}"]:
        return f"fell back to {chosen} with the warnings {warnings}"
    if (rows := verify(run)) != [rows[0], (folder.name, False, told)] or not rows[0][1]:
        return f"verify says {rows}"
    if damage.torn and GENERATOR in damage.files:
        try:
            read_generator(folder / GENERATOR)
        except CheckpointError as error:
            return None if GENERATOR in str(error) else f"refused alone without naming the file: {error}"
        return "the generator file opened alone"
    return None


def flipped_bits(files: Files, count: int, chance: random.Random) -> Iterator[Damage]:
    """Single bits: with a full count every byte of the manifest and every length prefix first, then any bits anywhere."""
    if count >= FULL:
        for place in range(len(files[MANIFEST])):
            yield _flip(files, MANIFEST, 8 * place + chance.randrange(8))
        for name in files:
            yield from (_flip(files, name, bit) for bit in range(8 * PREFIX) if name.endswith(".safetensors"))
    names = sorted(files)
    while True:
        name = chance.choice(names)
        yield _flip(files, name, chance.randrange(8 * len(files[name])))


def _flip(files: Files, name: str, bit: int) -> Damage:
    damaged = bytearray(files[name])
    damaged[bit // 8] ^= 1 << bit % 8
    return Damage("bit flips", {name: bytes(damaged)}, torn=True)


def other_damage(newer: Files, older: Files, chance: random.Random) -> Iterator[Damage]:
    """Everything else that a disk, a copy or a hand can do to a file, each in turn, at places of chance."""
    names = sorted(newer)
    while True:
        name, other = chance.sample(names, 2)
        payload = newer[name]
        length = chance.randrange(len(payload))
        yield Damage("truncations", {name: payload[:length]}, torn=True)
        if (zeroed := payload[:length] + bytes(len(payload) - length)) != payload:
            yield Damage("zeroed tails", {name: zeroed}, torn=True)
        yield Damage("swapped files", {name: newer[other], other: newer[name]})
        yield Damage("older files", {name: older[name]})
        yield Damage("missing files", {name: None})
        strange = chance.choice(
            ("extra.safetensors", ".hidden", "state.json.bak", "Manifest.json", "\u00e9", "x" * 200)
        )
        yield Damage("additional files", {strange: payload[:64]})
        yield Damage("longer files", {name: payload + chance.randbytes(1 + chance.randrange(64))}, torn=True)
