"""A path to a run or a generator, whatever the path is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sagan.checkpoint.folder import newest, read_folder, verify
from sagan.checkpoint.generator_file import GeneratorRecord, parse_generator, read_generator
from sagan.checkpoint.loading import assign
from sagan.config import RunConfig
from sagan.errors import CheckpointCorrupt, CheckpointMissing
from sagan.models.build import build_discriminator, build_generator
from sagan.models.discriminator import Discriminator
from sagan.models.generator import Generator
from sagan.runtime import Runtime, choose_runtime
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.run_folder import RunFolder


@dataclass(frozen=True)
class OpenGenerator:
    """A generator ready to draw from: in eval mode, on its device."""

    generator: Generator
    record: GeneratorRecord
    source: Path

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; empty for an unconditional generator."""
        return self.record.classes


@dataclass(frozen=True)
class OpenRun:
    """A run for reading: its record, its newest whole checkpoint, and warnings about damaged ones."""

    folder: RunFolder
    config: RunConfig
    checkpoint: Path
    warnings: list[str]


def open_run(path: str | Path) -> OpenRun:
    """Open the folder of a run. Raises CheckpointMissing when it is none, or has no whole checkpoint yet."""
    folder = RunFolder(Path(path))
    config = folder.read_record()
    if config is None:
        what = "this is not the folder of a run" if folder.path.is_dir() else "there is no such file or folder"
        raise CheckpointMissing(what, where=path, remedy="The folder of a run holds a run.toml.")
    checkpoint, warnings = newest(folder.path)
    if checkpoint is None:
        remedy = "All of its checkpoints are damaged." if warnings else "Train it a little longer."
        raise CheckpointMissing("there is no checkpoint to open", where=path, remedy=remedy)
    return OpenRun(folder, config, checkpoint, warnings)


def generator_path(path: str | Path) -> Path:
    """The generator file that a path stands for: a run's newest, a checkpoint's, or the file itself."""
    path = Path(path)
    if path.is_file():
        return path
    if (path / GENERATOR).is_file():
        verify(path) if (path / "manifest.json").exists() else None
        return path / GENERATOR
    if path.is_dir():
        return open_run(path).checkpoint / GENERATOR
    raise CheckpointMissing(
        "there is no such file or folder", where=path, remedy="Name a run, a checkpoint or a generator file."
    )


def open_generator(path: str | Path, *, device: str = "auto", runtime: Runtime | None = None) -> OpenGenerator:
    """Open a generator from a run (its newest checkpoint), a checkpoint folder or a generator file.

    device: where to put it, as in `sagan train --device`.  runtime: instead of a device, one that was chosen already.
    Raises CheckpointMissing, CheckpointCorrupt, CheckpointIncompatible; ConfigError for a device that is not there.
    """
    source = generator_path(path)
    record, tensors = read_generator(source)
    generator = build_generator(record.model, len(record.classes))
    assign(generator.state_dict(), tensors, source)
    place = (runtime or choose_runtime(device)).place
    return OpenGenerator(place(generator).eval().requires_grad_(False), record, source)


def open_both(path: str | Path, *, runtime: Runtime | None = None) -> tuple[OpenGenerator, Discriminator | None]:
    """A generator and, when the path is a run or a checkpoint folder, its discriminator too."""
    path = Path(path)
    if path.is_file():
        return open_generator(path, runtime=runtime), None
    checkpoint = path if (path / GENERATOR).is_file() else open_run(path).checkpoint
    if not (checkpoint / MODEL).exists():
        return open_generator(path, runtime=runtime), None
    _, files = read_folder(checkpoint)
    record, tensors = parse_generator(files[GENERATOR], checkpoint / GENERATOR)
    generator = build_generator(record.model, len(record.classes))
    assign(generator.state_dict(), tensors, checkpoint / GENERATOR)
    place = (runtime or choose_runtime()).place
    opened = OpenGenerator(place(generator).eval().requires_grad_(False), record, checkpoint / GENERATOR)
    return opened, place(_discriminator(files[MODEL], record, checkpoint / MODEL))


def _discriminator(payload: bytes, record: GeneratorRecord, where: Path) -> Discriminator:
    from sagan.checkpoint.tensors import unpack_bytes

    prefix = "discriminator."
    tensors = unpack_bytes(payload, where)[0]
    ours = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if not ours:
        raise CheckpointCorrupt("it holds no discriminator", where=where)
    discriminator = build_discriminator(record.model, len(record.classes))
    assign(discriminator.state_dict(), ours, where)
    return discriminator.eval().requires_grad_(False)
