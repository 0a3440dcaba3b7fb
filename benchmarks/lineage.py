"""Train the presets of the lineage side by side and record what came out.

    python benchmarks/lineage.py emblems --time 20m                    every 32x32 preset on the built-in emblems
    python benchmarks/lineage.py pictures $CIFAR10_PARQUET             every 32x32 and 64x64 preset for 100 steps at batch 32

`emblems` leaves runs/lineage-PRESET, benchmarks/results/lineage-PRESET.json (structure score, steps, time) and the last grid
and the curves in docs/images/. `pictures` leaves runs/lineage-100-PRESET, the last grids in docs/images/, and
benchmarks/results/lineage-100-steps.json. Name presets behind the words to train only these. A run that is there goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from results_file import RESULTS, Figure, write_result

from sagan.presets import PRESETS, preset
from sagan.training.reporting import read_log

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
STEPS, BATCH = 100, 32


def presets_of(*sides: int) -> list[str]:
    """The presets with pictures of these sizes, but for the demo."""
    return [name for name in PRESETS if name != "demo" and preset(name).model.resolution in sides]


def train(words: list[str]) -> None:
    """`sagan train` in a process of its own; ends this script when it fails."""
    done = subprocess.run([sys.executable, "-m", "sagan", "train", *words], cwd=ROOT)
    if done.returncode:
        sys.exit(f"sagan train {' '.join(words)} ended with {done.returncode}")


def keep_pictures(run: Path, name: str, *, curves: bool) -> None:
    """The last grid of a run, and its curves, for the docs."""
    grid = max((run / "samples").glob("step-*.png"))
    shutil.copy(grid, IMAGES / f"{name}.png")
    if curves:
        shutil.copy(run / "curves.png", IMAGES / f"{name}-curves.png")


def on_emblems(names: list[str], time: str, threads: int, note: str) -> None:
    for name in names:
        run = ROOT / "runs" / f"lineage-{name}"
        words = ["--preset", name, "--data", "emblems", "--time", time, "--threads", str(threads)]
        train([*words, "--sample-every", "50", "--out", str(run.relative_to(ROOT))])
        score = [
            sys.executable,
            "benchmarks/structure_score.py",
            str(run.relative_to(ROOT)),
            "--name",
            f"lineage-{name}",
        ]
        said = f"{preset_words(name)}; `python benchmarks/lineage.py emblems {name} --time {time} --threads {threads}`. {note}"
        subprocess.run([*score, "--note", said.strip()], cwd=ROOT, check=True)
        keep_pictures(run, f"lineage-{name}", curves=True)


def preset_words(name: str) -> str:
    training = preset(name).training
    return f"{time_words(training.n_dis)} a step at batch {training.batch_size}, by the published recipe"


def time_words(updates: int) -> str:
    return "one discriminator update" if updates == 1 else f"{updates} discriminator updates"


def on_pictures(names: list[str], data: Path, threads: int, note: str) -> None:
    for name in names:
        run = ROOT / "runs" / f"lineage-100-{name}"
        fakes = preset(name).training.fakes * BATCH // preset(name).training.batch_size
        words = [str(data), "--preset", name, "--batch-size", str(BATCH), "--g-batch", str(fakes)]
        train([*words, "--steps", str(STEPS), "--threads", str(threads), "--out", str(run.relative_to(ROOT))])
        rows = [row for row in read_log(run / "log.jsonl") if "loss/generator" in row]
        assert rows[-1]["step"] == STEPS, rows[-1]
        cores = f"{threads} {'thread' if threads == 1 else 'threads'}"
        last = f"loss D {rows[-1]['loss/discriminator']:.3f}, G {rows[-1]['loss/generator']:.3f}; {cores}"
        figures = known_figures(RESULTS / "lineage-100-steps.json")  # read late: another one may train beside this
        figures[name] = (name, round(rows[-1]["seconds"] / STEPS, 3), "s a step", last)
        keep_pictures(run, f"lineage-100-{name}", curves=False)
        write_result(
            "lineage-100-steps",
            "python benchmarks/lineage.py pictures $CIFAR10_PARQUET",
            figures.values(),
            seed=0,
            note=f"{STEPS} generator steps at batch {BATCH} on the CIFAR-10 pictures, all values finite. {note}".strip(),
        )


def known_figures(path: Path) -> dict[str, Figure]:
    if not path.exists():
        return {}
    known = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {entry["name"]: tuple(entry.values()) for entry in known}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("on", choices=("emblems", "pictures"))
    parser.add_argument("names", nargs="*", help="presets; for `pictures` the data first")
    parser.add_argument("--time", default="20m")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--note", default="", help="a sentence for the results")
    arguments = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    if arguments.on == "emblems":
        on_emblems(arguments.names or presets_of(32), arguments.time, arguments.threads, arguments.note)
        return
    if not arguments.names:
        sys.exit("pictures: name the data first")
    data, *names = arguments.names
    on_pictures(names or presets_of(32, 64), Path(data), arguments.threads, arguments.note)


if __name__ == "__main__":
    main()
