"""Mixtures of classes in words: 'cat:0.5,dog:0.5'."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sagan.errors import ConfigError
from sagan.workflows.openers import class_number

REMEDY = "Write classes with their parts, such as --mix cat:2,dog:1; without parts they are equal."


def read_mix(words: str, names: Sequence[str]) -> NDArray[np.float32]:
    """'cat:2,dog' -> the share of each class, (K,), which sum to one: two thirds and one third.

    A class without a part has part 1, and may be a number. Raises ConfigError.
    """
    if not names:
        raise ConfigError("this generator has no classes to mix", remedy="Leave out --mix.")
    parts = np.zeros(len(names))
    for word in words.strip("[]").split(","):
        name, part = _part(word.strip(), names)
        number = class_number(name, names)
        if parts[number]:
            raise ConfigError(f"mix names {names[number]} twice", remedy=REMEDY)
        parts[number] = part
    return (parts / parts.sum()).astype(np.float32)


def _part(word: str, names: Sequence[str]) -> tuple[str, float]:
    """'cat:2' -> ('cat', 2.0). A class whose name has a colon is found before one is looked for."""
    name, colon, part = word.rpartition(":")
    if word in names or not colon:
        return word, 1.0
    if not re.fullmatch(r"\d{0,6}\.?\d{1,6}", part) or float(part) == 0:
        raise ConfigError(f"mix has {word!r}, and a part is a number above 0", remedy=REMEDY)
    return name.strip(), float(part)


def name_of_mix(shares: NDArray[np.float32], names: Sequence[str]) -> str:
    """'cat 67 %, dog 33 %'."""
    return ", ".join(
        f"{names[number]} {shares[number]:.0%}".replace("%", " %") for number in np.flatnonzero(shares).tolist()
    )
