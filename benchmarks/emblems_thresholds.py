"""Measure the thresholds of the emblem scorer on real pictures outside the training set.

    python benchmarks/emblems_thresholds.py [--count 8192]

Writes benchmarks/results/emblems-thresholds.json and prints the table for `sagan.data.emblem_score.THRESHOLDS`. A
threshold is the 99 % quantile of its measurement, rounded outwards; the beacons' test has two measurements, at 99.5 %
each. The shares in the file are measured with these thresholds on as many further pictures. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sagan import __version__
from sagan.data.emblem_score import Measurements, Thresholds, measure, passes
from sagan.data.emblems import RESOLUTIONS, SET_SIZE, render

RESULT = Path(__file__).parent / "results" / "emblems-thresholds.json"
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=SET_SIZE, help="pictures to measure at each resolution")
    parser.add_argument("--result", type=Path, default=RESULT, help="where the JSON goes")
    options = parser.parse_args()

    rows = {str(resolution): measure_resolution(resolution, options.count) for resolution in RESOLUTIONS}
    record = {
        "command": f"python benchmarks/emblems_thresholds.py --count {options.count}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"sagan": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "hardware": {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        "seed": SEED,
        "pictures": options.count,
        "measured_ids": [SET_SIZE, SET_SIZE + options.count],
        "checked_ids": [SET_SIZE + options.count, SET_SIZE + 2 * options.count],
        "resolutions": rows,
    }
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for resolution, row in rows.items():
        limits = ", ".join(f"{name}={value}" for name, value in row["thresholds"].items())
        print(f"    {resolution}: Thresholds({limits}),")


def measure_resolution(resolution: int, count: int) -> dict[str, dict[str, float]]:
    """Thresholds at one resolution, and the shares of other real pictures that pass with them."""
    limits = outer_quantiles(measure_real(SET_SIZE, count, resolution))
    start = time.perf_counter()
    fresh = passes(measure_real(SET_SIZE + count, count, resolution), limits)
    seconds = time.perf_counter() - start
    shares = {name: round(float(test.mean()), 4) for name, test in fresh.items()}
    shares["structure"] = round(float(np.logical_and.reduce(list(fresh.values())).mean()), 4)
    return {
        "thresholds": asdict(limits),
        "shares": shares,
        "seconds": {"drawing and measuring the checked pictures": round(seconds, 1)},
    }


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
