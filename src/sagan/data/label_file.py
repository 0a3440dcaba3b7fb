"""dataset.json: one file that says which class each picture has, whatever folder it lies in.

The layout is that of NVIDIA's data sets (StyleGAN2-ADA and later):

    {"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 9], ...]}      or      {"labels": null}

Beside "labels" there may be "classes": ["airplane", ...], which names 0, 1, ...; this part is ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sagan.data.faults import REMEDIES, Unreadable
from sagan.data.layout import NO_CLASS, Listing, lay_out, parts_of
from sagan.errors import DataError, printable

LABEL_FILE = "dataset.json"
LAYOUT = '{"labels": [["path.png", 0], ...]}'
RENAME = "rename the file: then the names of the folders give the classes."


def list_pictures(
    root: Path,
    pictures: Collection[str],
    folders: Collection[str],
    others: Collection[str],
    read: Callable[[str], bytes],
) -> tuple[Listing, list[str]]:
    """-> (the listing, by a label file where there is one and by folders otherwise; the others without that file).

    pictures, folders, others: relative names of all that lies in `root`.  read: name -> bytes, at most 256 MiB; may
    raise Unreadable.  Raises DataError for a label file that cannot be used.
    """
    name = find_label_file(pictures, others)
    if name is None:
        return lay_out(pictures, folders), list(others)
    try:
        payload = read(name)
    except Unreadable as error:
        raise DataError(error.fault.text, where=root / name, remedy=REMEDIES[error.fault.code]) from None
    listing = listing_by(payload, pictures, name.removesuffix(LABEL_FILE), where=root / name)
    return listing, [other for other in others if other != name]


def find_label_file(pictures: Collection[str], others: Collection[str]) -> str | None:
    """The label file at the top, or in the one folder that holds all pictures; None where there is none."""
    found = [name for name in others if name == LABEL_FILE or name.endswith(f"/{LABEL_FILE}")]
    for name in sorted(found, key=lambda name: name.count("/")):
        base = name.removesuffix(LABEL_FILE)
        if pictures and all(picture.startswith(base) for picture in pictures):
            return name
    return None


def listing_by(payload: bytes, pictures: Collection[str], base: str, *, where: Path) -> Listing:
    """The pictures that a label file lists, with the classes that it gives them.

    payload: its bytes.  base: the folder that its paths start from, '' or 'set/'.  where: for messages.
    Pictures that are not listed are left out, with a note; where the file says that there are no labels, all are used.
    """
    names = sorted(pictures, key=parts_of)
    document = _parse(payload, where)
    if document["labels"] is None:
        notes = [f"{LABEL_FILE} has no labels: folders are not taken as classes."]
        return Listing(names, np.full(len(names), NO_CLASS, dtype=np.int64), notes=notes)
    listed = _labels_by_name(document["labels"], base, where)
    kept = [name for name in names if name in listed]
    notes = [f"The classes come from {LABEL_FILE}.", *_differences(names, kept, listed, where)]
    numbers = np.array([listed[name] for name in kept], dtype=object)
    classes, labels = _name_classes(numbers, document.get("classes"), where)
    return Listing(kept, labels, classes, notes)


def _parse(payload: bytes, where: Path) -> dict[str, Any]:
    """Strict JSON of the right layout, as far as that can be said without a look at the rows."""
    try:
        document = json.loads(payload.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_names_once)
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())[:80]
        raise DataError(f"is not JSON ({text})", where=where, remedy=f"Write {LAYOUT}. Or {RENAME}") from None
    rows = document.get("labels", ...) if isinstance(document, dict) else ...
    if not isinstance(document, dict) or not (rows is None or isinstance(rows, list)):
        raise DataError(f"has not the layout {LAYOUT}", where=where, remedy=f"Write it so, or {RENAME}")
    return document


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _labels_by_name(rows: list[Any], base: str, where: Path) -> dict[str, int]:
    """Picture -> number of its class."""
    found: dict[str, int] = {}
    for place, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == 2 and isinstance(row[0], str)):
            raise DataError(f"entry {place} of labels is not [path, number]", where=where, remedy=f"Write {LAYOUT}.")
        name = base + row[0].replace("\\", "/").removeprefix("./")
        number = _class_number(row[1], row[0], where)
        if found.setdefault(name, number) != number:
            raise DataError(
                f"lists {_short(row[0])} twice, with the labels {found[name]} and {number}",
                where=where,
                remedy="Keep one of the two.",
            )
    return found


def _class_number(label: Any, name: str, where: Path) -> int:
    if isinstance(label, list):
        raise DataError(
            f"gives {_short(name)} a vector of {len(label)} numbers as its label",
            where=where,
            remedy="Write one whole number; for a vector with a single 1, the place of the 1, counted from 0.",
        )
    if not isinstance(label, int) or isinstance(label, bool) or label < 0:
        raise DataError(
            f"gives {_short(name)} the label {_short(json.dumps(label))}",
            where=where,
            remedy='Labels are whole numbers from 0; names of classes go into "classes": [...] beside "labels".',
        )
    return label


def _differences(names: list[str], kept: list[str], listed: dict[str, int], where: Path) -> list[str]:
    """Notes about pictures that only one of the two knows. Raises DataError when they have none in common."""
    notes = []
    present = set(names)
    absent = [name for name in listed if name not in present]
    if not kept:
        what = f"lists {len(listed):,} pictures, none of which is here" if listed else "lists no picture"
        first = f" (the first: {_short(absent[0])})" if absent else ""
        raise DataError(what + first, where=where, remedy=f"Write paths as seen from this file. Or {RENAME}")
    if absent:
        notes.append(
            f"{len(absent):,} pictures that {LABEL_FILE} lists are not here, or of a kind that is not read "
            f"(the first: {_short(absent[0])})."
        )
    if len(kept) < len(names):
        first = _short(next(name for name in names if name not in listed))
        notes.append(
            f"{len(names) - len(kept):,} pictures are not listed in {LABEL_FILE} and are left out (the first: {first})."
        )
    return notes


def _name_classes(numbers: NDArray[Any], given: Any, where: Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(n,) Python integers, n > 0 -> (class names, (n,) int64 into them).

    given: the names of 0, 1, ..., or None. Without them the numbers that occur are the names, written equally long.
    """
    largest = int(numbers.max())
    if given is not None:
        if not isinstance(given, list) or not all(isinstance(name, str) and name for name in given):
            raise DataError('has "classes" that are no list of names', where=where, remedy='Write ["cat", "dog", ...].')
        if len(set(given)) < len(given):
            raise DataError('has a name twice in "classes"', where=where, remedy="Give each class a name of its own.")
        if largest >= len(given):
            raise DataError(
                f"has the label {_short(largest)}, but {len(given)} names of classes",
                where=where,
                remedy="Labels count the names from 0.",
            )
        return tuple(given), numbers.astype(np.int64)
    if largest >= len(numbers):
        raise DataError(
            f"has the label {_short(largest)}, which would make more classes than its {len(numbers):,} pictures",
            where=where,
            remedy='A label is the number of a class, counted from 0 without gaps; or name all with "classes": [...].',
        )
    used = sorted(set(numbers.tolist()))
    labels = np.searchsorted(used, numbers.astype(np.int64)).astype(np.int64)
    return tuple(str(number).zfill(len(str(largest))) for number in used), labels


def _short(text: object) -> str:
    """For a line on a terminal."""
    shown = printable(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
