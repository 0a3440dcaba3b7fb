"""Features of real pictures, kept in the user's cache folder, so that a set goes through a network once.

A file is named by the SHA-256 of all that its content depends on, holds that again beside the numbers, and is checked whole
on reading. What is damaged, alien or too old is made anew; a folder that cannot be written to costs time and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from sagan.checkpoint.strict_json import dump_strict_json
from sagan.checkpoint.tensors import pack, unpack
from sagan.disk import DISK, Disk, write_atomic
from sagan.errors import CheckpointError, ResourceError
from sagan.metrics.features import Features

MAX_FILE_BYTES = 1 << 30  # Inception's features of 50,000 pictures, the usual protocol's, are 391 MiB
MAX_FOLDER_BYTES = 4 << 30
SUFFIX = ".features.safetensors"

Facts = Mapping[str, str | int]


class FeatureCache:
    """folder: where files lie, None for nowhere."""

    def __init__(self, folder: Path | None, disk: Disk = DISK) -> None:
        self.folder, self.disk = folder, disk

    def read(self, facts: Facts) -> Features | None:
        """What was kept under exactly these facts, or None."""
        if self.folder is None:
            return None
        try:
            tensors, record = unpack(self._path(self.folder, facts), max_bytes=MAX_FILE_BYTES)
        except (CheckpointError, ResourceError):
            return None
        features = tensors.get("features")
        if record != dict(facts) or features is None or features.ndim != 2 or features.dtype != torch.float32:
            return None
        return features.numpy()

    def write(self, facts: Facts, features: Features) -> bool:
        """Keep features, unless they are too large or the folder refuses; whether they are kept."""
        if self.folder is None or features.nbytes + (1 << 16) > MAX_FILE_BYTES:
            return False
        payload = pack({"features": torch.from_numpy(np.ascontiguousarray(features))}, dict(facts))
        try:
            self._make_room(self.folder, len(payload))
            write_atomic(self._path(self.folder, facts), payload, self.disk)
        except ResourceError:
            return False
        return True

    def _make_room(self, folder: Path, needed: int) -> None:
        """Remove the oldest files until the new one fits under the limit of the folder."""
        with suppress(OSError):
            files = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
            total = sum(path.stat().st_size for path in files)
            for path in files:
                if total + needed <= MAX_FOLDER_BYTES:
                    break
                total -= path.stat().st_size
                self.disk.remove(path)

    @staticmethod
    def _path(folder: Path, facts: Facts) -> Path:
        return folder / f"{hashlib.sha256(dump_strict_json(dict(facts), 'facts')).hexdigest()[:40]}{SUFFIX}"
