"""A run on disk: which files there are, and what stands in them (docs/checkpoints.md shows the tree)."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sagan.checkpoint.retention import BEST
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.config import RunConfig, from_toml, to_toml
from sagan.data.images import ImageSet
from sagan.data.report import portable, report_lines
from sagan.data.stream.opening import StreamedSet
from sagan.disk import disk_errors, read_whole, write_atomic
from sagan.errors import CheckpointMissing, ConfigError

MAX_JSON = 16 << 20


@dataclass(frozen=True)
class RunFolder:
    """The files of a run by name."""

    path: Path

    record = property(lambda self: self.path / "run.toml")
    environment = property(lambda self: self.path / "environment.json")
    data = property(lambda self: self.path / "data.json")
    skipped = property(lambda self: self.path / "skipped.jsonl")
    log = property(lambda self: self.path / "log.jsonl")
    setback = property(lambda self: self.path / "setback.json")
    events = property(lambda self: self.path / "tensorboard")
    best = property(lambda self: self.path / BEST)
    samples = property(lambda self: self.path / "samples")
    reals = property(lambda self: self.path / "samples" / "reals.png")
    curves = property(lambda self: self.path / "curves.png")
    attention = property(lambda self: self.path / "attention.png")
    report = property(lambda self: self.path / "report.html")

    def grid(self, step: int) -> Path:
        """samples/step-00005000.png"""
        path: Path = self.samples / f"step-{step:08d}.png"
        return path

    def grids(self) -> list[Path]:
        """All grids, oldest first."""
        return sorted(self.samples.glob("step-*.png"))

    def read_record(self) -> RunConfig | None:
        """The stored record, or None in a folder that has none. Raises ConfigError."""
        return from_toml(self.record) if self.record.exists() else None

    def write_record(self, config: RunConfig) -> None:
        """Store the resolved record without its place, so that it can start another run; not again when it is there."""
        placeless = config.output.model_copy(update={"out": ""})
        text = to_toml(config.model_copy(update={"output": placeless})).encode()
        if not self.record.exists() or self.record.read_bytes() != text:
            write_atomic(self.record, text)


def write_json(path: Path, value: Any) -> None:
    """A small file of facts, whole or not at all."""
    write_atomic(path, dump_strict_json(value, path))


def read_json(path: Path) -> Any:
    """A small file of facts. Raises CheckpointMissing, CheckpointCorrupt."""
    if not path.exists():
        raise CheckpointMissing("there is no such file", where=path, remedy="Is this the folder of a run?")
    with disk_errors(path):
        return parse_strict_json(read_whole(path, max_bytes=MAX_JSON), path, max_bytes=MAX_JSON)


def write_picture(path: Path, image: Image.Image) -> None:
    """A PNG file, whole or not at all."""
    write_atomic(path, png(image))


def need_suffix(out: Path | None, suffix: str, what: str) -> None:
    """Refuse a file name that does not say what will be in it, before anything is made. Raises ConfigError."""
    if out is not None and out.suffix.lower() != suffix:
        remedy = f"Name it {out.stem or 'x'}{suffix}."
        raise ConfigError(f"{what} is written as {suffix[1:]}", where=out, remedy=remedy)


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def write_skipped(folder: RunFolder, images: ImageSet) -> None:
    """skipped.jsonl: every picture that was left out, and why; empty when there is none.

    Of a stream those that this run met so far, those before it was broken off included.
    """
    lines = report_lines(images.skipped, "skip", images.moved)
    if isinstance(images, StreamedSet) and folder.skipped.is_file():
        with disk_errors(folder.skipped):
            known = folder.skipped.read_bytes().splitlines(keepends=True)
        lines = b"".join(sorted({*known, *lines.splitlines(keepends=True)}))
    write_atomic(folder.skipped, lines)


def data_facts(images: ImageSet) -> dict[str, Any]:
    """data.json: what the run was trained on."""
    counts = Counter(images.labels.tolist())
    return {
        "name": images.name,
        "pictures": images.total,
        "resolution": images.resolution,
        "conditional": bool(images.classes),
        "classes": [
            {"name": portable(name)}
            if isinstance(images, StreamedSet)  # whose classes nobody has counted
            else {"name": portable(name), "pictures": counts[label], "digest": _digest_of_class(images, label)}
            for label, name in enumerate(images.classes)
        ],
        "fingerprint": images.fingerprint,
        "skipped": [
            {"where": portable(entry.where), "reason": entry.reason_code, "text": portable(entry.text)}
            for entry in images.skipped[:1000]
        ],
        "skipped_total": len(images.skipped),
        "notes": [portable(note) for note in images.notes],
    }


def _digest_of_class(images: ImageSet, label: int) -> str:
    """SHA-256 over the names and digests of a class's pictures, in the order of names: tells whether the class changed."""
    rows = np.flatnonzero(images.labels == label).tolist()
    total = hashlib.sha256()
    for name, row in sorted((os.fsencode(images.names[row]), row) for row in rows):
        total.update(len(name).to_bytes(8, "little") + name + images.digests[row].tobytes())
    return total.hexdigest()
