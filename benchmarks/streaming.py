"""Does memory stay level while a million pictures are streamed? Makes the set, trains, and looks at the processes each second.

    python benchmarks/streaming.py                      ten minutes, 1,000,000 pictures of 32x32
    python benchmarks/streaming.py --minutes 1 --pictures 20000 --no-record

The set is Parquet shards of JPEG files with classes, under 1 GB. It is made once under --folder and stays there; without that,
in a temporary folder that goes away. The command itself is started, with a decoding process, checkpoints, scores and grids, and
the resident memory of it and of its children (/proc/PID/status, VmRSS) is added up. What counts is what is added after the
first minute, in which networks, optimisers, windows and libraries take their places.

The networks are narrow, so that many pictures pass through in the time.

After that a whole epoch is read as fast as it goes, without training: every picture is decoded and handed out once. What
counts is what is added after the first twentieth. Writes benchmarks/results/streaming.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from results_file import Figure, write_result

PICTURES, SHARD, GROUP, SIDE, CLASSES = 1_000_000, 25_000, 500, 32, 10
SETTLED = 60.0  # seconds


def make_set(folder: Path, pictures: int) -> None:
    """Shards of soft two-coloured gradients with a disc whose place and size go with the class; skips what is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for shard in range(-(-pictures // SHARD)):
        path = folder / f"train-{shard:05d}.parquet"
        if path.exists():
            continue
        rng, count = np.random.default_rng(shard), min(SHARD, pictures - shard * SHARD)
        labels, cells = rng.integers(0, CLASSES, count), []
        for start in range(0, count, GROUP):
            for pixels in draw(rng, labels[start : start + GROUP]):
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, format="JPEG", quality=75)
                cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"image": pa.array(cells, type=kind), "label": labels})
        pq.write_table(table, path.with_suffix(".part"), row_group_size=GROUP)
        path.with_suffix(".part").rename(path)
        print(f"made {path.name}", flush=True)


