"""Small shards of every kind, for tests of streams: 10 pictures a piece where the kind lets one choose."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

COUNT, SIDE, CLASSES, SHARDS = 240, 8, 3, 4


def png(number):
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def table(files, labels):
    pa = pytest.importorskip("pyarrow")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table({"image": pa.array([{"bytes": one, "path": None} for one in files], type=kind), "label": labels})


def write_parquet(path, files, labels, rows=10):
    import pyarrow.parquet as pq

    pq.write_table(table(files, labels), path, row_group_size=rows)


def write_arrow(path, files, labels, *, footer):
    import pyarrow.ipc as ipc

    rows = table(files, labels)
    with path.open("wb") as file, (ipc.new_file if footer else ipc.new_stream)(file, rows.schema) as writer:
        for batch in rows.to_batches(10):
            writer.write_batch(batch)


def write_tar(path, files, labels, first=0):
    with tarfile.open(path, "w") as archive:
        for number, (content, label) in enumerate(zip(files, labels, strict=True), start=first):
            for ending, payload in (("json", b"{}"), ("png", content), ("cls", str(label).encode())):
                entry = tarfile.TarInfo(f"{number:06d}.{ending}")
                entry.size = len(payload)
                archive.addfile(entry, io.BytesIO(payload))
