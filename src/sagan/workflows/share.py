"""Generators for others: the verbs `sagan push` and `sagan pull`, and folders that hold all a receiver needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sagan.disk import disk_errors, publish_folder
from sagan.errors import ConfigError
from sagan.workflows.openers import OpenGenerator, open_generator
from sagan.workflows.sharing.layout import CARD, LIMITS, NEEDED, limits
from sagan.workflows.sharing.making import as_they_are, shared_files
from sagan.workflows.sharing.names import HubName, is_hub_name, parse_hub_name
from sagan.workflows.sharing.transfer import fetch, send

NO_LICENCE = f"No licence is chosen: say --licence NAME, or write it into {CARD}. Others cannot know what they may do."
MESSAGE = "Upload a generator with sagan"


@dataclass(frozen=True)
class ShareResult:
    """out: the folder that was written, or None.  rows: file by file.  url, commit: on the Hub, '' when nothing was sent."""

    out: Path | None
    rows: list[tuple[str, str]]
    url: str = ""
    commit: str = ""
    notes: list[str] = field(default_factory=list)


def save_pretrained(
    source: str | Path,
    folder: str | Path,
    *,
    licence: str | None = None,
    discriminator: bool = True,
    device: str = "auto",
) -> Path:
    """Write a folder with all that others need of a generator; it can be pushed, zipped or mailed. Returns the folder.

    source: a run, a checkpoint, a generator file or a name on the Hub.  folder: made new, all of it or nothing.
    licence: as the Hub calls it, such as cc-by-4.0; the card leaves it open without.
    discriminator: with what it was trained against, to train on from; about as large again.  device: where to draw.
    `open_generator` and every verb open the folder. Raises ConfigError when there is something already, and as
    `open_generator` does.
    """
    files, _ = shared_files(source, licence=licence, discriminator=discriminator, device=device)
    return _written(files, Path(folder))


def from_pretrained(name_or_folder: str | Path, *, revision: str | None = None, device: str = "auto") -> OpenGenerator:
    """Open a generator by its name on the Hub, such as 'user/name', or from a folder that `save_pretrained` wrote.

    It is `open_generator` for those who come from other libraries: what exists here is a path, all else a name.
    revision: a branch, a tag or a commit, of a name only.  Raises as `open_generator` does.
    """
    here = not is_hub_name(name_or_folder) and Path(name_or_folder).exists()
    if here and revision is not None:
        raise ConfigError("a folder has no revisions", where=name_or_folder, remedy="Leave out the revision.")
    if here:
        return open_generator(name_or_folder, device=device)
    name = parse_hub_name(name_or_folder)
    return open_generator(str(HubName(name.repo, revision or name.revision)), device=device)


def push(
    source: str | Path,
    name: str,
    *,
    private: bool = False,
    message: str = MESSAGE,
    licence: str | None = None,
    discriminator: bool = True,
    dry_run: bool = False,
    out: Path | None = None,
    device: str = "auto",
) -> ShareResult:
    """Make the files of a shared folder and send them to the Hub as one commit.

    source: a run, a checkpoint, a generator file; or a shared folder, which goes as it is.  name: user/name.
    private: nobody else may see it.  message: of the commit.  licence, discriminator, device: see `save_pretrained`.
    dry_run: send nothing, write the folder `out` (shared/NAME without) instead.
    Raises as `save_pretrained` and `sharing.transfer.send` do.
    """
    target = parse_hub_name(name)
    if target.revision is not None:
        raise ConfigError(f"{target} names a revision", remedy=f"Write {target.repo}: a push makes a new one.")
    if out is not None and not dry_run:
        raise ConfigError("-o is where --dry-run writes its folder", remedy="Add --dry-run, or leave out -o.")
    files, warnings = shared_files(
        source, name=str(target), licence=licence, discriminator=discriminator, device=device
    )
    notes = [*warnings, *([NO_LICENCE] if not _has_licence(files[CARD]) else [])]
    if dry_run:
        folder = _written(files, out or Path("shared") / target.short)
        return ShareResult(folder, _rows(files), notes=[*notes, "Nothing was sent."])
    sent = send(target.repo, files, LIMITS, private=private, message=message)
    return ShareResult(None, _rows(files), sent.url, sent.commit, notes)


def pull(name: str, out: Path | None = None, *, device: str = "cpu") -> ShareResult:
    """Fetch every file of a shared generator into a folder of one's own, once both of its networks have proved themselves.

    name: user/name, or user/name@revision.  out: the folder to make; pulled/NAME without.
    Raises ConfigError when there is something already; what `sharing.transfer.fetch` and `open_generator` raise.
    """
    source = parse_hub_name(name)
    out = out or Path("pulled") / source.short
    _need_new(out)
    fetched = fetch(source, limits(), NEEDED)
    open_generator(fetched.folder, device=device)  # the networks that it asks for can be built, too
    files = as_they_are(fetched.folder)
    _written(files, out)
    return ShareResult(out, _rows(files), commit=fetched.commit, notes=list(fetched.notes))


def _written(files: Mapping[str, bytes], folder: Path) -> Path:
    _need_new(folder)
    publish_folder(folder, files)
    return folder


def _need_new(folder: Path) -> None:
    with disk_errors(folder):
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise ConfigError("there is something already", where=folder, remedy="Choose another folder with -o.")


def _rows(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    return [(name, f"{len(payload):,} bytes") for name, payload in files.items()]


def _has_licence(card: bytes) -> bool:
    """Whether the front matter of a card names a licence."""
    front = card.decode("utf-8", "replace").split("---\n")[1:2]
    return any(line.startswith("license:") for part in front for line in part.splitlines())
