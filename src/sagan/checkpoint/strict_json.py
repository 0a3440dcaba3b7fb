"""JSON that means one thing: what two readers could take differently, or what could exhaust one, is refused."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from typing import Any, NoReturn

from sagan.errors import CheckpointCorrupt

MAX_BYTES = 8 << 20
MAX_DEPTH = 32
MAX_VALUES = 500_000  # five for each of the most classes; reading many more would take seconds


def parse_strict_json(text: str | bytes, where: object, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text.

    Refused: more than `max_bytes`, more than 500,000 values, nesting beyond `max_depth`, a key twice in one object,
    NaN and infinities (also written as 1e999), integers beyond 64 bits, half surrogates, bytes that are not UTF-8.
    Raises CheckpointCorrupt about `where`.
    """
    if len(text) > max_bytes:
        raise CheckpointCorrupt(f"JSON of {len(text)} bytes, above the limit of {max_bytes}", where=where)
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        if sum(map(decoded.count, ",[{")) > MAX_VALUES:  # a bound from above, at the price of one look
            raise ValueError(f"more than {MAX_VALUES:,} values")
        value = json.loads(
            decoded,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
        _check_tree(value, max_depth)
    except RecursionError:
        raise CheckpointCorrupt(f"JSON nested deeper than {max_depth}", where=where) from None
    except ValueError as error:  # includes UnicodeError and JSONDecodeError
        raise CheckpointCorrupt(f"not strict JSON: {error}", where=where) from None
    return value


def dump_strict_json(value: Any, where: object) -> bytes:
    """The one text of a value: sorted keys, two spaces of indent, ASCII, a line end. Always readable by `parse`."""
    text = json.dumps(value, sort_keys=True, indent=2, allow_nan=False).encode("ascii") + b"\n"
    if parse_strict_json(text, where) != value:
        raise ValueError(f"{where}: this value changes when written as JSON; use lists and string keys")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:32]} is beyond every finite number")
    return value


def _whole(text: str) -> int:
    if len(text) < 19:
        return int(text)
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"the integer {text[:32]} is beyond 64 bits")
    return int(text)


def _check_tree(value: Any, max_depth: int) -> None:
    """Depth and text of the whole value, without recursion."""
    level = [value]
    for depth in itertools.count():
        for text in (item for item in level if isinstance(item, str)):
            text.encode("utf-8")  # raises on half of a surrogate pair
        nests = [item for item in level if isinstance(item, dict | list)]
        if not nests:
            return
        if depth == max_depth:
            raise ValueError(f"nested deeper than {max_depth}")
        level = [inner for nest in nests for inner in nest]
        level += [inner for nest in nests if isinstance(nest, dict) for inner in nest.values()]
