"""The same 240 pictures as Parquet, Arrow and tar shards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # for `shard_files`

from shard_files import CLASSES, COUNT, SHARDS, png, write_arrow, write_parquet, write_tar  # noqa: E402


@pytest.fixture(scope="session")
def pictures():
    """The files of the pictures and their classes."""
    return [png(number) for number in range(COUNT)], [number % CLASSES for number in range(COUNT)]


@pytest.fixture(scope="session")
def shards(tmp_path_factory, pictures):
    """kind -> a folder of shards."""
    root, each = tmp_path_factory.mktemp("shards"), COUNT // SHARDS
    for kind in ("parquet", "arrow", "tar"):
        (root / kind).mkdir()
    for shard in range(SHARDS):
        files, labels = (part[shard * each : (shard + 1) * each] for part in pictures)
        write_parquet(root / "parquet" / f"train-{shard:03d}.parquet", files, labels)
        write_arrow(root / "arrow" / f"data-{shard:03d}.arrow", files, labels, footer=shard % 2 == 0)
        write_tar(root / "tar" / f"{shard:03d}.tar", files, labels, shard * each)
    return {kind: root / kind for kind in ("parquet", "arrow", "tar")}
