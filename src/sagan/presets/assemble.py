"""From all that was said about a run to its one record: preset, then file, then words, the later ones winning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sagan.config import SLOTS, RunConfig, build, flatten, from_toml, read_toml, toml_origin
from sagan.data.config import stream_name, stream_path
from sagan.errors import CheckpointMissing, ConfigError
from sagan.presets.auto import AUTO
from sagan.presets.registry import find_preset
from sagan.training.config import AUTO as AUTO_BATCH

DEFAULT_PRESET = "sagan-32-small"  # where there are no pictures to choose by: timing, ablation, streams
DEFAULT_WITHOUT_DATA = "demo"
BUILT_IN = "emblems"

Chooser = Callable[[Mapping[str, Any], Path], Mapping[str, Any]]  # what was said, the run's folder -> options


def assemble(
    words: Mapping[str, Any],
    *,
    preset: str | None = None,
    file: Path | None = None,
    resume: str = "auto",
    auto_batch: bool = False,
    choose: Chooser | None = None,
) -> RunConfig:
    """The record of a run.

    words: options by flat name, as somebody typed them; they win.  file: a TOML file; it may name a preset too.
    preset: its name; without one the file's, else `demo` when there is no data, and when there is `auto`, or
    `sagan-32-small` where nothing chooses.
    resume: `auto` starts from the record stored in the run's folder when there is one, a path (a run, or one of its
    checkpoints) from the record there, `off` from none. Options that nobody named now stay as the run has them.
    auto_batch: whether `batch_size` may be "auto", which then counts as not said (see `asks_for_auto`).
    choose: for the preset `auto`, what was said -> the options that suit its pictures. It is asked only when a new run
    begins, never for one whose record is stored.

    The record is filled in once, from all that was said, so that the order of preset, file and words cannot leave sizes
    of another resolution behind. Raises ConfigError, and CheckpointMissing when there is nothing at `resume`.
    """
    if resume not in ("auto", "off") and not _is_there(Path(resume)):
        what = "there is no run and no checkpoint here"
        raise CheckpointMissing(what, where=resume, remedy="Resume takes auto, off, a run or a checkpoint inside one.")
    from_file = read_toml(file) if file is not None else {}
    if auto_batch:
        words, from_file = ({k: v for k, v in said.items() if not _is_auto(k, v)} for said in (words, from_file))
    said_now = {**from_file, **words}
    name = preset or from_file.get("preset") or _default_preset(said_now, choose)
    if name == AUTO and choose is not None:
        chosen = _auto(said_now, resume, choose)
    else:
        chosen = find_preset(name).options
    origin = toml_origin(from_file, file) if file is not None else {}
    origin = {option: place for option, place in origin.items() if option not in words}
    fresh = build({**chosen, **said_now, "preset": name}, origin=origin)

    folder = run_folder(fresh) if resume == "auto" else None if resume == "off" else run_of(Path(resume))
    if folder is None or not _is_there(folder / "run.toml"):
        return fresh
    said = {**(chosen if (preset or from_file.get("preset")) and name != AUTO else {}), **said_now}
    said |= {"preset": name} if preset or from_file.get("preset") else {}
    said |= {"out": words.get("out") or from_file.get("out") or str(folder)}
    return _continued(from_toml(folder / "run.toml"), fresh, said)


def asks_for_auto(words: Mapping[str, Any], file: Path | None = None) -> bool:
    """Whether the batch is to be as memory allows: `--batch-size auto`, or so in a TOML file and not said otherwise."""
    said = {**(read_toml(file) if file is not None else {}), **words}
    return _is_auto("batch_size", said.get("batch_size"))


def _is_auto(name: str, value: Any) -> bool:
    return name == "batch_size" and isinstance(value, str) and value.lower() == AUTO_BATCH


def run_folder(config: RunConfig) -> Path:
    """Where the run is written: `out`, else runs/<data>-<preset>."""
    return folder_named(config.output.out, config.data.data, config.preset)


def folder_named(out: str, data: str, preset: str) -> Path:
    """The folder of a run with these three options."""
    if out:
        return Path(out)
    name = BUILT_IN if data == BUILT_IN else _name_of(data)
    return Path("runs") / f"{name}-{preset or 'custom'}"


def _auto(said: Mapping[str, Any], resume: str, choose: Chooser) -> Mapping[str, Any]:
    """What `auto` stands for: the stored record of the run that goes on, else what is chosen for the pictures."""
    own = folder_named(str(said.get("out") or ""), str(said.get("data", BUILT_IN)), AUTO)
    folder = own if resume == "auto" else None if resume == "off" else run_of(Path(resume))
    if folder is not None and _is_there(folder / "run.toml"):
        return flatten(from_toml(folder / "run.toml"))
    if said.keys() >= SLOTS.keys() - {"preset", "data"}:  # a whole record, such as a run.toml, leaves nothing to choose
        return {}
    return choose(said, own)


def _name_of(data: str) -> str:
    """The last part of the pictures' path; 'pictures' where there is none, or where no system has such a path."""
    if (place := stream_path(data)) is not None:
        return stream_name(place)
    try:
        path = Path(data).expanduser().resolve()
        return (path.name if path.is_dir() else path.stem.removesuffix(".tar")) or "pictures"
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user: opening the pictures says so
        return "pictures"


def _is_there(path: Path) -> bool:
    """Whether there is something; a path that no system has, or that may not be looked at, is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def run_of(path: Path) -> Path:
    """The run's folder of a path that is a run, or a checkpoint inside one (RUN/checkpoints/step-...)."""
    return path.parent.parent if path.parent.name == "checkpoints" else path


def _default_preset(options: Mapping[str, Any], choose: Chooser | None) -> str:
    data = str(options.get("data", BUILT_IN))
    if data == BUILT_IN:
        return DEFAULT_WITHOUT_DATA
    return DEFAULT_PRESET if choose is None or stream_path(data) is not None else AUTO


def _continued(stored: RunConfig, fresh: RunConfig, said: Mapping[str, Any]) -> RunConfig:
    """The stored record with what was said now. If that is another structure, training refuses it and names just that."""
    before, after = flatten(stored), flatten(fresh)
    try:
        return build({**before, **{name: said[name] if name == "out" else after[name] for name in said}})
    except ConfigError:  # what was said does not go with the stored sizes, so it is another structure in any case
        return fresh
