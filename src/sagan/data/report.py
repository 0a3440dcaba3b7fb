"""The complete list of the pictures that were left out, for programs: one JSON object a line, sorted by path.

    {"path": "cats/17.png", "code": "truncated", "reason": "ends too early", "action": "quarantine", "to": "cats/17.png"}

The same set gives the same bytes every time: nothing in it depends on when or where it was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Literal

from sagan.data.faults import Skipped

Action = Literal["skip", "stop", "quarantine"]


def report_lines(skipped: Iterable[Skipped], action: Action, moved: Mapping[str, str] = {}) -> bytes:
    """The list as a JSON Lines file.

    action: what the policy does about a picture.  moved: those that are in the quarantine folder by now, name -> name
    there, whatever `action` says.
    """
    lines = []
    for entry in sorted(skipped, key=lambda entry: (os.fsencode(entry.where), entry.reason_code, entry.text)):
        facts = {
            "path": portable(entry.where),
            "code": entry.reason_code,
            "reason": portable(entry.text),
            "action": "quarantine" if entry.where in moved else action,
        }
        if entry.where in moved:
            facts["to"] = portable(moved[entry.where])
        lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8")


def portable(text: str) -> str:
    """A name as text that JSON can hold: bytes that are not UTF-8 are percent-encoded."""
    raw = os.fsencode(text)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw)
