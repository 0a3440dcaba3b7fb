"""Damaged picture files, by the thousand."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from random import Random

import numpy as np
from bad_pictures.mutate import mutated, small_files

from proofs.memory import MIB, MemoryWatch
from proofs.outcome import Outcome
from sagan.data.convert import MODES
from sagan.data.decode import MAX_PIXELS, Decoded, decode, strict_pillow
from sagan.data.faults import REMEDIES, Fault
from sagan.data.resize import make_square
from sagan.runtime import tune_allocator

CLAIM = (
    "Whatever the bytes of a picture file: it is decoded or refused with a known reason, in 2 s and 512 MiB at most."
)
QUICK = 8_000
FULL = 1_000_000
MOST_SECONDS = 2.0  # of processor time, so that other work on the machine does not count
MOST_MEMORY = 512 * MIB
SIDE = 16
ROUND = 500  # files between two looks at the memory
FITS = ("crop", "pad", "stretch")


def prove(count: int, seed: int, workspace: Path) -> Outcome:
    """Decode and resize `count` damaged files; each from (seed, number) alone, so that one can be had again."""
    tune_allocator()  # as every command does: memory that is asked for and not used is then really taken
    outcome, files = Outcome(), small_files()
    with warnings.catch_warnings(record=True, action="always") as heard, strict_pillow(), MemoryWatch() as memory:
        for number in range(count):
            random = Random(seed << 32 | number)
            data = mutated(random, files)
            failure = what_is_wrong(data, random.choice((1, 3, 4)), random.choice(FITS), outcome)
            outcome.note(failure and f"file {number} of seed {seed}: {failure}")
            if heard:
                outcome.failures.append(f"file {number} of seed {seed}: warns {heard.pop().message}")
            if number % ROUND == 0 or number == count - 1:
                taken = memory.most()
                outcome.facts["most MiB"] = max(outcome.facts.get("most MiB", 0), round(taken / MIB))
                if taken > MOST_MEMORY:
                    outcome.failures.append(f"file {number} of seed {seed}, or one before: took {taken / MIB:.0f} MiB")
                    memory.forget()
    return outcome


def what_is_wrong(data: bytes, channels: int, fit: str, outcome: Outcome) -> str | None:
    """None where the bytes become a picture or a known fault."""
    start = time.thread_time()
    try:
        found = decode(data, channels=channels, at_least=SIDE)
        square = make_square(found.picture, SIDE, fit) if isinstance(found, Decoded) else None
    except Exception as error:  # any at all breaks the promise
        return f"{type(error).__name__} got out: {error}"
    took = time.thread_time() - start
    outcome.facts["slowest ms"] = max(outcome.facts.get("slowest ms", 0), round(took * 1000))
    if took > MOST_SECONDS:
        return f"took {took:.1f} s"
    if isinstance(found, Fault):
        outcome.count(found.code)
        return None if found.code in REMEDIES and found.text.isprintable() else f"an unknown fault: {found}"
    outcome.count("used")
    width, height = found.picture.size
    if found.picture.mode != MODES[channels] or width * height > MAX_PIXELS:
        return f"decoded to {found.picture.mode} of {width}x{height}"
    if square is None or square.shape != (SIDE, SIDE, channels) or square.dtype != np.uint8:
        return "resized to something else than a square"
    return None
