"""Bytes and values that nobody would write, and the one rule that all readers keep with them.

The rule: a reader returns, or raises one of our own errors, within two seconds. Not RecursionError, not MemoryError, not a
warning, not another library's error.
"""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from sagan.errors import SaganError

MAX_SECONDS = 2.0  # of processor time, which a busy machine does not stretch

# What JSON and TOML readers have been caught with.
SPITEFUL = (
    b"NaN", b"-Infinity", b"inf", b"1e999", b"-1e999", b"9" * 5000, b"-" + b"9" * 400, b"0x" + b"f" * 5000, b"1_000",
    b"18446744073709551616", b"9223372036854775808", b"1e308", b"-0.0", b"0.1e-400", b"[" * 300, b"{" * 300, b"]" * 40,
    b'{"a":' * 60, b'"\\ud800"', b'"\\udfff"', b"\xed\xa0\x80", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\\u0000",
    b"\r", b"\x1b[2J", b"null", b"true", b"{}", b"[]", b'""', b"''''", b'"""', b"\\", b"../", b"/etc/passwd", b"C:\\x",
    b",", b":", b"=", b"#", b".", b"a.b.c.d", b"__metadata__", b"data_offsets", b"\xe2\x80\xae", b"1979-05-27T07:32:00Z",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**31),
    -(2**63), 0.5, -0.0, 1e-300, 1e308, -1e308,
)  # fmt: skip
TEXTS = (
    "", " ", "x" * 513, "x" * 20_000, "\x00", "\x1b[2J", "..", "../x", "/etc/passwd", "C:\\x", "~", "~nobody-here", "none",
    "auto", "official", "F32", "I64", "C64", "F8_E4M3", "generator", "\u202e", "\U0001f600", "e\u0301", "NaN", "True",
    "1" * 400, "import os", "${HOME}", "a.b",
)  # fmt: skip


def endures(call: Callable[[], object]) -> tuple[bool, str | None]:
    """(whether it was accepted, None or how the rule was broken)."""
    start, accepted, found = time.process_time(), False, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call()
        accepted = True
    except SaganError as error:
        if "\n" in str(error) or error.exit_code == 1:
            found = f"raised {error!r} with code {error.exit_code}"
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit and MemoryError break the rule as well
        found = f"raised {type(error).__name__}: {str(error)[:200]}"
    if (took := time.process_time() - start) > MAX_SECONDS:
        found = f"took {took:.1f} s of processor time"
    return accepted, found


def mutate_bytes(payload: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """One to four changes: bits, bytes, cuts, repeats, insertions, pieces of the other files."""
    text = bytearray(payload)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(9):
            case 0 if text:
                text[place % len(text)] ^= 1 << chance.randrange(8)
            case 1 if text:
                text[place % len(text)] = chance.choice(b'\x00\xff\x7f\x80{}[]",:0-9eE.=# \n')
            case 2:
                del text[place : min(end, place + chance.randrange(64))]
            case 3:
                text[place:place] = text[place : min(end, place + 64)] * chance.choice((1, 2, 40))
            case 4:
                text[place:place] = chance.choice(SPITEFUL)
            case 5:
                text[place:end] = chance.choice(SPITEFUL)
            case 6:
                del text[place:]
            case 7:
                other = chance.choice(others)
                at = chance.randrange(len(other) + 1)
                text[place:place] = other[at : at + chance.randrange(256)]
            case 8:  # a number in the file, whatever it means there
                text[place : place + 8] = chance.choice((0, 1, 2**62, 2**63, 2**64 - 1, len(text))).to_bytes(
                    8, "little"
                )
    return bytes(text)


def mutate_head(payload: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """As `mutate_bytes`, in the JSON header of a safetensors file, whose length is then made right."""
    length = int.from_bytes(payload[:8], "little")
    head = mutate_bytes(payload[8 : 8 + length], others, chance)
    return len(head).to_bytes(8, "little") + head + payload[8 + length :]


def mutate_value(value: Any, chance: random.Random) -> Any:
    """A copy of a tree of dicts and lists in which one to three nodes were replaced, removed, added or renamed."""
    tree = [deepcopy(value)]
    for _ in range(chance.choice((1, 1, 2, 3))):
        holder, key = chance.choice(list(_nodes(tree)))
        match chance.randrange(6):
            case 0 | 1 | 2:
                holder[key] = odd_value(chance)
            case 3 if holder is not tree:
                del holder[key]
            case 4 if isinstance(holder, dict):
                holder[chance.choice(TEXTS)] = holder[key]
            case _ if isinstance(holder[key], list):
                holder[key] = (holder[key] or [0]) * chance.choice((2, 9))
            case _:
                holder[key] = [holder[key]]
    return tree[0]


def odd_value(chance: random.Random) -> Any:
    """A value of JSON that does not belong."""
    deep: Any = 0
    for _ in range(chance.choice((1, 3, 30))):
        deep = [deep] if chance.random() < 0.5 else {"a": deep}
    return chance.choice(
        (chance.choice(NUMBERS), chance.choice(NUMBERS), chance.choice(TEXTS), None, True, [], {}, deep)
    )


def _nodes(holder: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every node below."""
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    found = [(holder, key) for key in keys]
    for key in keys:
        if isinstance(holder[key], (dict, list)) and holder[key]:
            found += _nodes(holder[key])
    return found


def craft(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file by hand. header: bytes, or what becomes JSON.  length: what its first eight bytes say."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body
