"""What `sagan data pack` costs and gives: its rate beside plain decoding, reading back, and being killed on the way.

    python benchmarks/pack.py PATH       a Parquet file of pictures; without PATH that of $CIFAR10_PARQUET

Packing, which decodes, writes and syncs, takes turns with the decoder alone: the same pass over the same pictures that keeps
nothing. Reading back is in random order, in one thread, with every picture's checksum compared; the files are in the system's
cache. Then the command itself is killed KILLS times at moments spread over its time, each time goes on, and the pack is
compared with one that was not disturbed. Writes benchmarks/results/pack.json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results_file import Figure, write_result
from timing import interleave, median, ratio, spread

from sagan.data.config import DataConfig
from sagan.data.images import open_images, recipe_of
from sagan.data.pack.reading import PackSource
from sagan.data.scan import scan
from sagan.data.sources import open_source
from sagan.runtime import available_cores, choose_runtime
from sagan.workflows.pack_data import pack_data

SIDE, KILLS, READ = 32, 20, 64
GOLDEN = 0.618  # steps around the course of a packing that never fall into a pattern


def packing(path: Path, folder: Path, rounds: int) -> list[Figure]:
    """Pictures a second of packing, and of decoding alone."""
    data = DataConfig(data=str(path))
    source = open_source(path)
    count = len(source.listing.names)

    def decode() -> object:
        found = scan(source, np.arange(count), recipe_of(data, SIDE), keep_pixels=False, threads=available_cores())
        return len(found.kept)

    def pack() -> object:
        shutil.rmtree(folder, ignore_errors=True)
        return pack_data(data, SIDE, folder)

    samples = interleave({"decode": decode, "pack": pack}, rounds)
    source.close()
    middle, least, most = ratio(samples["decode"], samples["pack"])
    return [
        (
            "decoding alone",
            round(count / median(samples["decode"])),
            "pictures/s",
            f"{available_cores()} threads; {spread(samples['decode'])}",
        ),
        ("packing", round(count / median(samples["pack"])), "pictures/s", spread(samples["pack"])),
        ("packing, of decoding alone", round(middle, 3), "times", f"{least:.3f} to {most:.3f} by round"),
    ]


def reading(folder: Path) -> list[Figure]:
    """Pictures a second and core from a pack."""
    images = open_images(DataConfig(data=str(folder), cache_mib=0), SIDE)
    rng, done, start = np.random.default_rng(0), 0, time.process_time()
    while time.process_time() - start < 5:
        images.pictures(rng.integers(0, len(images), READ))
        done += READ
    rate = done / (time.process_time() - start)
    return [("reading back", round(rate), "pictures/s", "a core, in batches of 64 in random order, checksums compared")]


def killing(path: Path, whole: Path, folder: Path) -> list[Figure]:
    """Kill the command KILLS times, at moments spread over its time, compare each pack that it comes to, and begin again."""
    command = [sys.executable, "-m", "sagan", "data", "pack", str(path), "-o", str(folder)]
    start = time.perf_counter()
    subprocess.run([*command[:-1], str(folder.with_name("timed"))], check=True, capture_output=True)
    usual = time.perf_counter() - start
    killed = packs = gone_on = 0
    while killed < KILLS or not packs:
        gone_on += folder.exists()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(0.3 + (usual - 0.3) * ((killed + packs) * GOLDEN % 1) if killed < KILLS else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            continue
        assert process.returncode == 0
        require_same(whole, folder)
        shutil.rmtree(folder)
        packs += 1
    return [
        ("killed", killed, "times", f"{gone_on} starts went on; {packs} packs were finished, each as without kills")
    ]


def require_same(whole: Path, folder: Path) -> None:
    """Both packs have the same files, and nothing else is left."""
    names = {file.name for file in whole.iterdir() if not file.name.startswith(".")}
    assert names == {file.name for file in folder.iterdir() if not file.name.startswith(".lock")}, sorted(
        folder.iterdir()
    )
    assert all(digest(whole / name) == digest(folder / name) for name in names)
    assert all(whole for _, whole in PackSource(folder).checked())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=os.environ.get("CIFAR10_PARQUET"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    if words.path is None:
        parser.error("name a Parquet file, or set CIFAR10_PARQUET")
    path = Path(words.path)
    choose_runtime("cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = packing(path, folder / "whole", words.rounds)
        figures += reading(folder / "whole")
        figures += killing(path, folder / "whole", folder / "killed")
    for figure in figures:
        print(*figure)
    if not words.no_record:
        write_result("pack", "python benchmarks/pack.py PATH", figures, data={path.name: digest(path)})


if __name__ == "__main__":
    main()
