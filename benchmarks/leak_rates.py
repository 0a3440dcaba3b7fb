"""Does `sagan leak` find planted copies, and does it leave clean generators alone?

    python benchmarks/leak_rates.py --data $CIFAR10_PARQUET

Training pictures: the first 45,000 of CIFAR-10. A clean set: 1,000 fresh emblems, or 1,000 of 5,000 real pictures that were
held out, 10 sets of each; the second kind is the hardest that a generator without memory can be, since a real set holds
pictures that are nearly the same. A leaking set: the first kind with ten of its pictures (1 %) replaced by copies, for each
alteration. Writes benchmarks/results/leak-rates.json.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results_file import write_result

from sagan.data.config import DataConfig
from sagan.data.emblems import render
from sagan.data.images import open_images
from sagan.metrics.features import BATCH, collect
from sagan.metrics.leak import judge
from sagan.metrics.nearest import Nearest, TrainingPictures
from sagan.metrics.offline import offline_features
from sagan.runtime import choose_runtime

TRAINED, SAMPLES, BASELINE, SETS, PLANTED = 45_000, 1000, 2000, 10, 10
Pictures = NDArray[np.uint8]


def noised(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Normal noise of 6 levels."""
    return np.rint(np.clip(x + rng.normal(0, 6, x.shape), 0, 255)).astype(np.uint8)


def shifted(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Up to two pixels each way, the edge repeated."""
    down, right = rng.integers(-2, 3, 2)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    return padded[:, 2 + down : 34 + down, 2 + right : 34 + right]


def mirrored(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Left to right."""
    return x[:, :, ::-1]


def brighter(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Contrast by 0.85 to 1.15 and brightness by up to 15 levels."""
    return np.rint(np.clip(x * rng.uniform(0.85, 1.15) + rng.uniform(-15, 15), 0, 255)).astype(np.uint8)


def everything(x: Pictures, rng: np.random.Generator) -> Pictures:
    """All of it."""
    return noised(brighter(mirrored(shifted(x, rng), rng), rng), rng)


ALTERATIONS = {"equal": lambda x, rng: x} | {
    one.__name__: one for one in (noised, shifted, mirrored, brighter, everything)
}


def with_rows(nearest: Nearest, places: NDArray[np.int64], others: Nearest) -> Nearest:
    """What is found for the samples when those at `places` are others: each is looked up by itself."""
    columns = {}
    for column in fields(Nearest):
        columns[column.name] = getattr(nearest, column.name).copy()
        columns[column.name][places] = getattr(others, column.name)
    return Nearest(**columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    choose_runtime("cpu", arguments.threads)
    network, rng = offline_features(), np.random.default_rng(arguments.seed)
    images = open_images(DataConfig(data=arguments.data), 32)
    parts = [np.arange(TRAINED)[i : i + BATCH] for i in range(0, TRAINED, BATCH)]
    features = collect(network, (images.pictures(part) for part in parts), TRAINED)
    training = TrainingPictures((images.pictures(part) for part in parts), features)
    chosen = rng.permutation(TRAINED)[:BASELINE]
    baseline = training.nearest(training.small[chosen], features[chosen], without=chosen)
    figures: list[tuple[str, float, str, str]] = []
    held = images.pictures(np.arange(TRAINED, len(images)))
    kinds = {
        "emblems": [render(np.arange(SAMPLES * (10 + i), SAMPLES * (11 + i)))[0] for i in range(SETS)],
        "held-out pictures": [held[np.sort(rng.permutation(len(held))[:SAMPLES])] for _ in range(SETS)],
    }
    clean = {kind: [training.nearest(one, network(one)) for one in sets] for kind, sets in kinds.items()}
    for kind, sets in clean.items():
        verdicts = [judge(one, baseline) for one in sets]
        accused = sum(verdict.leaking for verdict in verdicts)
        pairs = np.mean([len(verdict.copies) for verdict in verdicts])
        figures.append((f"clean sets of {kind} accused", accused, f"of {SETS}", f"{pairs:.1f} near pairs in 1,000"))
        twins = verdicts[0].baseline
    figures.append(("near pairs among 2,000 training pictures", twins, "", "the baseline"))
    for name, alter in ALTERATIONS.items():
        found = accused = 0
        for index in range(SETS):
            places, source = rng.permutation(SAMPLES)[:PLANTED], rng.permutation(TRAINED)[:PLANTED]
            copies = np.concatenate([alter(training.small[one : one + 1], rng) for one in source])
            found_there = training.nearest(copies, network(copies))
            verdict = judge(with_rows(clean["emblems"][index], places, found_there), baseline)
            found += len(set(places.tolist()) & set(verdict.copies.tolist()))
            accused += verdict.leaking
        share = round(found / (SETS * PLANTED), 4)
        figures.append((f"copies found at 1 %: {name}", share, "", f"{accused} of {SETS} sets called leaking"))
    for figure in figures:
        print(*figure)
    source_file = Path(arguments.data)
    data = {source_file.name: hashlib.sha256(source_file.read_bytes()).hexdigest()} if source_file.is_file() else {}
    command = "python benchmarks/leak_rates.py --data $CIFAR10_PARQUET"
    write_result("leak-rates", command, figures, seed=arguments.seed, data=data)


if __name__ == "__main__":
    main()
