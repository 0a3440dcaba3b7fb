"""Write docs/results.md and the tables of other pages from benchmarks/results/*.json, so that no
figure there is without its origin.

python scripts/results.py            write it
python scripts/results.py --check    only say whether it is up to date (part of `make check`)

One file is one measurement, in this form (`note`, `data` and `seed` may be left out):

    {
      "name": "attention-memory",                       the heading, and the file's name without .json
      "command": "python benchmarks/bench_attention.py",
      "date": "2027-01-31",
      "hardware": "2 cores of ..., 24 GiB, no GPU",
      "versions": {"sagan": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
      "seed": 0,
      "note": "what was measured and how it may be read",
      "data": {"cifar10-train.parquet": "<SHA-256>"},   every input file
      "figures": [{"name": "peak at 64x64, fused", "value": 12.5, "unit": "MiB", "note": "median of 5"}]
    }
"""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from markers import ROOT, cell, table, write_or_check
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sagan.presets import PRESETS

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"
LINEAGE_PAGE = ROOT / "docs" / "lineage.md"
RELIABILITY_PAGE = ROOT / "docs" / "reliability.md"
PERFORMANCE_PAGE = ROOT / "docs" / "performance.md"
ABLATION_PAGE = ROOT / "docs" / "is-attention-helping.md"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figure(Strict):
    """One measured number. An empty unit means a plain number or a share."""

    name: str = Field(min_length=1)
    value: float
    unit: str
    note: str = ""


class Result(Strict):
    """One measurement: what was run, where, when, with what, and what came out."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    command: str = Field(min_length=1)
    date: datetime.date
    hardware: str = Field(min_length=1)
    versions: dict[str, str] = Field(min_length=1)
    seed: int | None = None
    note: str = ""
    data: dict[str, str] = {}
    figures: tuple[Figure, ...] = Field(min_length=1)


def read(path: Path) -> Result:
    """One result; ValueError with a line that names the file and what is wrong in it."""
    try:
        result = Result.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{path.name}: {place}: {first['msg']}") from None
    if result.name != path.stem:
        raise ValueError(f"{path.name}: the name inside is {result.name!r}; it must be the file's own")
    return result


def number(value: float) -> str:
    """Whole numbers in full, others with four digits that count."""
    if value == int(value) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def section(result: Result) -> str:
    """One result as a heading, its origin and its figures."""
    origin = [
        f"`{result.command}`",
        result.date.isoformat(),
        result.hardware,
        ", ".join(f"{name} {version}" for name, version in result.versions.items()),
    ]
    if result.seed is not None:
        origin.append(f"seed {result.seed}")
    parts = [f"### {result.name}", cell(" · ".join(origin))]
    if result.note:
        parts.append(result.note)
    if result.data:
        parts.append(
            "Inputs: " + ", ".join(f"{name} (SHA-256 `{digest}`)" for name, digest in result.data.items()) + "."
        )
    parts.append(
        table(["figure", "value", "unit", "note"], [[f.name, number(f.value), f.unit, f.note] for f in result.figures])
    )
    return "\n\n".join(parts)


def index(folder: Path = RESULTS) -> str:
    """All results in the order of their names."""
    paths = sorted(folder.glob("*.json"))
    return "\n\n".join(section(read(path)) for path in paths) or "Nothing has been recorded yet."


LINEAGE = "lineage-"
SHARES = ("silhouette", "beacons", "mirror", "structure")


def lineage(folder: Path = RESULTS, images: Path = ROOT / "docs" / "images") -> str:
    """The presets that were trained side by side: a table of scores, then each one's pictures and curves."""
    rows: list[list[object]] = []
    pictures: list[str] = []
    for name in PRESETS:
        path = folder / f"{LINEAGE}{name}.json"
        if not path.exists():
            continue
        figures = {figure.name: figure for figure in read(path).figures}
        trained = next(figure.removesuffix(": structure") for figure in figures if figure.startswith("step "))
        shares = [f"{figures[f'{trained}: {share}'].value:.1%}" for share in SHARES]
        minutes = figures["training time"].value / 60
        rows.append([f"`{name}`", trained.removeprefix("step "), f"{minutes:.0f}", *shares])
        parts = [f"![{name} after {minutes:.0f} minutes](images/{LINEAGE}{name}.png)"]
        if (images / f"{LINEAGE}{name}-curves.png").exists():
            parts.append(f"[Its curves](images/{LINEAGE}{name}-curves.png).")
        pictures.append(f"**`{name}`**\n\n" + "\n\n".join(parts))
    if not rows:
        return "Not trained yet."
    columns = ["preset", "steps", "minutes", "outlines right", "beacons right", "mirrored", "structure score"]
    return "\n\n".join([table(columns, rows), *pictures])


