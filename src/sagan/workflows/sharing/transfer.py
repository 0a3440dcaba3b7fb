"""Files to the Hub and back, through huggingface_hub: its cache, its login, its offline mode.

Only files that are asked for by name are fetched, and none that the Hub says is larger than its limit. Whose token is
used, and where it lies, is that library's business.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagan.errors import CheckpointMissing, PeerError, RefusedError
from sagan.workflows.sharing.faults import hub_errors, is_away, library
from sagan.workflows.sharing.names import HubName

TIMEOUT = 10.0  # seconds for each answer about a model; huggingface_hub's own for files
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Fetched:
    """folder: in the cache; its files are links, and nothing may be written there.  commit: 40 hexadecimal digits."""

    folder: Path
    commit: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Sent:
    """url: of the model's page.  commit: the one that was made, or the newest where nothing had changed."""

    url: str
    commit: str


def fetch(name: HubName, limits: Mapping[str, int], needed: Collection[str]) -> Fetched:
    """Those of some files that a model has, all of one commit.

    limits: file -> the most bytes it may have.  needed: the files without which it is no model of ours.
    Where the Hub cannot be reached, the cache answers if it can, and a note says so.
    Raises CheckpointMissing, RefusedError, PeerError, ResourceError, ConfigError.
    """
    hub = library()
    with hub_errors(name):
        try:
            api = hub.HfApi(library_name="sagan")
            info = api.model_info(name.repo, revision=name.revision, files_metadata=True, timeout=TIMEOUT)
        except Exception as error:
            if not is_away(error):
                raise
            return _from_cache(hub, name, limits, needed, error)
        sizes = {sibling.rfilename: sibling.size for sibling in info.siblings or ()}
        _check(name, sizes, limits, needed)
        commit = str(info.sha)
        if not _COMMIT.fullmatch(commit):
            raise PeerError(f"its newest commit is {commit[:60]!r}, which is none", where=name)
        wanted = [file for file in limits if file in sizes]
        # The first one by the name that was typed: so the cache learns which commit it means, and knows it offline.
        _download(hub, name, wanted[0], name.revision or "main")
        folders = {_download(hub, name, file, commit).parent for file in wanted}
    return Fetched(folders.pop(), commit, (f"{HubName(name.repo)} is commit {commit}",))


def send(repo: str, files: Mapping[str, bytes], layout: Collection[str], *, private: bool, message: str) -> Sent:
    """Make the model on the Hub, unless it is there, and its files these, in one commit.

    layout: what a former version may have had and this one has not is deleted; other files stay.
    private: nobody else may see it. Raises RefusedError when it is there already and public; then nothing was sent.
    Raises ResourceError without permission, PeerError, ConfigError.
    """
    hub = library()
    name = HubName(repo)
    with hub_errors(name):
        api = hub.HfApi(library_name="sagan")
        api.create_repo(repo, private=private or None, exist_ok=True)
        there = api.model_info(repo, timeout=TIMEOUT)
        if private and there.private is not True:
            remedy = "Make it private on its page first, choose another name, or leave out --private."
            raise RefusedError("it is there already and not private; nothing was sent", where=name, remedy=remedy)
        stale = [
            one.rfilename for one in there.siblings or () if one.rfilename in layout and one.rfilename not in files
        ]
        operations = [
            *(hub.CommitOperationAdd(path_in_repo=file, path_or_fileobj=payload) for file, payload in files.items()),
            *(hub.CommitOperationDelete(path_in_repo=file) for file in stale),
        ]
        made = api.create_commit(repo, operations=operations, commit_message=message, parent_commit=there.sha)
        return Sent(f"{api.endpoint}/{repo}", str(made.oid))


def _check(name: HubName, sizes: Mapping[str, int | None], limits: Mapping[str, int], needed: Collection[str]) -> None:
    """Refuse before anything is fetched what is not ours or too large."""
    for file in needed:
        if file not in sizes:
            remedy = "A checkpoint of another project is downloaded by hand and opened with sagan import."
            raise CheckpointMissing(f"it holds no {file}, so sagan did not make it", where=name, remedy=remedy)
    for file, most in limits.items():
        size = sizes.get(file)
        if size is not None and size > most:
            raise RefusedError(f"its {file} has {size:,} bytes, above the limit of {most:,}", where=name)


def _download(hub: Any, name: HubName, file: str, revision: str, **options: Any) -> Path:
    """The file in the cache: .../snapshots/COMMIT/FILE."""
    return Path(hub.hf_hub_download(name.repo, file, revision=revision, library_name="sagan", **options))


def _from_cache(
    hub: Any, name: HubName, limits: Mapping[str, int], needed: Collection[str], away: Exception
) -> Fetched:
    """What an earlier fetch left. Raises what kept us from the Hub when it left too little."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    found = []
    for file in limits:
        try:
            found.append(_download(hub, name, file, name.revision or "main", local_files_only=True))
        except LocalEntryNotFoundError:
            if file in needed:
                raise away from None
    folder = found[0].parent
    commit = folder.name if _COMMIT.fullmatch(folder.name) else "unknown"
    notes = (f"{HubName(name.repo)} is taken from the cache, since the Hub was not reached: commit {commit}",)
    return Fetched(folder, commit, notes)
