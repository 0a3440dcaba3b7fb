"""A run or a generator, whatever names it: a path, or a name on the Hub. The one place where such a name becomes files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sagan.checkpoint.folder import newest, read_folder, verify
from sagan.checkpoint.generator_file import GeneratorRecord, parse_generator, read_generator
from sagan.checkpoint.loading import assign, compare
from sagan.checkpoint.manifest import MANIFEST
from sagan.checkpoint.tensors import Tensors, unpack_bytes
from sagan.config import RunConfig
from sagan.disk import disk_errors
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, CheckpointMissing, ConfigError
from sagan.models.build import discriminator_outline, generator_outline
from sagan.models.config import ModelConfig
from sagan.models.network import Discriminator, Generator
from sagan.runtime import Runtime, choose_runtime, require_memory
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.run_folder import RunFolder
from sagan.workflows.sharing.layout import NEEDED, TO_DRAW, WITH_BOTH, is_shared, limits, read_shared
from sagan.workflows.sharing.names import is_hub_name, parse_hub_name
from sagan.workflows.sharing.transfer import fetch

Network = TypeVar("Network", Generator, Discriminator)


@dataclass(frozen=True)
class OpenGenerator:
    """A generator ready to draw from: in eval mode, on its device.

    warnings: newer checkpoints that were passed over; of one on the Hub, which commit it is.
    """

    generator: Generator
    record: GeneratorRecord
    source: Path
    warnings: tuple[str, ...] = ()

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
        if not folder.path.is_dir():
            remedy = "Name a run, a checkpoint or a generator file."
            raise CheckpointMissing("there is no such file or folder", where=path, remedy=remedy)
        remedy = "The folder of a run holds a run.toml."
        raise CheckpointMissing("this is not the folder of a run", where=path, remedy=remedy)
    checkpoint, warnings = newest(folder.path)
    if checkpoint is None:
        remedy = "All of its checkpoints are damaged." if warnings else "Train it a little longer."
        raise CheckpointMissing("there is no checkpoint to open", where=path, remedy=remedy)
    return OpenRun(folder, config, checkpoint, warnings)


def open_generator(path: str | Path, *, device: str = "auto", runtime: Runtime | None = None) -> OpenGenerator:
    """Open a generator from a run (its newest checkpoint), a checkpoint folder, a generator file or a shared folder; or
    from the Hub, as hf:user/name or hf:user/name@revision, whose files are kept in huggingface_hub's cache.

    device: where to put it, as in `sagan train --device`.  runtime: instead of a device, one that was chosen already.
    Raises CheckpointMissing, CheckpointCorrupt, CheckpointIncompatible; ResourceError when memory is too small for it;
    ConfigError for a device that is not there; of the Hub, what `sharing.transfer.fetch` raises.
    """
    source, warnings = generator_file(Path(path))
    _need_memory(source)
    return _build(*read_generator(source), source, warnings, runtime or choose_runtime(device))


def open_both(path: str | Path, *, runtime: Runtime | None = None) -> tuple[OpenGenerator, Discriminator | None]:
    """A generator and, when the path is a run or a checkpoint folder, its discriminator too."""
    local, notes = locate(path, both=True)
    source, warnings = generator_file(local)
    warnings = (*notes, *warnings)
    runtime = runtime or choose_runtime()
    if local.is_file() or not (source.parent / MODEL).exists():
        return _build(*read_generator(source), source, warnings, runtime), None
    files = network_files(source.parent)
    opened = _build(*parse_generator(files[GENERATOR], source), source, warnings, runtime)
    return opened, runtime.place(_discriminator(files[MODEL], opened.record, source.parent / MODEL))


def open_checkpoint(folder: Path, *, runtime: Runtime) -> OpenGenerator:
    """The generator of one checkpoint folder of a run; of the folder's files no other is read, and of this every byte is
    verified. Raises as `open_generator` does."""
    source = Path(folder) / GENERATOR
    _, files = read_folder(folder, {GENERATOR})
    if GENERATOR not in files:
        raise CheckpointCorrupt("it holds no generator", where=folder)
    return _build(*parse_generator(files[GENERATOR], source), source, (), runtime)


def open_discriminator(opened: OpenGenerator, *, runtime: Runtime) -> Discriminator | None:
    """The discriminator that was saved beside a generator; None where there is none. Raises as `open_generator` does."""
    folder = opened.source.parent
    if opened.source.name != GENERATOR or not (folder / MODEL).is_file():
        return None
    if not (folder / MANIFEST).is_file() and not is_shared(folder):
        return None
    files = network_files(folder, (MODEL,))
    return runtime.place(_discriminator(files[MODEL], opened.record, folder / MODEL))


def class_number(word: str, classes: Sequence[str]) -> int:
    """'cat' or '3' -> 3. A name wins over a number. Raises ConfigError naming the classes."""
    if word in classes:
        return list(classes).index(word)
    if word.isdecimal() and int(word) < len(classes):
        return int(word)
    shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
    raise ConfigError(
        f"there is no class {word}", remedy=f"There are: {shown}; or numbers from 0 to {len(classes) - 1}."
    )


def locate(source: str | Path, *, both: bool = False) -> tuple[Path, tuple[str, ...]]:
    """The path of a source, and what a person should know about it. A name on the Hub is fetched first, into the cache.

    both: fetch the discriminator too, where there is one. Raises as `sharing.transfer.fetch` does.
    """
    if not is_hub_name(source):
        return Path(source), ()
    fetched = fetch(parse_hub_name(source), limits(WITH_BOTH if both else TO_DRAW), NEEDED)
    return fetched.folder, fetched.notes


def generator_file(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The generator file that a source stands for, and warnings: damaged ones that were passed over, a Hub's commit."""
    path, notes = locate(path)
    with disk_errors(path):
        is_file, is_checkpoint = path.is_file(), (path / GENERATOR).is_file()
    if is_file:
        return path, notes
    if is_checkpoint:
        if (path / MANIFEST).exists():
            verify(path)
        return path / GENERATOR, notes
    run = open_run(path)
    return run.checkpoint / GENERATOR, (*notes, *run.warnings)


