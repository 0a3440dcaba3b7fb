"""How long `sagan evaluate` takes over two sets of 50,000 pictures of 32x32, and how much memory.

    python benchmarks/evaluate_speed.py --data $CIFAR10_PARQUET

The real pictures are CIFAR-10's; the drawn ones are as many emblems, made before the clock starts and written as one npy file.
Nothing comes from a cache. Every metric is measured but the two that need classes, which the sets do not share. Writes
benchmarks/results/evaluate-speed.json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import peak_mib
from results_file import write_result

from sagan.data.emblems import render
from sagan.runtime import choose_runtime

COUNT = 50_000


def measured(arguments: argparse.Namespace, folder: Path) -> tuple[float, float, dict[str, float]]:
    """Seconds and MiB of a whole evaluation, and the seconds of each part of it."""
    from sagan.workflows.evaluate import evaluate

    parts: dict[str, float] = {}
    last = ["start", time.perf_counter()]

    def tell(what: str, done: int, total: int) -> None:
        now = time.perf_counter()
        parts[str(last[0])] = parts.get(str(last[0]), 0.0) + now - float(last[1])
        last[:] = [what, now]

    start = time.perf_counter()
    evaluate(folder / "drawn.npy", arguments.data, n=COUNT, device="cpu", tell=tell)
    seconds = time.perf_counter() - start
    tell("end", 0, 0)
    return seconds, peak_mib(), parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="50,000 real pictures")
    arguments = parser.parse_args()
    threads = choose_runtime("cpu").threads
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        if os.fork() == 0:  # so that the drawing does not count for this process's memory
            np.save(folder / "drawn.npy", render(np.arange(COUNT))[0])
            os._exit(0)
        os.wait()
        seconds, memory, parts = measured(arguments, folder)
    figures = [
        (
            "50,000 + 50,000 pictures",
            round(seconds, 1),
            "s",
            f"{threads} threads; reading, features, four metrics and their floor",
        ),
        ("memory at most", round(memory), "MiB", "of the process"),
        *((what, round(value, 1), "s", "") for what, value in parts.items() if value >= 1),
    ]
    for figure in figures:
        print(*figure)
    source = Path(arguments.data)
    data = {source.name: hashlib.sha256(source.read_bytes()).hexdigest()} if source.is_file() else {}
    write_result("evaluate-speed", "python benchmarks/evaluate_speed.py --data $CIFAR10_PARQUET", figures, data=data)


if __name__ == "__main__":
    main()
