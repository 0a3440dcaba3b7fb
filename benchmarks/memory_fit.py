"""How near is the memory that is predicted before a run to what training then takes? One process for each batch.

    python benchmarks/memory_fit.py [PRESET ...]

Predicted is what `sagan train` prints, from steps of 4 and 16 pictures. Taken is what the peak of the process's resident memory
(VmHWM) grows by while networks are made and two whole steps are done, with the copy that a run can go back to. Writes
benchmarks/results/memory-fit.json.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from results_file import write_result

BATCHES = {"sagan-32-small": (32, 128, 512), "sagan-32": (16, 64), "sagan-64": (16, 64)}


def peak() -> int:
    """Bytes that this process had resident at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def measure(name: str, batch: int) -> tuple[int, int]:
    """-> (predicted, taken) bytes."""
    import torch

    from sagan.presets import preset
    from sagan.runtime import choose_runtime
    from sagan.training.game import new_game
    from sagan.training.guard import LastGood
    from sagan.training.step import train_step
    from sagan.workflows.estimate import blank_batches, estimate

    config = preset(name, batch_size=batch, precision="fp32")
    runtime = choose_runtime("cpu")
    torch.zeros(1) @ torch.zeros(1)
    before = peak()
    game = new_game(config.model, config.training, 10, runtime)
    keeper = LastGood(game)
    batches = blank_batches(config.model.resolution, config.model.channels, batch)
    for _ in range(2):
        train_step(game, batches)
    taken = peak() - before
    del keeper, game
    return estimate(config, 10, runtime).memory_bytes, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=list(BATCHES))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    if words.one:
        print(json.dumps(measure(words.one[0], int(words.one[1]))))
        return
    figures = []
    for name in words.presets:
        for batch in BATCHES[name]:
            command = [sys.executable, __file__, "--one", name, str(batch)]
            done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            predicted, taken = json.loads(done.splitlines()[-1])
            figures.append(
                (
                    f"{name}, batch {batch}",
                    round(predicted / taken, 3),
                    "times",
                    f"predicted {predicted / 2**20:,.0f} MiB of {taken / 2**20:,.0f} MiB that were taken",
                )
            )
            print(*figures[-1], flush=True)
    if not words.no_record:
        write_result(
            "memory-fit", "python benchmarks/memory_fit.py", figures, note="float32, 10 classes, on a processor."
        )


if __name__ == "__main__":
    main()