def network_files(folder: Path, names: tuple[str, ...] = (GENERATOR, MODEL)) -> dict[str, bytes]:
    """The bytes of a checkpoint's network files, verified against its manifest.

    Those of a shared folder, which has none and may have been edited, are proved by the hash in each as they are parsed.
    """
    return read_shared(folder, names) if is_shared(folder) else read_folder(folder, names)[1]


def _build(
    record: GeneratorRecord, tensors: Tensors, source: Path, warnings: tuple[str, ...], runtime: Runtime
) -> OpenGenerator:
    generator = _filled(generator_outline, record, tensors, source)
    return OpenGenerator(runtime.place(generator).eval().requires_grad_(False), record, source, warnings)


def _discriminator(payload: bytes, record: GeneratorRecord, where: Path) -> Discriminator:
    prefix = "discriminator."
    tensors = unpack_bytes(payload, where)[0]
    ours = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if not ours:
        raise CheckpointCorrupt("it holds no discriminator", where=where)
    return _filled(discriminator_outline, record, ours, where).eval().requires_grad_(False)


def _filled(
    outline: Callable[[ModelConfig, int], Network], record: GeneratorRecord, tensors: Tensors, where: Path
) -> Network:
    """The network that the record asks for, with the numbers of a file.

    The record is a stranger's: memory is given only once an outline of what it asks for has every name, shape and type
    that is in the file, so to no more than was read already.
    """
    try:
        network = outline(record.model, len(record.classes))
    except ConfigError as error:
        raise CheckpointIncompatible(error.what, where=where, remedy="This version cannot build it.") from None
    compare(network.state_dict(), tensors, where)
    network.to_empty(device="cpu")
    assign(network.state_dict(), tensors, where)
    return network


def _need_memory(file: Path) -> None:
    """A file is read whole, and a network of its size built beside it. Raises ResourceError."""
    with disk_errors(file):
        require_memory(2 * file.stat().st_size, f"opening {file.name}")
