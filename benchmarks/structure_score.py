"""The structure score of a run on the emblems, beside that of real pictures and of the same generator before training.

    python benchmarks/structure_score.py runs/emblems-demo --name demo

Draws `--count` pictures, labels shared out evenly, and scores them (docs/data.md says how). Pictures of a generator without
classes are compared with the class that each is nearest to, real ones then too. Writes
benchmarks/results/NAME.json with the three shares, the structure score, and the length of the run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results_file import Figure, write_result

from sagan import build_generator, open_generator, open_run
from sagan.data.emblem_score import score
from sagan.data.emblems import EMBLEM_CLASSES, SET_SIZE, render
from sagan.models.network import Generator
from sagan.sampling import draw
from sagan.training.reporting import read_log


def shares(pictures: NDArray[np.uint8], labels: NDArray[np.int64] | None, name: str) -> list[Figure]:
    """The three shares and the score as figures, printed too."""
    found = score(pictures, labels)
    values = {part: getattr(found, part) for part in ("structure", "mirror", "beacons", "silhouette")}
    print(f"{name:20s} " + "  ".join(f"{part} {value:.1%}" for part, value in values.items()))
    return [(f"{name}: {part}", round(value, 4), "", f"{len(pictures)} pictures") for part, value in values.items()]


def drawn(generator: Generator, count: int, labels: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    return draw(generator, range(count), None if labels is None else labels.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=2048)
    parser.add_argument("--name", help="write benchmarks/results/NAME.json")
    parser.add_argument("--note", default="", help="a sentence for the result")
    arguments = parser.parse_args()
    run, opened = open_run(arguments.run), open_generator(arguments.run, device="cpu")
    record = opened.record
    labels = np.arange(arguments.count, dtype=np.int64) % len(EMBLEM_CLASSES) if record.classes else None
    untrained = build_generator(record.model, len(record.classes), seed=record.seed).eval()
    real, real_labels = render(np.arange(SET_SIZE, SET_SIZE + arguments.count), record.model.resolution)
    figures = shares(drawn(opened.generator, arguments.count, labels), labels, f"step {record.step}")
    figures += shares(drawn(untrained, arguments.count, labels), labels, "untrained generator")
    figures += shares(real, real_labels if record.classes else None, "real pictures")
    last = read_log(run.folder.log)
    seconds = max(row.get("seconds", 0.0) for row in last)
    gammas = {name: row[name] for row in last for name in row if name.endswith("/gamma")}
    figures += [("training time", round(seconds, 1), "s", f"{record.step} steps")]
    figures += [(name.removeprefix("attention/"), round(value, 4), "", "at the end") for name, value in gammas.items()]
    if arguments.name:
        command = f"python benchmarks/structure_score.py {arguments.run} --name {arguments.name}"
        write_result(arguments.name, command, figures, seed=record.seed, note=arguments.note)


if __name__ == "__main__":
    main()
