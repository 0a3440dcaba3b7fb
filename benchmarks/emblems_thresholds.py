"""Measure the thresholds of the emblem scorer on real pictures outside the training set.

    python benchmarks/emblems_thresholds.py [--count 8192]

Writes benchmarks/results/emblems-thresholds.json and prints the table for `sagan.data.emblem_score.THRESHOLDS`. A
threshold is the 99 % quantile of its measurement, rounded outwards; the beacons' test has two measurements, at 99.5 %
each. The shares in the file are measured with these thresholds on as many further pictures. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import asdict

import numpy as np
from results_file import Figure, write_result

from sagan.data.emblem_score import Measurements, Thresholds, measure, passes
from sagan.data.emblems import RESOLUTIONS, SET_SIZE, render

SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=SET_SIZE, help="pictures to measure at each resolution")
    options = parser.parse_args()

    figures: list[Figure] = []
    for resolution in RESOLUTIONS:
        limits, rows = measure_resolution(resolution, options.count)
        figures += [(f"{resolution} px: {name}", value, unit, note) for name, value, unit, note in rows]
        values = ", ".join(f"{name}={value}" for name, value in asdict(limits).items())
        print(f"    {resolution}: Thresholds({values}),")
    first, second, last = SET_SIZE, SET_SIZE + options.count, SET_SIZE + 2 * options.count
    note = f"Thresholds from the real pictures {first} to {second - 1}; shares of the pictures {second} to {last - 1}."
    command = f"python benchmarks/emblems_thresholds.py --count {options.count}"
    write_result("emblems-thresholds", command, figures, seed=SEED, note=note)


def measure_resolution(resolution: int, count: int) -> tuple[Thresholds, list[Figure]]:
    """Thresholds at one resolution, and the shares of other real pictures that pass with them."""
    limits = outer_quantiles(measure_real(SET_SIZE, count, resolution))
    start = time.perf_counter()
    fresh = passes(measure_real(SET_SIZE + count, count, resolution), limits)
    seconds = time.perf_counter() - start
    shares = {name: float(test.mean()) for name, test in fresh.items()}
    shares["structure"] = float(np.logical_and.reduce(list(fresh.values())).mean())
    figures: list[Figure] = [(f"threshold {name}", value, "", "") for name, value in asdict(limits).items()]
    figures += [(f"share passing: {name}", round(share, 4), "", "") for name, share in shares.items()]
    return limits, [*figures, ("drawing and measuring", round(seconds, 1), "s", f"{count} pictures, one core")]


def measure_real(first: int, count: int, resolution: int) -> Measurements:
    pictures, labels = render(np.arange(first, first + count), resolution, SEED)
    return measure(pictures, labels)


def outer_quantiles(found: Measurements) -> Thresholds:
    return Thresholds(
        mirror_error=math.ceil(np.quantile(found.mirror_error, 0.99) * 1000) / 1000,
        beacon_fit=math.floor(np.quantile(found.beacon_fit, 0.005) * 1000) / 1000,
        hue_difference=math.ceil(np.quantile(found.hue_difference, 0.995) * 10) / 10,
        overlap=math.floor(np.quantile(found.overlap, 0.01) * 1000) / 1000,
    )


if __name__ == "__main__":
    main()
