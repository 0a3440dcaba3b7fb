"""G18: the frozen files of every released format (tests/contracts/formats)."""

from __future__ import annotations

import hashlib
import json
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from proofs.corpus import CPU, changed, resealed
from proofs.outcome import Outcome
from sagan.checkpoint import generator_file, manifest
from sagan.checkpoint.folder import newest, read_folder, read_manifest, step_folder, steps
from sagan.checkpoint.generator_file import parse_generator
from sagan.checkpoint.manifest import MANIFEST, digest
from sagan.checkpoint.strict_json import dump_strict_json
from sagan.checkpoint.tensors import pack, unpack, unpack_bytes
from sagan.config import flatten, from_toml, override
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible
from sagan.runtime import processor_name
from sagan.sampling import draw
from sagan.training.game import new_game
from sagan.training.state import GENERATOR, MODEL, OPTIMISER, STATE, game_tensors, restore
from sagan.workflows.openers import open_both, open_generator
from sagan.workflows.train import train
from sagan.workflows.verify import verify

CLAIM = (
    "Files of every released format open, draw the recorded pictures, train on and are saved anew, untouched themselves;"
    " a future format and unknown keys are refused"
)
FORMATS = Path(__file__).parents[2] / "contracts" / "formats"
FURTHER = 5


@dataclass
class Frozen:
    """One version's files, copied, so that a fault cannot reach the frozen ones. made: make.py's names."""

    folder: Path
    made: dict[str, Any]

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def checkpoint(self) -> Path:
        return step_folder(self.run, self.made["STEPS"])

    @property
    def generator(self) -> Path:
        return self.folder / GENERATOR


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Every check on every version, whatever the count and seed: both are those of the frozen files."""
    outcome, made = Outcome(), runpy.run_path(str(FORMATS / "make.py"))
    for version in versions():
        for check in CHECKS:
            copied = workspace / version / check.__name__
            frozen = Frozen(Path(shutil.copytree(FORMATS / version, copied)), made)
            try:
                found = check(frozen)
            except Exception as error:  # a format that no longer opens is what this looks for, whatever it raises
                found = f"{type(error).__name__}: {error}"
            outcome.note(None if found is None else f"{version} {check.__name__}: {found}")
    outcome.facts = {"versions": len(versions()), "checks": len(CHECKS)}
    return outcome


def versions() -> list[str]:
    """The released formats, oldest first."""
    return sorted((path.name for path in FORMATS.glob("v*")), key=lambda name: int(name[1:]))


def opens_and_draws(frozen: Frozen) -> str | None:
    """The recorded pictures: to the bit on the recorded build of torch and processor, else within a level of 255."""
    facts = json.loads((frozen.folder / "facts.json").read_text(encoding="utf-8"))
    recorded = np.asarray(Image.open(frozen.folder / "pictures.png"))
    here = {"torch": torch.__version__, "processor": processor_name()}
    for path in (frozen.generator, frozen.checkpoint, frozen.run):
        opened = open_generator(path, runtime=CPU)
        pictures = draw(opened.generator, facts["seeds"], frozen.made["labels_of"](len(opened.classes)))
        apart = np.abs(np.concatenate(pictures).astype(int) - recorded).max()
        if opened.warnings or apart > 1:
            return f"{path.name} draws pictures that are {apart} levels apart {opened.warnings}"
        same = hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest() == facts["pictures_sha256"]
        if here == {name: facts[name] for name in here} and not same:
            return f"{path.name} draws other pictures than recorded"
    return None if open_both(frozen.run, runtime=CPU)[1] is not None else "its discriminator does not open"


def verifies(frozen: Frozen) -> str | None:
    """Whole, by the manifest and by the generator file's own hash."""
    rows = [*verify(frozen.run), *verify(frozen.generator)]
    return None if all(whole for _, whole, _ in rows) else f"verify says {rows}"


def trains_on(frozen: Frozen) -> str | None:
    """Five steps more from the checkpoint, on the same pictures; the new checkpoint is whole and has the new format."""
    pictures = frozen.made["write_pictures"](frozen.folder / frozen.made["PICTURES"])
    before = {path: path.read_bytes() for path in frozen.checkpoint.iterdir()}
    config, last = from_toml(frozen.run / "run.toml"), frozen.made["STEPS"] + FURTHER
    train(override(config, data=str(pictures), out=str(frozen.run), steps=last))
    if before != {path: path.read_bytes() for path in frozen.checkpoint.iterdir()}:
        return "its own files were touched"
    if steps(frozen.run) != [frozen.made["STEPS"], last] or newest(frozen.run) != (step_folder(frozen.run, last), []):
        return f"checkpoints {steps(frozen.run)}, newest {newest(frozen.run)}"
    if read_manifest(step_folder(frozen.run, last))["schema"] != manifest.SCHEMA:
        return "the new checkpoint has an old format"
    opened = open_generator(frozen.run, runtime=CPU)
    if (opened.record.step, opened.record.schema_version) != (last, generator_file.SCHEMA):
        return f"the new generator is {opened.record}"
    return None