def first_steps(images: Path = ROOT / "docs" / "images") -> str:
    """What every preset draws of the CIFAR-10 pictures after its first hundred steps."""
    found = [name for name in PRESETS if (images / f"{LINEAGE}100-{name}.png").exists()]
    parts = [f"**`{name}`**\n\n![{name} after 100 steps](images/{LINEAGE}100-{name}.png)" for name in found]
    return "\n\n".join(parts) or "Not trained yet."


RELIABILITY = "reliability-"
COUNTS = ("tried", "held", "time")


def proofs(folder: Path = RESULTS) -> str:
    """What each promise of docs/reliability.md was put to, and how often it held."""
    rows: list[list[object]] = []
    for path in sorted(folder.glob(f"{RELIABILITY}*.json")):
        result = read(path)
        figures = {figure.name: figure.value for figure in result.figures}
        facts = "; ".join(f"{name}: {number(value)}" for name, value in figures.items() if name not in COUNTS)
        held = f"{figures['held']:,.0f} of {figures['tried']:,.0f}"
        seconds = f"{figures['time']:,.0f} s"
        rows.append([result.note, held, facts, f"`{result.command}`", f"seed {result.seed}, {seconds}, {result.date}"])
    columns = ["promise", "held", "among them", "command", "when"]
    return table(columns, rows) if rows else "Nothing has been recorded yet."


FASTER, PEAK = "ours is faster than ", "peak of a convolution in "


def training_speed(folder: Path = RESULTS) -> str:
    """Each training step that was timed, beside a peer's where one was there."""
    rows: list[list[object]] = []
    for path in sorted(folder.glob("step-*.json")):
        result = read(path)
        figures = {figure.name: figure for figure in result.figures}
        for name in [name for name in figures if name.startswith(FASTER)]:
            peer = name.removeprefix(FASTER)
            seconds = [f"{number(figures[f'{side}: a step'].value)} s" for side in ("ours", peer)]
            how = "alternating processes" if "--as-shipped" in result.command else "one process"
            share = f"{figures['share of the peak, by the former'].value:.0%}"
            times = f"{figures[name].value:.2f} ({figures[name].note})"
            network, arithmetic = f"`{result.command.split()[2]}`", "bf16" if PEAK + "bf16" in figures else "fp32"
            rows.append([network, peer, how, arithmetic, *seconds, times, share, result.hardware])
    columns = ["network", "peer", "timed in", "arithmetic", "ours", "theirs", "times faster", "share of the peak", "on"]
    return table(columns, rows) if rows else "Nothing has been recorded yet."


def pieces(folder: Path = RESULTS) -> str:
    """What a step takes without each piece of the fast path."""
    rows: list[list[object]] = []
    for path in sorted(folder.glob("pieces-*.json")):
        result = read(path)
        for figure in result.figures[1:]:
            piece = figure.name.removesuffix(", a step takes")
            rows.append(
                [piece, f"`{result.command.split()[2]}`", f"{number(figure.value)} times", figure.note, result.hardware]
            )
    columns = ["without", "network", "a step takes", "spread", "on"]
    return table(columns, rows) if rows else "Nothing has been recorded yet."


ABLATION = "ablation-"


def ablations(folder: Path = RESULTS, images: Path = ROOT / "docs" / "images") -> str:
    """The rows of every recorded ablation, a table for each question, and its chart."""
    parts: list[str] = []
    for path in sorted(folder.glob(f"{ABLATION}*.json")):
        result = read(path)
        parts.append(f"### On {result.name.removeprefix(ABLATION)}")
        parts.append(f"`{result.command}`, {result.date}, {result.hardware}. {result.note}".strip())
        questions: dict[str, list[list[object]]] = {}
        for figure in result.figures:
            question, _, row = figure.name.partition(": ")
            questions.setdefault(question, []).append([row, number(figure.value), figure.note])
        for question, rows in questions.items():
            parts.append(table([question, "mean", "over the seeds"], rows))
        if (images / f"{path.stem}.png").exists():
            parts.append(f"![Every cell of the ablation as a dot](images/{path.stem}.png)")
    return "\n\n".join(parts) or "Not run yet."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when the page is stale")
    check = parser.parse_args().check
    try:
        body, side_by_side = index(), lineage()
    except ValueError as error:
        print(f"benchmarks/results/{error}", file=sys.stderr)
        return 1
    pages = {
        PAGE: {"results": body},
        LINEAGE_PAGE: {"lineage": side_by_side, "first steps": first_steps()},
        RELIABILITY_PAGE: {"proofs": proofs()},
        PERFORMANCE_PAGE: {"training": training_speed(), "pieces": pieces()},
        ABLATION_PAGE: {"ablations": ablations()},
    }
    return write_or_check(pages, check=check, command="python scripts/results.py")


if __name__ == "__main__":
    raise SystemExit(main())
