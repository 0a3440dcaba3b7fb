"""A run on disk: which files there are, and what stands in them (docs/checkpoints.md shows the tree)."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.config import RunConfig, from_toml, to_toml
from sagan.data.images import ImageSet
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
    log = property(lambda self: self.path / "log.jsonl")
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


@contextmanager
def kept_if_used(path: Path) -> Iterator[None]:
    """Inside, a run may fail before it has begun: a folder made here that holds nothing but its lock goes away again."""
    was_there = path.exists()
    try:
        yield
    finally:
        if not was_there and path.is_dir() and [entry.name for entry in path.iterdir()] in ([], [".lock"]):
            with suppress(OSError):
                (path / ".lock").unlink(missing_ok=True)
                path.rmdir()


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


def data_facts(images: ImageSet, conditional: bool) -> dict[str, Any]:
    """data.json: what the run was trained on."""
    counts = Counter(images.labels.tolist())
    return {
        "name": images.name,
        "pictures": len(images),
        "resolution": images.resolution,
        "conditional": conditional,
        "classes": [{"name": portable(name), "pictures": counts[label]} for label, name in enumerate(images.classes)],
        "fingerprint": images.fingerprint,
        "skipped": [
            {"where": portable(entry.where), "reason": entry.reason_code, "text": portable(entry.text)}
            for entry in images.skipped[:1000]
        ],
        "skipped_total": len(images.skipped),
        "notes": [portable(note) for note in images.notes],
    }


def portable(text: str) -> str:
    """A name as text that JSON can hold: bytes that are not UTF-8 are percent-encoded."""
    raw = os.fsencode(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw)
