"""Latents from files: directions to move along, and latents that somebody found or kept."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.latents.files import Latents, fingerprint_of, load_directions, load_latents
from sagan.models.network import Generator
from sagan.workflows.openers import OpenGenerator


def read_direction(words: str, generator: Generator) -> tuple[NDArray[np.float32], list[str]]:
    """'FILE:INDEX:STRENGTH', or several with commas between -> what to add to a latent (z_dim,), and what should be known.

    Raises ConfigError, CheckpointError's children.
    """
    total, notes = np.zeros(generator.z_dim, dtype=np.float32), list[str]()
    for word in words.split(","):
        parts = word.strip().rsplit(":", 2)
        try:
            path, index, strength = Path(parts[0]), int(parts[1]), float(parts[2])
            if not math.isfinite(strength):
                raise ValueError
        except (IndexError, ValueError):
            remedy = "Write FILE:INDEX:STRENGTH, such as directions.safetensors:0:2.5."
            raise ConfigError(f"direction is {word.strip()!r}", remedy=remedy) from None
        found, record = load_directions(path)
        if record.z_dim != generator.z_dim:
            raise ConfigError(
                f"its directions have {record.z_dim} numbers, this generator's latents {generator.z_dim}", where=path
            )
        if not 0 <= index < len(found.vectors):
            raise ConfigError(
                f"there is no direction {index}", where=path, remedy=f"It has 0 to {len(found.vectors) - 1}."
            )
        if record.generator != fingerprint_of(generator):
            notes.append(f"{path.name} was made from another generator: its directions may mean nothing in this one.")
        total += np.float32(strength) * found.vectors[index]
    return total, notes


def read_latents(path: Path, opened: OpenGenerator) -> tuple[Latents, list[str]]:
    """The latents of a file that fits a generator, with labels in that one's order, and what should be known.

    Raises ConfigError, CheckpointError's children.
    """
    found = load_latents(path)
    generator = opened.generator
    if found.record.z_dim != generator.z_dim:
        raise ConfigError(
            f"its latents have {found.record.z_dim} numbers, this generator's {generator.z_dim}", where=path
        )
    labels = found.labels
    if labels is not None:
        names = [found.record.classes[label] for label in labels.tolist()]
        if lacking := [name for name in names if name not in opened.classes]:
            raise ConfigError(f"it has the class {lacking[0]}, which this generator has not", where=path)
        labels = np.asarray([opened.classes.index(name) for name in names], dtype=np.int64)
    notes = []
    if found.record.generator != fingerprint_of(generator):
        notes.append(f"{path.name} was made from another generator: its latents are other pictures in this one.")
    return Latents(found.latents, labels, found.record), notes
