"""A generator for where sagan is not: the verb `sagan export`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sagan.checkpoint.generator_file import MAX_FILE_BYTES
from sagan.checkpoint.tensors import read_payload
from sagan.disk import write_atomic
from sagan.engines.export import attention_names
from sagan.engines.fold import fold
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, ConfigError
from sagan.runtime import choose_runtime, memory_errors
from sagan.workflows.exporting.comparing import differences, outside
from sagan.workflows.exporting.forms import WAYS, way_of
from sagan.workflows.exporting.record import TOLERANCE, ExportRecord, Form, LatentRecord
from sagan.workflows.openers import OpenGenerator, open_generator
from sagan.workflows.run_folder import need_suffix

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class ExportResult:
    """paths: what was written, the file to open last.  rows: how near it came.  warnings: checkpoints passed over."""

    paths: list[Path]
    rows: Rows
    record: ExportRecord
    warnings: tuple[str, ...] = ()


@memory_errors("Close other programs, or export a narrower generator.")
def export(source: str | Path, to: Form = "onnx", out: Path | None = None, *, attention: bool = False) -> ExportResult:
    """Write a generator in another form, after it drew the live generator's pictures in that form.

    source: a run, a checkpoint or a generator file.  out: the file; generator.onnx and the like without.
    attention: give the attention maps too (ONNX, OpenVINO; the others always have them).
    Raises ConfigError for a missing package, for maps that cannot be had, and when the pictures differ by more than
    TOLERANCE: then no file was written; CheckpointError's children, ResourceError.
    """
    way = WAYS[to]
    need_suffix(out, way.suffix, f"an export to {to}")
    out = out or Path(f"generator{way.suffix}")
    way.require()
    runtime = choose_runtime("cpu")
    opened = open_generator(source, runtime=runtime)
    folded = fold(opened.generator)
    names = attention_names(folded)
    if attention and not names:
        raise ConfigError("this generator has no attention maps to give", remedy="Leave out --attention.")
    record = _record(opened, to, tuple(names) if attention or way.maps else ())
    files, content = way.files(folded, record, out)
    _, draw = way.open_files(files, out, runtime.threads)
    apart = differences(opened.generator, draw, record.attention)
    if fault := outside(apart, TOLERANCE):
        raise ConfigError(f"the export draws something else: {fault}", where=out, remedy="Nothing was written.")
    record = record.model_copy(update={"apart": apart})
    files, _ = way.files(folded, record, out, content)
    way.open_files(files, out, runtime.threads)  # as it will lie on the disk, it proves itself
    paths = [out.with_suffix(suffix) for suffix in files]
    for path, payload in zip(paths, files.values(), strict=True):
        write_atomic(path, payload)
    return ExportResult(paths, _rows(record, apart, sum(map(len, files.values()))), record, opened.warnings)


@memory_errors("Close other programs.")
def check_export(file: str | Path, source: str | Path) -> Rows:
    """Prove an export: that nobody changed it, that it is of this generator, and that it draws the same pictures.

    Raises CheckpointCorrupt when it was changed or draws something else, CheckpointIncompatible when it is of another
    generator, CheckpointMissing, ConfigError.
    """
    file = Path(file)
    way = way_of(file)
    runtime = choose_runtime("cpu")
    places = {suffix: file if suffix == way.suffix else file.with_suffix(suffix) for suffix in way.suffixes}
    files = {suffix: read_payload(place, max_bytes=MAX_FILE_BYTES) for suffix, place in places.items()}
    record, draw = way.open_files(files, file, runtime.threads)
    opened = open_generator(source, runtime=runtime)
    if record.generator_sha256 != _digest(opened.source):
        raise CheckpointIncompatible(
            f"made from another generator, at step {record.step:,}; this one is at step {opened.record.step:,}",
            where=file,
            remedy="Name the checkpoint that it was made from, or export again.",
        )
    apart = differences(opened.generator, draw, record.attention)
    if fault := outside(apart, TOLERANCE):
        raise CheckpointCorrupt(f"it draws something else: {fault}", where=file, remedy="Export again.")
    return _rows(record, apart, sum(map(len, files.values())))


def _record(opened: OpenGenerator, to: Form, attention: tuple[str, ...]) -> ExportRecord:
    record = opened.record
    return ExportRecord(
        form=to,
        model=record.model,
        classes=record.classes,
        step=record.step,
        seed=record.seed,
        data_name=record.data_name,
        data_fingerprint=record.data_fingerprint,
        latent=LatentRecord(length=record.model.z_dim),
        attention=attention,
        generator_sha256=_digest(opened.source),
    )


def _digest(generator: Path) -> str:
    return hashlib.sha256(read_payload(generator, max_bytes=MAX_FILE_BYTES)).hexdigest()


def _rows(record: ExportRecord, apart: dict[str, float], size: int) -> Rows:
    batches = ", ".join(f"{value:.1e} in a batch of {name}" for name, value in apart.items() if name.isdecimal())
    maps = [(name, f"its map at most {apart[name]:.1e} away") for name in record.attention if name in apart]
    return [
        ("generator", f"step {record.step:,}, {record.model.resolution}x{record.model.resolution}"),
        ("pictures", f"at most {batches} away from the generator's, of [-1, 1]"),
        *maps,
        ("size", f"{size / 2**20:.1f} MiB"),
    ]
