"""Does a part for small sets help? Runs on a part of a set, with and without it, judged by pictures that were held out.

    python benchmarks/small_sets.py $CIFAR10_PARQUET --count 1000 --time 30m --seeds 3
    python benchmarks/small_sets.py $CIFAR10_PARQUET --rows plain,diffaugment --time "" --set steps=1200 threads=1 --no-record

The subset is the first `--count` pictures by position, unpacked into a folder a class; held out are the last 5,000. Every
row trains `--preset` equally long, grids and checkpoints not counted. Then, in the offline features, with as many samples
as the subset has pictures, so that the distances are biased alike:

    gap       Fréchet(samples, held out) - Fréchet(subset, held out): 0 is as good as the pictures themselves
    recall    how much of the held-out pictures' variety is drawn
    leak      samples that `sagan leak` takes for copies of the subset

The row `auto` is what `sagan train SUBSET` chooses, whatever `--preset` says. A row that was measured before is not run
again; `--out` is runs/small-sets-COUNT where nothing else is said. Writes
benchmarks/results/small-sets-COUNT.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from results_file import Figure, write_result

from sagan.data.config import DataConfig
from sagan.data.images import open_images
from sagan.presets import preset
from sagan.training.reporting import Saved
from sagan.workflows.choose import auto
from sagan.workflows.evaluate import evaluate
from sagan.workflows.leak import leak
from sagan.workflows.train import train

HELD_OUT = 5000
ADAPTIVE = {"augment": "adaptive"}
ROWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "auto": {},
    "diffaugment": {"augment": "diffaugment"},
    "adaptive": ADAPTIVE,
    "adaptive-blit": ADAPTIVE | {"aug_kinds": "blit"},
    "lecam": {"lecam": 0.3},
    "consistency": {"cr": 10.0},
    "balanced": {"cr": 10.0, "cr_fake": 10.0},
    "top-k": {"topk": 0.5},
    "lazy-r1": {"r1": 1.0, "penalty_every": 8},
    "diffaugment+lecam": {"augment": "diffaugment", "lecam": 0.3},
    "diffaugment+top-k": {"augment": "diffaugment", "topk": 0.5},
    "adaptive+lecam": ADAPTIVE | {"lecam": 0.3},
}


def unpack(source: str, numbers: np.ndarray, target: Path) -> Path:
    """Some pictures of a set as PNG files, a folder a class; done once."""
    done = target / "done"
    if done.exists():
        return target / "pictures"
    images = open_images(DataConfig(data=source), 32)
    pictures = images.pictures(numbers)
    for number, picture in zip(numbers.tolist(), pictures, strict=True):
        name = images.classes[images.labels[number]] if images.classes else "pictures"
        path = target / "pictures" / name / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    images.close()
    done.touch()
    return target / "pictures"


def distance(source: Path, held_out: Path, count: int) -> dict[str, float]:
    """The Fréchet distance of a run's samples, or of a set, to the held-out pictures; precision and recall."""
    found = evaluate(source, str(held_out), metrics=("frechet", "prdc"), n=count)
    return {one.metric: one.value for one in found.numbers}


def measure_row(name: str, seed: int, words: argparse.Namespace, subset: Path, held_out: Path) -> dict[str, Any]:
    """Train a row and measure it; what was measured before is read."""
    run = words.out / f"{name}-seed-{seed}"
    facts = run / "small-sets.json"
    if facts.exists():
        stored: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
        return stored
    chores = {"score": "off", "save_every": 0, "sample_every": 0, "log_every": 50, "health": "off"}
    options = {**chores, "time": words.time, "steps": 0, **ROWS[name], **tomllib.loads("\n".join(words.set))}
    options |= {"out": str(run), "seed": seed}
    config = auto(str(subset), **options) if name == "auto" else preset(words.preset, data=str(subset), **options)
    result = train(
        config, chores_count=False, watch=lambda event: print(event.path) if isinstance(event, Saved) else None
    )
    copies = leak(run, n=words.count, out=run / "leak.html").verdict
    last = json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    kept = {key: value for key, value in last.items() if key.startswith(("augment/", "lecam/", "logit/", "loss/"))}
    found = {"step": result.step, "seconds": result.seconds, **distance(run, held_out, words.count), "last": kept}
    found |= {"copies": len(copies.copies), "leaking": copies.leaking}
    facts.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a set of at least 5,000 pictures more than --count")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--preset", default="sagan-32-small")
    parser.add_argument("--time", default="30m")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", default=",".join(ROWS), help="some of " + ", ".join(ROWS))
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="for every row, as in TOML")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    words.out = words.out or Path("runs") / f"small-sets-{words.count}"
    images = open_images(DataConfig(data=words.source), 32)
    total = len(images)
    images.close()
    if total < words.count + HELD_OUT:
        parser.error(f"{total:,} pictures are fewer than {words.count:,} and {HELD_OUT:,} held out")
    subset = unpack(words.source, np.arange(words.count), words.out / "subset")
    held_out = unpack(words.source, np.arange(total - HELD_OUT, total), words.out / "held-out")
    floor = distance(subset, held_out, words.count)["frechet"]
    print(f"the subset itself: {floor:.4g}")
    figures: list[Figure] = [("the subset itself: distance", round(floor, 4), "", f"{words.count:,} pictures")]
    for name in words.rows.split(","):
        for seed in range(words.seeds):
            row = measure_row(name, seed, words, subset, held_out)
            gap = row["frechet"] - floor
            last = ", ".join(f"{key} {value:.3g}" for key, value in row["last"].items() if key.startswith("augment/"))
            print(
                f"{name:20s} seed {seed}  gap {gap:.4g}  recall {row['recall']:.3f}  precision {row['precision']:.3f}  "
                f"{row['copies']} copies  {row['step']:,} steps  {last}",
                flush=True,
            )
            note = f"{row['step']:,} steps" + (f", {last}" if last else "")
            figures += [
                (f"{name}, seed {seed}: gap", round(gap, 4), "", note),
                (f"{name}, seed {seed}: recall", round(row["recall"], 4), "", ""),
                (f"{name}, seed {seed}: copies", row["copies"], f"of {words.count}", "leaking" * row["leaking"]),
            ]
    if not words.no_record:
        path = Path(words.source)
        data = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}
        command = f"python benchmarks/small_sets.py {path.name} --count {words.count} --preset {words.preset}"
        command += (
            f" --time {words.time} --seeds {words.seeds} --rows {words.rows}"
            + f" --set {' '.join(words.set)}" * bool(words.set)
        )
        write_result(
            f"small-sets-{words.count}", command, figures, seed=0, note=f"{words.time} of training a run", data=data
        )


if __name__ == "__main__":
    main()
