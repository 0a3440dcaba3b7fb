"""The files of a shared folder, which is the same on a disk and on the Hub.

No file of it is trusted for lying there: the two with numbers prove themselves by the hash in their header, and nothing
else is opened but the options, which are checked as any TOML file is.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import tomli_w

from sagan.checkpoint.generator_file import MAX_FILE_BYTES as MOST_OF_A_GENERATOR
from sagan.checkpoint.manifest import MANIFEST
from sagan.checkpoint.tensors import MAX_FILE_BYTES as MOST_OF_BOTH
from sagan.config import RunConfig, from_toml, read_toml, to_toml
from sagan.data.images import EMBLEMS
from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import CheckpointCorrupt
from sagan.training.state import GENERATOR, MODEL

CONFIG, TRAINING, CARD = "config.json", "training.toml", "README.md"
SAMPLES, ATTENTION = "samples.png", "attention.png"

# File -> how large it may be. config.json is the first to be fetched: it is small and in every shared folder.
LIMITS = {
    CONFIG: 16 << 20,
    TRAINING: 64 << 10,
    CARD: 1 << 20,
    SAMPLES: 64 << 20,
    ATTENTION: 64 << 20,
    GENERATOR: MOST_OF_A_GENERATOR,
    MODEL: MOST_OF_BOTH,
}
NEEDED = (CONFIG, GENERATOR)
TO_DRAW = (CONFIG, TRAINING, GENERATOR)  # all that most verbs need
WITH_BOTH = (*TO_DRAW, MODEL)  # the discriminator too: real pictures' attention, and training on from it


def limits(files: tuple[str, ...] = tuple(LIMITS)) -> dict[str, int]:
    """The limits of these files, in their order."""
    return {name: LIMITS[name] for name in files}


def is_shared(folder: Path) -> bool:
    """Whether a folder is a shared one; a checkpoint of a run has a manifest, and no config.json."""
    with disk_errors(folder):
        return all((folder / name).is_file() for name in NEEDED) and not (folder / MANIFEST).exists()


def read_shared(folder: Path, names: tuple[str, ...] = tuple(LIMITS)) -> dict[str, bytes]:
    """The bytes of those files of a shared folder that it has. Raises CheckpointCorrupt, ResourceError."""
    found = {}
    for name in names:
        with disk_errors(folder / name):
            try:
                found[name] = read_whole(folder / name, max_bytes=LIMITS[name])
            except FileNotFoundError:
                continue
            except UnfitFile as error:
                raise CheckpointCorrupt(str(error), where=folder / name) from None
    return found


def options_text(config: RunConfig) -> bytes:
    """training.toml: the options of a run, for `sagan train --config`, without the paths of one machine.

    Only the built-in set keeps its name: where other pictures lay means nothing to others, and may tell them too much.
    """
    tables = tomllib.loads(to_toml(config))
    if config.data.data != EMBLEMS:
        del tables["data"]["data"]
    del tables["training"]["init_from"], tables["output"]
    return tomli_w.dumps(tables).encode()


def shared_record(folder: Path) -> RunConfig | None:
    """The options that a shared generator was trained with, where they are known; `data.data` is '' for another set.

    A stranger's path is not followed here, whatever somebody wrote into the file.
    """
    if not (folder / TRAINING).is_file():
        return None
    config = from_toml(folder / TRAINING)
    is_built_in = read_toml(folder / TRAINING).get("data") == EMBLEMS
    data = config.data.model_copy(update={"data": EMBLEMS if is_built_in else ""})
    return config.model_copy(update={"data": data})
