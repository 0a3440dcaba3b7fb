"""The manifest of a checkpoint folder: the size and SHA-256 of every file, and a hash of itself.

The text of a manifest is canonical, so any change of any byte of it shows. The way it hashes itself is the same in
every schema, for ever: a newer manifest can thus be told from a damaged one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from collections.abc import Mapping
from typing import Any

from sagan.checkpoint import migration
from sagan.checkpoint.migration import latest, migrate
from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.errors import CheckpointCorrupt

SCHEMA = latest(migration.MANIFEST)
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILES = 64
MAX_BYTES = 64 << 30

# Lower case on purpose: no two names can be one file on a disk that ignores case. No separator, so no way out.
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\.(safetensors|json)")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def make_manifest(step: int, files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files, as the bytes to write."""
    for name in files:
        if name == MANIFEST or not FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a file of a checkpoint")
    entries = {name: {"bytes": len(payload), "sha256": digest(payload)} for name, payload in files.items()}
    manifest = {"schema": SCHEMA, "library": library_version(), "step": step, "files": entries}
    return dump_strict_json(manifest | {"self": _self_hash(manifest)}, MANIFEST)


def parse_manifest(payload: bytes, where: object) -> dict[str, Any]:
    """The checked content of a manifest: {"schema", "library", "step", "files": {name: {"bytes", "sha256"}}, "self"}.

    An older one comes in the newest schema; "self" stays the hash of what was written.
    Raises CheckpointCorrupt; CheckpointIncompatible when it is whole but newer than this library.
    """
    manifest = parse_strict_json(payload, where, max_bytes=MAX_MANIFEST_BYTES, max_depth=6)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("self"), str):
        raise CheckpointCorrupt("not a manifest", where=where)
    expected = _self_hash({key: value for key, value in manifest.items() if key != "self"})
    if manifest["self"] != expected or dump_strict_json(manifest, where) != payload:
        raise CheckpointCorrupt(f"expected its own hash to be {expected}, got {manifest['self'][:64]}", where=where)
    manifest = migrate(manifest, "schema", migration.MANIFEST, where)
    if manifest.keys() != {"schema", "library", "step", "files", "self"} or not _is_count(manifest["step"]):
        raise CheckpointCorrupt("its keys are not those of a manifest", where=where)
    _check_files(manifest["files"], where)
    return manifest


def library_version() -> str:
    """The installed version of this library, for the record; '0' when it runs from a bare checkout."""
    try:
        return importlib.metadata.version("sagan-torch")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _self_hash(manifest: Mapping[str, Any]) -> str:
    return digest(dump_strict_json(dict(manifest), MANIFEST))


def _check_files(files: Any, where: object) -> None:
    if not isinstance(files, dict) or len(files) > MAX_FILES:
        raise CheckpointCorrupt("its list of files is not one", where=where)
    for name, entry in files.items():
        if name == MANIFEST or not FILE_NAME.fullmatch(name):
            raise CheckpointCorrupt(f"it names the file {name[:80]!r}", where=where)
        if not isinstance(entry, dict) or entry.keys() != {"bytes", "sha256"}:
            raise CheckpointCorrupt(f"its entry of {name} is not a size and a hash", where=where)
        if not _is_count(entry["bytes"]) or not isinstance(entry["sha256"], str):
            raise CheckpointCorrupt(f"its entry of {name} is not a size and a hash", where=where)
        if not _DIGEST.fullmatch(entry["sha256"]):
            raise CheckpointCorrupt(f"its entry of {name} is not a size and a hash", where=where)
    if sum(entry["bytes"] for entry in files.values()) > MAX_BYTES:
        raise CheckpointCorrupt(f"it promises more than {MAX_BYTES} bytes", where=where)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
