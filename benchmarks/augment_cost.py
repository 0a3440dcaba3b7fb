"""What each part for small sets adds to a training step.

    python benchmarks/augment_cost.py sagan-32-small

Steps of games that differ in one part take turns, in one process. Writes benchmarks/results/augment-cost-PRESET.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import repeat

import torch
from results_file import Figure, write_result
from timing import interleave, median, ratio, spread

from sagan.data.batches import Batch
from sagan.presets import preset
from sagan.runtime import choose_runtime
from sagan.training.game import new_game
from sagan.training.step import train_step

PARTS = {
    "plain": {},
    "diffaugment": {"augment": "diffaugment"},
    "adaptive": {"augment": "adaptive", "aug_p": 0.5},
    "lecam": {"lecam": 0.3},
    "consistency of real pictures": {"cr": 10.0},
    "consistency of both": {"cr": 10.0, "cr_fake": 10.0},
    "top-k": {"topk": 0.5},
}
CLASSES = 10


def step_of(name: str, options: dict[str, object]) -> Callable[[], object]:
    config = preset(name, **options)
    game = new_game(config.model, config.training, CLASSES, choose_runtime())
    side, count = config.model.resolution, config.training.batch_size
    pixels = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    batches = repeat(Batch(pixels, torch.randint(CLASSES, (count,)), torch.arange(count)))
    return lambda: train_step(game, batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="sagan-32-small")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    torch.manual_seed(0)
    samples = interleave({name: step_of(words.preset, part) for name, part in PARTS.items()}, rounds=words.rounds)
    figures: list[Figure] = []
    for name, measured in samples.items():
        figures.append((f"a step, {name}", round(median(measured), 4), "s", spread(measured)))
        if name != "plain":
            middle, low, high = ratio(measured, samples["plain"])
            figures.append((f"{name}: times a plain step", round(middle, 3), "", f"{low:.3f} to {high:.3f}"))
    for figure in figures:
        print(*figure)
    if not words.no_record:
        command = f"python benchmarks/augment_cost.py {words.preset}"
        write_result(f"augment-cost-{words.preset}", command, figures, seed=0)


if __name__ == "__main__":
    main()
