"""The figures of an evaluation: as a table for a person, and as a file for the next one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from sagan.checkpoint.strict_json import parse_strict_json
from sagan.data.image_set import ImageSet
from sagan.disk import disk_errors, read_whole
from sagan.errors import CheckpointCorrupt, ConfigError
from sagan.metrics.features import FeatureNetwork
from sagan.metrics.protocol import Number, require_alike
from sagan.workflows.subjects import Subject

WORDS = {
    "frechet": "Fréchet distance",
    "kid": "kernel distance (KID)",
    "inception_score": "classifier score, 10 splits",
    "inception_score_whole": "classifier score, whole set",
    "precision": "precision: how many drawn ones look real",
    "recall": "recall: how much of the real variety is drawn",
    "density": "density: how deep they lie among real ones",
    "coverage": "coverage: real pictures with a drawn one near",
    "intra_frechet": "Fréchet distance inside classes, mean",
    "classification_accuracy": "real pictures named right by a classifier of drawn ones",
}
SPREADS = {"kid": "kid_spread", "inception_score": "inception_score_spread"}


def table(
    network: FeatureNetwork, numbers: list[Number], floor: list[Number], earlier: list[Number]
) -> list[tuple[str, str]]:
    """What, its value, what real pictures get, and which way is better; what changed since `earlier`.

    Raises ConfigError for earlier numbers under another protocol.
    """
    values, floors = ({one.metric: one for one in side} for side in (numbers, floor))
    before = {one.metric: one for one in earlier}
    rows = [("features", f"{network.name} ({network.weights[:12]})")]
    for name, words in WORDS.items():
        if name not in values:
            continue
        one = values[name]
        text = show(one.value)
        if name in SPREADS and SPREADS[name] in values:
            text += f" ± {show(values[SPREADS[name]].value)}"
        if name in before:
            require_alike(one, before[name])
            change = one.value - before[name].value
            better = "better" if (change > 0) == one.higher else "worse"
            text += f", {show(abs(change))} {better} than before" if change else ", as before"
        if name in floors:
            text += f"; real against real {show(floors[name].value)}"
        rows.append((words, f"{text}; {'higher' if one.higher else 'lower'} is better"))
    return rows


def show(value: float) -> str:
    """Four digits that count, without an exponent: 12.35, 0.0123, 0.9871; what rounds away is 0."""
    if not value or abs(value) < 1e-6:
        return "0"
    return f"{value:.{min(8, max(0, 3 - math.floor(math.log10(abs(value)))))}f}"


def to_json(
    subject: Subject, images: ImageSet, numbers: list[Number], floor: list[Number], notes: list[str]
) -> dict[str, Any]:
    """The result file: the protocol once for each side, then the figures."""

    def side(figures: list[Number]) -> dict[str, Any] | None:
        if not figures:
            return None
        return {
            "protocol": figures[0].protocol.model_dump(mode="json"),
            "figures": [one.model_dump(mode="json", exclude={"protocol"}) for one in figures],
        }

    return {
        "kind": "evaluation",
        "schema_version": 1,
        "subject": subject.name,
        "data_name": images.name,
        "torch": torch.__version__,
        "measured": side(numbers),
        "real_against_real": side(floor),
        "notes": notes,
    }


def read_numbers(path: Path) -> list[Number]:
    """The measured figures of a result file. Raises ConfigError."""
    with disk_errors(path):
        try:
            stored = parse_strict_json(read_whole(path, max_bytes=1 << 20), path)
            side = stored["measured"]
            return [Number.model_validate({**one, "protocol": side["protocol"]}) for one in side["figures"]]
        except FileNotFoundError:
            raise ConfigError("there is no such file", where=path) from None
        except (CheckpointCorrupt, KeyError, TypeError, ValueError):
            raise ConfigError("is not a result of sagan evaluate", where=path) from None