def draw(rng: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """labels: (n,) -> (n, SIDE, SIDE, 3)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    first, second, disc = rng.integers(0, 256, (3, len(labels), 1, 1, 3)).astype(np.float32)
    along, down = rng.random((2, len(labels), 1, 1)).astype(np.float32)
    pixels = first + (second - first) * (x * along + y * down)[..., None] / 2
    label = labels[:, None, None]
    inside = (x - 0.5) ** 2 + (y - 0.1 - 0.08 * label) ** 2 < (0.1 + 0.03 * label) ** 2
    return np.where(inside[..., None], disc, pixels).astype(np.uint8)


def resident(pid: int) -> int:
    """Bytes of a process and of all below it."""
    total = 0
    for number in [pid, *below(pid)]:
        try:
            lines = Path(f"/proc/{number}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))
    return total


def below(pid: int) -> list[int]:
    try:
        names = [Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []
    children = [int(word) for words in names for word in words.split()]
    return [one for child in children for one in [child, *below(child)]]


def read_all(data: Path) -> None:
    """Hand out every picture of a stream once, and say so when a twentieth is done."""
    from sagan.data.config import DataConfig
    from sagan.data.stream.batches import StreamBatches
    from sagan.data.stream.opening import open_stream

    images = open_stream(DataConfig(data=f"stream:{data}"), SIDE, threads=1)
    seen = np.zeros(images.total, dtype=np.bool_)
    with StreamBatches(images, batch_size=64, seed=0, window=8192) as batches:
        for number in range(images.total // 64):
            seen[next(batches).ids.numpy()] = True
            if number == images.total // 64 // 20:
                print("settled", flush=True)
    print(int(seen.sum()), flush=True)


def watch_reading(data: Path) -> list[Figure]:
    """The memory of `read_all` in a process of its own."""
    process = subprocess.Popen([sys.executable, __file__, "--read", str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    start, sizes = time.monotonic(), [resident(process.pid)]
    while process.poll() is None:
        sizes.append(resident(process.pid) or sizes[-1])
        time.sleep(1)
    shown, minutes = int(process.stdout.read()), (time.monotonic() - start) / 60
    middle = max(1, len(sizes) // 20)
    first, last = (statistics.median(part) / 2**20 for part in (sizes[:middle], sizes[-middle:]))
    return [
        ("an epoch read alone: pictures", shown, "pictures", "different ones, of all in the set"),
        ("an epoch read alone: resident after a twentieth", round(first, 1), "MiB", ""),
        ("an epoch read alone: growth", round(last - first, 1), "MiB", f"over {minutes:.1f} minutes, to the end"),
    ]


def watch_training(data: Path, out: Path, minutes: float, words: list[str]) -> list[tuple[float, int]]:
    """Train for so many minutes; (seconds since the first step, bytes) for each second of it."""
    command = [
        sys.executable, "-m", "sagan", "train", f"stream:{data}", "--out", str(out), "--preset", "sagan-32-small",
        "--g-ch", "16", "--d-ch", "16", "--batch-size", "64", "--workers", "1", "--log-every", "5", "--save-every", "150",
        "--sample-every", "150", "--steps", "0", "--time", f"{minutes * 60:.0f}s",
        *words,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    rows, start = list[tuple[float, int]](), 0.0
    log = out / "log.jsonl"
    while process.poll() is None:
        time.sleep(1)
        if not start and log.exists() and log.stat().st_size:
            start = time.monotonic()
        if start and (bytes_now := resident(process.pid)):
            rows.append((time.monotonic() - start, bytes_now))
    if process.returncode:
        raise SystemExit(f"training ended with code {process.returncode}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--folder", type=Path, help="where the set is made, or is already")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words, more = parser.parse_known_args()
    if words.read:
        read_all(words.read)
        return
    with tempfile.TemporaryDirectory() as name:
        data, out = words.folder or Path(name) / "set", Path(name) / "run"
        make_set(data, words.pictures)
        rows = watch_training(data, out, words.minutes, more)
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        figures = of_training(rows, log, words.pictures)
        keep(figures, words.no_record)
        keep(figures + watch_reading(data), words.no_record)


def keep(figures: list[Figure], no_record: bool) -> None:
    """Print and store what there is so far."""
    for figure in figures:
        print(*figure, flush=True)
    if not no_record:
        note = "Memory is what is measured: other programs may run beside it, and no rate is taken."
        write_result("streaming", "python benchmarks/streaming.py", figures, seed=0, note=note)


def of_training(rows: list[tuple[float, int]], log: list[dict[str, Any]], pictures: int) -> list[Figure]:
    """What `watch_training` saw. log: lines of the run's log.  pictures: in the set."""
    settled = min(SETTLED, rows[-1][0] / 3)
    later = [(seconds, size / 2**20) for seconds, size in rows if seconds >= settled]
    first = statistics.median([size for seconds, size in later if seconds < settled + 10])
    last = statistics.median([size for seconds, size in later if seconds > later[-1][0] - 10])
    slope = np.polyfit([seconds / 60 for seconds, _ in later], [size for _, size in later], 1)[0]
    last_row = next(row for row in reversed(log) if "images" in row)
    shown = int(last_row["images"])
    on_disk = f"{later[-1][0] / 60:.1f} minutes watched, one decoding process"
    return [
        (
            "resident after the first minute",
            round(first, 1),
            "MiB",
            "all processes together, pages they share counted twice",
        ),
        ("resident at the end", round(last, 1), "MiB", on_disk),
        ("growth", round(last - first, 1), "MiB", "from the first minute to the end; to be under 50"),
        ("highest over the first minute's", round(max(size for _, size in later) - first, 1), "MiB", ""),
        ("slope", round(float(slope), 2), "MiB/min", "least squares over the same time"),
        ("pictures shown", shown, "pictures", f"of {pictures:,} in the set"),
    ]


if __name__ == "__main__":
    main()
