"""Checkpoints of other projects made ours: the verb `sagan import`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagan.checkpoint.folder import publish_files
from sagan.checkpoint.generator_file import GeneratorRecord, pack_generator
from sagan.checkpoint.strict_json import dump_strict_json
from sagan.checkpoint.tensors import pack
from sagan.data.report import portable
from sagan.disk import disk_errors, ensure_folder, write_atomic
from sagan.errors import ConfigError
from sagan.interop.inception import checked, is_published
from sagan.interop.recognise import Imported, files_of, networks_of
from sagan.interop.sandbox import Foreign, read_foreign
from sagan.metrics.inception import expected_state
from sagan.runtime import memory_errors, require_memory
from sagan.training.state import GENERATOR, MODEL
from sagan.workflows.run_folder import need_suffix

FACTS = "import.json"
MEMORY = "Close other programs, or import on a machine with more memory."
COPIES = 4  # of a file's numbers: as they came, as tensors, by our names, as the file to write


@dataclass(frozen=True)
class ImportResult:
    """out: what was written.  rows: what it is, for a person.  notes: what did not come over as it was."""

    out: Path
    rows: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)


@memory_errors(MEMORY)
def import_foreign(path: Path, out: Path | None = None, options: Mapping[str, Any] | None = None) -> ImportResult:
    """Read a foreign file or a folder of them, and write a checkpoint that everything else opens.

    out: its folder; `imported/NAME` without.  options: of our record, for what no tensor tells, such as d_pool.
    Raises what `interop.recognise.import_networks` raises; ConfigError when `out` holds something; ResourceError when there
    is not the memory for it.
    """
    path = Path(path)
    name = path.name if path.is_dir() else path.stem
    out = Path("imported") / portable(name) if out is None else Path(out)
    with disk_errors(out):
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise ConfigError("there is something already", where=out, remedy="Choose another folder with -o.")
    files = files_of(path)
    _need_memory(files)
    networks = networks_of([read_foreign(file) for file in files], path, options)
    ensure_folder(out.parent)
    publish_files(out, networks.step, _files(networks))
    return ImportResult(out, _rows(networks), networks.notes)


@memory_errors(MEMORY)
def import_inception(path: Path, out: Path) -> ImportResult:
    """Read the published weights of the FID network, and write them as safetensors.

    Raises what `interop.sandbox.read_foreign` raises; CheckpointIncompatible for another network; ResourceError.
    """
    need_suffix(out, ".safetensors", "the network")
    _need_memory([path])
    file = read_foreign(path)
    tensors = checked(file, expected_state())
    record = {"kind": "inception", "source": file.path.name, "source_sha256": file.sha256}
    write_atomic(out, pack(tensors, record))
    known = "begins as the published file's does" if is_published(file) else "is not the published file's"
    rows = [("tensors", f"{len(tensors)}, names and shapes as published"), ("SHA-256 of the file", file.sha256)]
    return ImportResult(
        out, rows, [f"Its hash {known}; whether the numbers are those of 2015 cannot be verified here."]
    )


def _need_memory(files: Sequence[Path]) -> None:
    """Of a stranger's files, which need not be as full as they are long: refused before a byte is read. ResourceError."""
    with suppress(OSError):  # what is not there, or no file, the reader tells
        require_memory(COPIES * sum(file.stat().st_size for file in files), f"opening {files[0].name}")


def _files(networks: Imported) -> dict[str, bytes]:
    """The files of a checkpoint that nothing can be resumed from: it has no optimisers and no counters of pictures."""
    classes = tuple(str(number) for number in range(networks.classes))
    record = GeneratorRecord(
        model=networks.model,
        classes=classes,
        step=networks.step,
        data_name=f"imported from {networks.peer}",
        data_fingerprint=networks.files[-1].sha256 if len(networks.files) == 1 else "",
    )
    files = {GENERATOR: pack_generator(networks.generator.tensors, record)}
    if networks.discriminator is not None:
        both = {f"generator.{name}": tensor for name, tensor in networks.live.tensors.items()}
        both |= {f"discriminator.{name}": tensor for name, tensor in networks.discriminator.tensors.items()}
        files[MODEL] = pack(both)
    names = {"generator": networks.generator.names}
    names |= {} if networks.discriminator is None else {"discriminator": networks.discriminator.names}
    facts = {
        "peer": networks.peer,
        "files": [{"name": portable(file.path.name), "sha256": file.sha256} for file in networks.files],
        "names": names,
        "notes": networks.notes,
    }
    return files | {FACTS: dump_strict_json(facts, FACTS)}


def _rows(networks: Imported) -> list[tuple[str, str]]:
    model = networks.model
    attention = (
        f"G {model.g_attn or 'none'}, D {model.d_attn or 'none'}" if networks.discriminator else f"G {model.g_attn}"
    )
    return [
        ("from", f"{networks.peer}, {', '.join(file.path.name for file in networks.files)}"),
        ("networks", "generator and discriminator" if networks.discriminator else "generator alone"),
        ("pictures", f"{model.resolution}x{model.resolution}, {networks.classes or 'no'} classes"),
        ("attention", attention),
        ("step", f"{networks.step:,}"),
        ("read under", _protections(networks.files)),
    ]


def _protections(files: list[Foreign]) -> str:
    held = sorted({word for file in files for word in file.holds})
    return ", ".join(held) if held else "our own reader: safetensors hold no code"
