"""Rows of choices in which every pair of choices of any two factors meets: far fewer than all combinations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Row = dict[str, Any]
TRIED = 60  # random rows to choose the next one from


def pairs_of(row: Row) -> set[tuple[str, Any, str, Any]]:
    """Every two choices of a row."""
    return {(a, row[a], b, row[b]) for a, b in combinations(sorted(row), 2)}


def covering_rows(factors: Mapping[str, Sequence[Any]], count: int, seed: int) -> tuple[list[Row], float]:
    """`count` rows, each the one of many random ones that adds most pairs; and the share of all pairs that they cover."""
    choice = random.Random(seed)
    wanted = {(a, x, b, y) for a, b in combinations(sorted(factors), 2) for x in factors[a] for y in factors[b]}
    covered: set[tuple[str, Any, str, Any]] = set()
    rows = []
    for _ in range(count):
        tried = [{name: choice.choice(values) for name, values in factors.items()} for _ in range(TRIED)]
        rows.append(max(tried, key=lambda row: len(pairs_of(row) - covered)))
        covered |= pairs_of(rows[-1])
    return rows, len(covered & wanted) / len(wanted)
