"""Generated parts of hand-written pages: what stands between two marker comments is written by a script, never by hand.

<!-- begin: options -->
...
<!-- end: options -->
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def fill(text: str, name: str, body: str) -> str:
    """`text` with `body` between the markers called `name`; ValueError unless both are there once, in order."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the markers '{begin}' and '{end}' must stand there once, in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{body.strip()}\n\n{end}{rest.split(end)[1]}"


def cell(value: object) -> str:
    """A value as the text of one table cell."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(columns: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def write_or_check(pages: Mapping[Path, Mapping[str, str]], *, check: bool, command: str) -> int:
    """Fill the markers of each page, or with `check` only say which pages are stale. Returns the exit status."""
    stale = []
    for path, parts in pages.items():
        old = new = path.read_text(encoding="utf-8")
        for name, body in parts.items():
            new = fill(new, name, body)
        if new != old:
            stale.append(path.name)
            if not check:
                path.write_text(new, encoding="utf-8", newline="\n")
    if stale and check:
        print(f"{', '.join(stale)}: not what the sources say now. Run `{command}`.", file=sys.stderr)
        return 1
    print(f"{command}: {'written' if stale else 'up to date'}")
    return 0
