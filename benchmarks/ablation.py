"""Run the paper's ablations and record what came out.

    python benchmarks/ablation.py --time 5m --seeds 3                                      every row, on the emblems
    python benchmarks/ablation.py $CIFAR10_PARQUET --rows attention,spectral --time 15m    two questions, on CIFAR-10

The words are those of `sagan ablate`, which this runs and which goes on where it stopped; `--out` is runs/ablation-DATA where
nothing else is said. Writes benchmarks/results/ablation-DATA.json, of which docs/is-attention-helping.md is made, and
docs/images/ablation-DATA.png. `--name` and `--note` go with the result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from results_file import Figure, write_result

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"


def figures_of(facts: dict[str, Any]) -> list[Figure]:
    """One figure a row: 'attention: residual block at 8' with its mean, and everything else in its note."""
    headline, found = facts["measure"]["headline"], []
    for group in facts["groups"]:
        for row in group["rows"]:
            cells = row["cells"].values()
            failed = [cell["failed"] for cell in cells if cell["failed"]]
            numbers = [cell["values"][headline] for cell in cells if not cell["failed"]]
            name = f"{group['title']}: {row['label']}"
            if not numbers:
                found.append((f"{name}, failed", float(len(failed)), "seeds", failed[0] if failed else "no cells"))
                continue
            steps = sum(cell["step"] for cell in cells if not cell["failed"]) / len(numbers)
            note = [
                f"{min(numbers):.4g} to {max(numbers):.4g} over {len(numbers)} {'seed' if len(numbers) == 1 else 'seeds'}",
                f"{steps:,.0f} steps",
            ]
            if row["better_in"] is not None:
                note.append(f"better than the first row in {row['better_in']} of {len(row['differences'])}")
            note += [f"{len(failed)} failed: {failed[0]}"] if failed else []
            found.append((name, round(row["values"][headline]["mean"], 6), "", "; ".join(note)))
    return found


def note_of(facts: dict[str, Any], more: str) -> str:
    base = facts["base"]
    budget = base["time"] or f"{base['steps']} steps"
    names = {"lower": "lower is better", "higher": "higher is better", "neither": "ranks nothing"}
    measured = f"{facts['measure']['protocol']} ({names[facts['measure']['better']]})"
    words = f"{measured}; preset {base['preset']}, {budget} of training a cell, {facts['jobs']} cells at a time"
    return f"{words}. {more}".strip()


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="emblems")
    parser.add_argument("--name", help="of the result; the data's name otherwise")
    parser.add_argument("--note", default="", help="a sentence for the result")
    parser.add_argument("--out", help="the folder of the ablation")
    known, others = parser.parse_known_args()
    path = Path(known.data)
    name = known.name or ("emblems" if known.data == "emblems" else path.stem.lower().replace("_", "-"))
    out = known.out or f"runs/ablation-{name}"
    done = subprocess.run([sys.executable, "-m", "sagan", "ablate", known.data, *others, "--out", out])
    if done.returncode:
        sys.exit(done.returncode)
    facts = json.loads((Path(out) / "ablation.json").read_text(encoding="utf-8"))
    command = " ".join(["python benchmarks/ablation.py", *([path.name] if path.is_file() else []), *others])
    data = {path.name: digest(path)} if path.is_file() else {}
    write_result(
        f"ablation-{name}",
        command,
        figures_of(facts),
        seed=facts["seeds"][0],
        note=note_of(facts, known.note),
        data=data,
    )
    IMAGES.mkdir(exist_ok=True)
    shutil.copy(Path(out) / "ablation.png", IMAGES / f"ablation-{name}.png")


if __name__ == "__main__":
    main()
