"""How long pictures take: the first read of a file of small ones, a batch from memory, and the wait of a training step.

    python benchmarks/bench_loading.py PATH       a Parquet file of pictures; without PATH that of $CIFAR10_PARQUET

"First read" is what `sagan train` does before its first step: every picture is read, hashed, decoded, checked and kept. It
takes turns with a plain loop of Pillow over the same bytes in one thread, which checks and keeps nothing. The file is in
the system's cache, and libraries are loaded. Writes benchmarks/results/loading.json.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from results_file import Figure, write_result
from timing import interleave, median, ratio, spread

from sagan.data.batches import Batch, Batches
from sagan.data.config import DataConfig
from sagan.data.images import ImageSet, open_images
from sagan.data.sources import open_source
from sagan.presets.assemble import assemble
from sagan.runtime import available_cores, choose_runtime
from sagan.training.game import new_game
from sagan.training.step import to_signal, train_step

SIDE = 32
PRESET, BATCH, STEPS = "sagan-32-small", 32, 20
BATCHES = 400  # in one sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=os.environ.get("CIFAR10_PARQUET"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    if words.path is None:
        parser.error("name a Parquet file, or set CIFAR10_PARQUET")
    path = Path(words.path)
    choose_runtime("cpu")  # as every command does: threads, and how memory is taken from the system
    images = open_images(DataConfig(data=str(path)), SIDE, threads=available_cores())
    figures = [*reading(path, words.rounds), *batching(images, words.rounds), *waiting(images)]
    for name, value, unit, note in figures:
        print(f"  {name:48s} {value:10.4g} {unit:9s} {note}")
    if not words.no_record:
        note = f"{len(images):,} pictures, opened at {SIDE}x{SIDE} with {available_cores()} threads."
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        write_result("loading", "python benchmarks/bench_loading.py PATH", figures, note=note, data={path.name: digest})


def reading(path: Path, rounds: int) -> list[Figure]:
    """The first read beside the plain loop."""
    source = open_source(path)
    files = [bytes(source.read(index)) for index in range(len(source.listing.names))]
    source.close()
    processor: dict[str, list[float]] = {"first read": [], "plain Pillow": []}

    def clocked(name: str, call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            start = time.process_time()
            call()
            processor[name].append(time.process_time() - start)

        return run

    sides = {
        "first read": lambda: open_images(DataConfig(data=str(path)), SIDE, threads=available_cores()),
        "plain Pillow": lambda: decode_plainly(files),
    }
    samples = interleave({name: clocked(name, call) for name, call in sides.items()}, rounds)
    figures: list[Figure] = []
    for name, measured in samples.items():
        own = statistics.median(processor[name][1:])  # the first call is the unmeasured one
        figures += [
            (f"{name}: all pictures", round(median(measured), 3), "s", spread(measured)),
            (f"{name}: processor time of a picture", round(own / len(files) * 1e6, 1), "us", "all threads together"),
            (f"{name}: pictures", round(len(files) / own), "a second", "of one core's time"),
        ]
    middle, least, most = ratio(samples["plain Pillow"], samples["first read"])
    note = f"{least:.2f} to {most:.2f} by round"
    return [*figures, ("first read is faster than the plain loop", round(middle, 2), "times", note)]


def decode_plainly(files: list[bytes]) -> None:
    """What a few lines with Pillow would do."""
    for data in files:
        with Image.open(io.BytesIO(data)) as picture:
            np.asarray(picture.convert("RGB"))


def batching(images: ImageSet, rounds: int) -> list[Figure]:
    """From memory to a batch of bytes, to one that is mirrored at random, and to what a network is given."""
    plain, mirrored, signal = (
        Batches(images, batch_size=BATCH, seed=0, mirror=mirror) for mirror in (False, True, False)
    )
    sides = {
        "from memory to a batch": lambda: [next(plain) for _ in range(BATCHES)],
        "from memory to a batch, mirrored at random": lambda: [next(mirrored) for _ in range(BATCHES)],
        "from memory to a network's input": lambda: [to_signal(next(signal).pixels) for _ in range(BATCHES)],
    }
    samples = interleave(sides, 3 * rounds)
    pictures = BATCH * BATCHES
    return [
        (name, round(median(measured) / pictures * 1e6, 2), "us", f"a picture, in batches of {BATCH}")
        for name, measured in samples.items()
    ]


class Waits:
    """Batches, and the seconds that were spent on waiting for them."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        start = time.perf_counter()
        batch = next(self.batches)
        self.seconds += time.perf_counter() - start
        return batch


def waiting(images: ImageSet) -> list[Figure]:
    """The share of a training step in which it waits for its pictures."""
    config = assemble({"batch_size": BATCH}, preset=PRESET, resume="off")
    game = new_game(config.model, config.training, len(images.classes), choose_runtime("cpu"))
    waits = Waits(Batches(images, batch_size=BATCH, seed=0, mirror=config.data.mirror))
    train_step(game, waits)
    waits.seconds, start = 0.0, time.perf_counter()
    for _ in range(STEPS):
        train_step(game, waits)
    share = waits.seconds / (time.perf_counter() - start)
    note = f"in next(batches), {STEPS} steps of {PRESET} at batch {BATCH}"
    return [("share of a step that waits for pictures", round(share * 100, 3), "%", note)]


if __name__ == "__main__":
    main()
