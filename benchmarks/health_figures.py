"""How well the health watch tells failing runs from sound ones.

    python benchmarks/health_figures.py tune        20 + 20 runs, by which the limits of the watch were set
    python benchmarks/health_figures.py report      40 + 40 fresh ones; writes benchmarks/results/health.json

Emblems at 16x16, narrow networks, one thread, a quarter of a minute a run; settings and seeds of `report` are others than
those of `tune`. Whether a run failed, and since when, is decided without the watch, from pixels that the watch never sees
(health_truth.py). A run that was broken on purpose but did not fail, or was meant to be sound but failed, says nothing about
the watch: the next seed takes its place, and how many these were is recorded with the rest. Each run's numbers are kept in
`--out`, so that a run that is there is not trained again; `--only` trains one kind and stops.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from health_settings import PROVOKED, SOUND, Setting
from health_truth import LOOKS, Row, Truth, failed, onset
from results_file import Figure, write_result

from sagan.data.batches import Batches
from sagan.data.images import open_images
from sagan.errors import NumericError
from sagan.health.judge import Judgement, Watcher, patience_of
from sagan.health.signs import FAILING
from sagan.presets import preset
from sagan.runtime import Runtime
from sagan.training.config import LOSS_ALIASES
from sagan.training.game import new_game
from sagan.training.step import train_step
from sagan.workflows.health import Observer

EVERY = 16
COUNTS = {"tune": 20, "report": 40}
WITHIN = 2  # looks after the onset
MOST_TRIES = 3  # times the count: then the settings do not do what they are for
COST_STEPS = 10


@dataclass(frozen=True)
class Run:
    """One run: its name, its setting's, and its rows, the untrained network's first."""

    name: str
    setting: Setting
    rows: list[Row]

    def judgements(self) -> list[Judgement]:
        """What the watch says, look by look."""
        options = self.setting.options
        loss = LOSS_ALIASES.get(options.get("loss", "hinge"), options.get("loss", "hinge"))
        watcher = Watcher(loss, patience_of(rate=options["g_lr"], ema=options["ema"]))
        return [watcher.look(row) for row in self.rows[1:] if "broke" not in row]


@dataclass(frozen=True)
class Gathered:
    """runs: that are what they were meant to be.  others: that are not."""

    runs: list[Run]
    others: list[Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=COUNTS)
    parser.add_argument("--out", type=Path, default=Path("runs/health"))
    parser.add_argument("--count", type=int, help="runs of each kind; figures are then only shown")
    parser.add_argument("--only", choices=("failing", "sound"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    truth, count = Truth(), arguments.count or COUNTS[arguments.part]
    found = {}
    for kind, settings in (("failing", PROVOKED), ("sound", SOUND)):
        if arguments.only in (None, kind):
            file = arguments.out / f"{arguments.part}-{kind}.jsonl"
            found[kind] = gather(file, settings[arguments.part], count, truth, failing=kind == "failing")
    if arguments.only:
        return
    figures = measure(found["failing"], found["sound"])
    if arguments.part == "report" and not arguments.count:
        figures += cost()
        note = (
            f"Emblems at 16x16, {LOOKS * EVERY} steps a run, a look every {EVERY}; limits set on {COUNTS['tune']} + "
            f"{COUNTS['tune']} runs of other settings and seeds."
        )
        write_result("health", "python benchmarks/health_figures.py report", figures, seed=1000, note=note)
    for name, value, unit, note in figures:
        print(f"{name:64s} {value:g} {unit}  {note}")


def gather(file: Path, settings: list[Setting], count: int, truth: Truth, *, failing: bool) -> Gathered:
    """Go through the settings, seed after seed, until `count` runs are what they were meant to be."""
    known = (
        {row["name"]: row["rows"] for row in map(json.loads, file.read_text().splitlines())} if file.exists() else {}
    )
    found = Gathered([], [])
    for number in range(MOST_TRIES * count):
        setting, seed = settings[number % len(settings)], settings[0].first_seed + number // len(settings)
        name = f"{setting.name}, seed {seed}"
        if name not in known:
            start = time.process_time()
            known[name] = trace(setting, seed, truth)
            with file.open("a") as lines:
                lines.write(json.dumps({"name": name, "rows": known[name]}) + "\n")
            print(f"{name}: {time.process_time() - start:.1f} s of processor time", file=sys.stderr, flush=True)
        run = Run(name, setting, known[name])
        (found.runs if failed(run.rows) == failing else found.others).append(run)
        if len(found.runs) == count:
            return found
    sys.exit(f"only {len(found.runs)} of {MOST_TRIES * count} runs are {'failing' if failing else 'sound'}")


def trace(setting: Setting, seed: int, truth: Truth) -> list[Row]:
    """Train one run: what the watch measures at each look, and the truth."""
    config = preset("sagan-32-small", **setting.options, seed=seed)
    images = setting.choose(open_images(config.data, 16), seed)
    game = new_game(config.model, config.training, len(images.classes), Runtime(torch.device("cpu"), 1))
    observer = Observer(images)
    rows: list[Row] = [{"step": 0} | truth.measure(game.averaged.model)]
    with Batches(images, batch_size=config.training.batch_size, seed=seed, mirror=config.data.mirror) as batches:
        for look in range(1, LOOKS + 1):
            if look == LOOKS // 2:
                game.config = game.config.model_copy(update=setting.later)
            try:
                for _ in range(EVERY):
                    report = train_step(game, batches)
            except NumericError:  # not finite any more: a failure, and the guard's business
                return [*rows, {"step": game.step, "broke": 1.0}]
            rows.append(observer.row(game, report) | truth.measure(game.averaged.model))
    return rows


def measure(failing: Gathered, sound: Gathered) -> list[Figure]:
    """What the watch made of them."""
    delays, kinds, missed = [], Counter[str](), []
    for run in failing.runs:
        start, said = onset(run.rows), run.judgements()
        if any(judgement.failing for judgement in said[start - 1 : start + WITHIN]):
            first = next(look for look, judgement in enumerate(said, 1) if judgement.failing)
            delays.append(first - start)
            kinds[next(one.verdict for one in said[start - 1 : start + WITHIN] if one.failing)] += 1
        else:
            missed.append(run.name)
    alarms = [run.name for run in sound.runs if any(judgement.failing for judgement in run.judgements())]
    alarmed = [run.name for run in failing.others if any(judgement.failing for judgement in run.judgements())]
    total = len(failing.runs)
    return [
        (f"failing runs flagged within {WITHIN} looks", len(delays), "", f"of {total}; missed: {listed(missed)}"),
        ("false alarms in sound runs", len(alarms), "", f"of {len(sound.runs)}; {listed(alarms)}"),
        (
            "looks from the onset to the verdict, median",
            statistics.median(delays),
            "",
            f"{min(delays)} to {max(delays)}",
        ),
        *((f"called {verdict}", kinds[verdict], "", "of those flagged") for verdict in FAILING),
        (
            "broken on purpose, but not failed",
            len(failing.others),
            "",
            f"left out; flagged all the same: {len(alarmed)}",
        ),
        (
            "meant to be sound, but failed",
            len(sound.others),
            "",
            f"left out; {listed([run.name for run in sound.others])}",
        ),
    ]


def cost() -> list[Figure]:
    """What a look costs beside the steps from one to the next, by processor time, with the presets' own sizes."""
    figures: list[Figure] = []
    for name in ("demo", "sagan-32-small"):
        config = preset(name, data="emblems", precision="fp32", device="cpu", threads=1)
        images = open_images(config.data, config.model.resolution)
        game = new_game(config.model, config.training, len(images.classes), Runtime(torch.device("cpu"), 1))
        observer = Observer(images)
        with Batches(images, batch_size=config.training.batch_size, seed=0) as batches:
            report = train_step(game, batches)
            observer.row(game, report)
            steps = seconds(lambda game=game, batches=batches: train_step(game, batches), COST_STEPS)
        looks = seconds(lambda game=game, observer=observer, report=report: observer.row(game, report), COST_STEPS)
        share = looks / (config.training.health_every * steps)
        figures.append(
            (f"cost of watching, {name}", round(100 * share, 3), "%", f"a look {looks:.3f} s, a step {steps:.3f} s")
        )
    return figures


def seconds(work: object, times: int) -> float:
    """Median of the processor time of a call."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()  # type: ignore[operator]
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def listed(names: list[str]) -> str:
    return "; ".join(names) or "none"


if __name__ == "__main__":
    main()
