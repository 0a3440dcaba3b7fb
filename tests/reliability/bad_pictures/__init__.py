"""A corpus of bad and odd pictures, made from a seed: no binary file is kept.

Each kind is a function (random, variant) -> files with what must become of them; the kinds together are the table that
docs/data.md tells in words.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bad_pictures import broken, costly, odd, places
from bad_pictures.case import BACKGROUND, SIDE, Case
from bad_pictures.encode import encoded

KINDS = (*broken.KINDS, *odd.KINDS, *costly.KINDS, *places.KINDS)
CLASSES = (b"barns", b"boats")
GOOD = 24

__all__ = ["BACKGROUND", "GOOD", "KINDS", "SIDE", "Case", "write_corpus", "write_good"]


def write_corpus(folder: Path, count: int, seed: int) -> dict[str, Case]:
    """At least `count` files in two class folders, every kind in turn: name in the set -> case."""
    root, cases, trial = os.fsencode(folder), dict[str, Case](), 0
    while len(cases) < count:
        kind, variant = KINDS[trial % len(KINDS)], trial // len(KINDS)
        for case in kind(np.random.default_rng((seed, trial)), variant):
            name = case.name or f"{kind.__name__}-{variant:02}{case.suffix}".encode()
            inside = (case.folder or CLASSES[trial % 2]) + b"/" + name
            _put(os.path.join(root, inside), case)
            cases[os.fsdecode(inside)] = case
        trial += 1
    return cases


def write_good(folder: Path) -> None:
    """Ordinary pictures in the same two folders; the same each time."""
    random = np.random.default_rng(0)
    for number in range(GOOD):
        path = folder / os.fsdecode(CLASSES[number % 2]) / f"good-{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(random.integers(0, 256, (SIDE + number, SIDE, 3))))


def _put(path: bytes, case: Case) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if callable(case.content):
        case.content(path)
        return
    with open(path, "wb") as stream:
        stream.write(case.content)