def restores_exactly(frozen: Frozen) -> str | None:
    """Put into a fresh game, its state is that of its files to the bit: nothing is dropped on the way."""
    config = from_toml(frozen.run / "run.toml")
    _, files = read_folder(frozen.checkpoint)
    facts, averaged = parse_generator(files[GENERATOR], GENERATOR)
    game = new_game(config.model, config.training, len(facts.classes), CPU)
    state = restore(game, files, averaged, frozen.checkpoint)
    if (state.step, game.step) != (frozen.made["STEPS"],) * 2:
        return f"it is at step {state.step}"
    stored = unpack_bytes(files[MODEL], MODEL)[0] | unpack_bytes(files[OPTIMISER], OPTIMISER)[0]
    stored |= {f"averaged.{name}": tensor for name, tensor in averaged.items()}
    ours = game_tensors(game)
    strays = [name for name in {*stored, *ours} if name not in ours or not torch.equal(stored[name], ours[name])]
    return f"differs in {strays[:3]}" if strays else None


def keeps_its_options(frozen: Frozen) -> str | None:
    """Its record still means the same: every option that stands in it has the value that stands there."""
    config = from_toml(frozen.run / "run.toml")
    expected = {**frozen.made["OPTIONS"], "steps": frozen.made["STEPS"], "data": frozen.made["PICTURES"]}
    strays = {name: value for name, value in flatten(config).items() if expected.get(name, value) != value}
    return f"options changed: {strays}" if strays else None


def future_is_refused(frozen: Frozen) -> str | None:
    """With code 4, naming the version to install; a run does not fall back past it."""
    facts = read_manifest(frozen.checkpoint) | {"schema": manifest.SCHEMA + 1, "library": "99.1", "news": 1}
    with changed(frozen.checkpoint, {MANIFEST: resealed(facts)}):
        for way in (
            lambda: newest(frozen.run),
            lambda: open_generator(frozen.run),
            lambda: read_folder(frozen.checkpoint),
        ):
            if found := _refusal(way, CheckpointIncompatible, "Install sagan 99.1"):
                return found
    tensors, record = unpack(frozen.generator)
    assert record is not None
    newer = record | {"schema_version": generator_file.SCHEMA + 1, "library": "99.1", "news": 1}
    with changed(frozen.folder, {GENERATOR: pack(tensors, newer)}):
        return _refusal(lambda: open_generator(frozen.generator), CheckpointIncompatible, "Install sagan 99.1")


def unknown_keys_are_refused(frozen: Frozen) -> str | None:
    """What this version does not know it cannot keep, so it does not pretend."""
    stored = json.loads((frozen.checkpoint / MANIFEST).read_text(encoding="utf-8"))
    with changed(frozen.checkpoint, {MANIFEST: resealed(stored | {"needed": 1})}):
        if found := _refusal(lambda: read_folder(frozen.checkpoint), CheckpointCorrupt, MANIFEST):
            return found
    state = json.loads((frozen.checkpoint / STATE).read_text(encoding="utf-8"))
    payload = dump_strict_json(state | {"needed": 1}, STATE)
    stored["files"][STATE] = {"bytes": len(payload), "sha256": digest(payload)}
    with changed(frozen.checkpoint, {STATE: payload, MANIFEST: resealed(stored)}):
        if found := _refusal(lambda: restores_exactly(frozen), CheckpointCorrupt, STATE):
            return found
    tensors, record = unpack(frozen.generator)
    with changed(frozen.folder, {GENERATOR: pack(tensors, {**(record or {}), "needed": 1})}):
        return _refusal(lambda: open_generator(frozen.generator), CheckpointCorrupt, "needed")


def _refusal(way: Callable[[], object], kind: type[Exception], words: str) -> str | None:
    """None when it is refused as it should be."""
    try:
        way()
    except kind as error:
        code = getattr(error, "exit_code", None)
        return None if words in str(error) and code == 4 else f"refused in other words (code {code}): {error}"
    return "was not refused"


CHECKS = (
    opens_and_draws, verifies, trains_on, restores_exactly, keeps_its_options, future_is_refused, unknown_keys_are_refused
)  # fmt: skip
QUICK = FULL = len(CHECKS) * len(versions())
