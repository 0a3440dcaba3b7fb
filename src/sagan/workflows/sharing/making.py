"""A run, a checkpoint or a generator as the files of a shared folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sagan.checkpoint.generator_file import pack_generator, parse_generator
from sagan.checkpoint.manifest import MANIFEST
from sagan.checkpoint.strict_json import dump_strict_json
from sagan.checkpoint.tensors import unpack_bytes
from sagan.errors import ConfigError, SaganError
from sagan.models.config import CONTROL_VARIANTS
from sagan.presets.assemble import run_of
from sagan.runtime import choose_runtime
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.attend import figure, of_generated
from sagan.workflows.card import Sharing, card_of_file
from sagan.workflows.grids import picture_grid
from sagan.workflows.import_foreign import FACTS
from sagan.workflows.openers import OpenGenerator, network_files, open_generator
from sagan.workflows.reporting import card_of_run
from sagan.workflows.run_folder import RunFolder, png, read_json
from sagan.workflows.sharing.layout import (
    ATTENTION,
    CARD,
    CONFIG,
    LIMITS,
    SAMPLES,
    TRAINING,
    is_shared,
    options_text,
    read_shared,
)
from sagan.workflows.sharing.names import is_hub_name, parse_hub_name

SEED, POINTS = 0, 5  # of the attention figure, as in a run's report
_LICENCE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")


def shared_files(
    source: str | Path,
    *,
    name: str = GENERATOR,
    licence: str | None = None,
    discriminator: bool = True,
    device: str = "auto",
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """(file -> bytes, warnings): the averaged generator, its record, options, pictures and card, and what it trained against.

    source: whatever `open_generator` opens. A folder that is shared already gives its files as they are, card and all.
    name: what the card tells its reader to open.  licence: as the Hub calls it, such as cc-by-4.0; None leaves it open.
    discriminator: put both live networks in too, where they are at hand, to train on from.
    Raises as `open_generator` does; ConfigError for a licence that is none, or for a card that is written already.
    """
    if licence is not None and not _LICENCE.fullmatch(licence):
        remedy = "Write the Hub's name of it, such as cc-by-4.0, apache-2.0, mit or other."
        raise ConfigError(f"licence is {licence[:80]!r}", remedy=remedy)
    runtime = choose_runtime(device)
    opened = open_generator(source, runtime=runtime)
    folder = opened.source.parent
    if opened.source.name == GENERATOR and is_shared(folder):
        return _with_its_card(folder, licence, discriminator), opened.warnings
    files = {
        CONFIG: dump_strict_json({**opened.record.model_dump(mode="json"), "library_name": "sagan"}, CONFIG),
        GENERATOR: pack_generator(opened.generator.state_dict(), opened.record),
    }
    has_both = opened.source.name == GENERATOR and (folder / MODEL).is_file() and (folder / MANIFEST).is_file()
    if discriminator and has_both:
        files[MODEL] = network_files(folder, (MODEL,))[MODEL]
    run = RunFolder(run_of(folder.resolve()))
    config = run.read_record() if run.path != folder.resolve() else None
    if config is not None:
        files[TRAINING] = options_text(config)
    files |= _pictures(opened)
    words = {SAMPLES: "Drawn from fixed seeds, none chosen.", ATTENTION: f"Where it looked while it drew seed {SEED}."}
    shown = tuple((file, text) for file, text in words.items() if file in files)
    sharing = Sharing(name, licence or "", shown, TRAINING)
    if config is not None:
        card = card_of_run(run, config, opened.record.step, sharing)
    else:
        card = card_of_file(_title(name, source), opened.record, _origin(folder), sharing)
    files[CARD] = card.encode("utf-8")
    return {file: files[file] for file in LIMITS if file in files}, opened.warnings


def as_they_are(folder: Path) -> dict[str, bytes]:
    """The files of a shared folder, once those with numbers have proved themselves. Raises as `open_generator` does."""
    files = read_shared(folder)
    parse_generator(files[GENERATOR], folder / GENERATOR)
    if MODEL in files:
        unpack_bytes(files[MODEL], folder / MODEL)
    return files


def _with_its_card(folder: Path, licence: str | None, discriminator: bool) -> dict[str, bytes]:
    files = as_they_are(folder)
    if CARD not in files:
        raise ConfigError(f"this folder has no {CARD}", where=folder, remedy="Make the folder anew from its run.")
    if licence is not None:
        remedy = f"Write the licence into its {CARD}, or name the run instead of the folder."
        raise ConfigError("this folder has its card already", where=folder, remedy=remedy)
    return {file: payload for file, payload in files.items() if discriminator or file != MODEL}


def _pictures(opened: OpenGenerator) -> dict[str, bytes]:
    """The grid, and the attention figure of a generator that has attention."""
    files = {SAMPLES: png(picture_grid(opened.generator, opened.classes))}
    model = opened.record.model
    if model.g_attn and model.attention not in CONTROL_VARIANTS:
        picture, found = of_generated(opened, SEED, None, None, POINTS, None)
        files[ATTENTION] = png(figure(picture, found, f"seed {SEED}"))
    return files


def _title(name: str, source: str | Path) -> str:
    path = Path(source)
    return parse_hub_name(name).short if is_hub_name(name) else path.resolve().name if path.is_dir() else path.stem


def _origin(folder: Path) -> list[str]:
    """Where an imported generator came from, line by line, if its facts lie beside it and can be read."""
    if not (folder / FACTS).is_file():
        return []
    try:
        facts: dict[str, Any] = read_json(folder / FACTS)
        files = [f"{file['name']}, SHA-256 {file['sha256']}" for file in facts["files"]]
        return [f"Imported from a checkpoint of {facts['peer']}", *files, *facts["notes"]]
    except (SaganError, KeyError, TypeError):
        return []
