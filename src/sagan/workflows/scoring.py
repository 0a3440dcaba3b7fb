"""How good a run's pictures are while it trains: one cheap score at each checkpoint, and the best checkpoint by it.

On emblems the structure score, where the truth is known; on other pictures the Fréchet distance in the offline features, of as
many pictures as can be drawn between two steps. It orders the checkpoints of one run; `sagan evaluate` compares runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sagan.checkpoint.retention import read_best, write_best
from sagan.config import RunConfig
from sagan.data.emblem_score import score
from sagan.data.images import EMBLEMS, ImageSet
from sagan.disk import append_line
from sagan.engines import fold
from sagan.errors import CheckpointError
from sagan.metrics.cache import FeatureCache
from sagan.metrics.offline import offline_features
from sagan.metrics.quick import quick_score, quick_statistics
from sagan.models.network import Generator
from sagan.runtime import cache_folder
from sagan.sampling import draw
from sagan.training.reporting import Note, Watch, read_log
from sagan.workflows.run_folder import RunFolder

SCORED = 512  # emblems a score
FEWEST = 1000  # real pictures for a Fréchet distance that means something
WORTH_SAYING = 3  # scores without a gain


@dataclass(frozen=True)
class Scorer:
    """of: numbers of a generator in eval mode.  headline: the one that decides.  higher: whether more of it is better."""

    of: Callable[[Generator], dict[str, float]]
    headline: str
    higher: bool
    protocol: str


@dataclass(frozen=True)
class Standing:
    """best: the step with the best score.  since: scores after it that were no better."""

    best: int
    since: int


def scorer_of(config: RunConfig, images: ImageSet) -> Scorer | None:
    """What scores the pictures of a run; None where the record has it off, or nothing cheap would mean anything.

    Opening it looks at up to 10,000 real pictures once, which takes some seconds; the features are kept in the user's cache.
    """
    if config.output.score == "off" or images.channels != 3:
        return None
    if config.data.data == EMBLEMS:
        labels = images.classes
        return Scorer(
            lambda generator: _structure(generator, len(labels)),
            "structure",
            True,
            f"structure score, {SCORED} pictures, averaged generator",
        )
    if len(images) < FEWEST:
        return None
    recipe = f"{config.data.fit} {config.data.background}"
    known = quick_statistics(offline_features(), images, recipe=recipe, cache=FeatureCache(cache_folder()))

    def distances(generator: Generator) -> dict[str, float]:
        engine = fold(generator)
        return quick_score(lambda seeds: draw(generator, seeds, engine=engine), known)

    return Scorer(distances, "frechet", False, known.protocol)


def _structure(generator: Generator, classes: int) -> dict[str, float]:
    """Without classes each picture is compared with the class that it is nearest to."""
    labels = np.arange(SCORED) % classes if classes else None
    shares = score(draw(generator, range(SCORED), None if labels is None else labels.tolist()), labels)
    return {name: float(getattr(shares, name)) for name in ("mirror", "beacons", "silhouette", "structure")}


def score_checkpoint(folder: RunFolder, scorer: Scorer, generator: Generator, step: int, watch: Watch) -> Standing:
    """Score the generator of a step, write the numbers into the log, and remember the step if it is the best.

    Raises ResourceError when the disk does not let it be remembered.
    """
    values = scorer.of(generator)
    line = {"step": step} | {f"score/{name}": float(f"{value:.6g}") for name, value in values.items()}
    append_line(folder.log, json.dumps(line | {"protocol": scorer.protocol}))
    try:
        best = read_best(folder.path)
    except CheckpointError as error:
        watch(Note(f"Warning: {error}"))
        best = None
    value = values[scorer.headline]
    better = best is None or best.protocol != scorer.protocol
    if best is not None and not better:
        better = value >= best.value if scorer.higher else value <= best.value
    if best is None or better:
        write_best(folder.path, step, value, scorer.protocol)
        return Standing(step, 0)
    name = f"score/{scorer.headline}"
    return Standing(best.step, sum(row["step"] > best.step and name in row for row in read_log(folder.log)))
