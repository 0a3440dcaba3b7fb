"""Which pictures belong to which class, from their relative names alone: the same rule for folders and zips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sagan.data.faults import Skipped

NO_CLASS = -1
TRAINING = frozenset({"train", "training"})
SPLITS = TRAINING | {"test", "testing", "val", "valid", "validation", "dev"}
JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin"})


@dataclass
class Listing:
    """The pictures of a source before any of them is opened.

    names: one a picture, relative with forward slashes, in a fixed order.
    labels: (n,) int64 into `classes`; NO_CLASS for a picture that lies beside the classes.
    refused: entries with a picture's name that are not even tried.  notes: what a person should know.
    empty_class_is_error: True where a class is a folder that a person made, and so an empty one is a mistake.
    """

    names: list[str]
    labels: NDArray[np.int64]
    classes: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    refused: list[Skipped] = field(default_factory=list)
    empty_class_is_error: bool = False


def is_junk(name: str) -> bool:
    """True for hidden files and what operating systems leave behind, anywhere in a relative path."""
    return any((part.startswith(".") and part not in (".", "..")) or part.lower() in JUNK for part in name.split("/"))


def lay_out(pictures: Collection[str], folders: Collection[str]) -> Listing:
    """Relative picture names, and all folder names (so that empty ones are seen) -> classes and labels.

    Class folders are the folders of the top level in sorted order, as torchvision's ImageFolder has them. A lone
    wrapper folder is stepped into; of train/ and test/ side by side only train/ is read. Both are noted.
    """
    base, pictures, notes = _step_into_wrappers(sorted(pictures, key=parts_of), folders)
    depth = len(parts_of(base))
    tops = [parts_of(name)[depth] if len(parts_of(name)) > depth + 1 else None for name in pictures]
    classes = _children(pictures, folders, base)
    if not classes and base:  # one folder of pictures: one class, which only --cond on makes use of
        classes, tops = [parts_of(base)[-1]], [parts_of(base)[-1]] * len(pictures)
    number = {name: index for index, name in enumerate(classes)}
    labels = np.array([NO_CLASS if top is None else number[top] for top in tops], dtype=np.int64)
    return Listing(list(pictures), labels, tuple(classes), notes, empty_class_is_error=True)


def count_suffixes(names: Collection[str]) -> str:
    """'3 .txt, 1 .tif' for a note about files that are no pictures by their name."""
    counts = Counter(PurePosixPath(name).suffix.lower() or "(no suffix)" for name in names)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(5))


def parts_of(name: str) -> tuple[str, ...]:
    """The folders of a relative name, and the name itself: what listings are sorted by."""
    return tuple(part for part in name.split("/") if part)


def _children(pictures: Sequence[str], folders: Collection[str], base: str) -> list[str]:
    """Names of the folders directly in `base`, sorted."""
    depth, inside = len(parts_of(base)), f"{base}/" if base else ""
    found = {parts_of(name)[depth] for name in folders if name.startswith(inside) and len(parts_of(name)) > depth}
    found |= {parts_of(name)[depth] for name in pictures if name.startswith(inside) and len(parts_of(name)) > depth + 1}
    return sorted(found)


def _step_into_wrappers(pictures: list[str], folders: Collection[str]) -> tuple[str, list[str], list[str]]:
    """-> (the folder that really holds the set, the pictures in it, notes)."""
    base, notes = "", list[str]()
    while True:
        depth = len(parts_of(base))
        children = _children(pictures, folders, base)
        if not children or any(len(parts_of(name)) == depth + 1 for name in pictures):
            return base, pictures, notes
        training = [name for name in children if name.lower() in TRAINING]
        if len(children) == 1:
            chosen = children[0]
            notes.append(f"All pictures lie in {chosen}/: it is taken as the set itself, not as a class.")
        elif len(training) == 1 and all(name.lower() in SPLITS for name in children):
            chosen = training[0]
            others = ", ".join(f"{name}/" for name in children if name != chosen)
            notes.append(f"{chosen}/ and {others} are parts of a set, not classes: only {chosen}/ is used.")
        else:
            return base, pictures, notes
        base = f"{base}/{chosen}" if base else chosen
        pictures = [name for name in pictures if name.startswith(f"{base}/")]
