"""Which labels of a source a run uses: the rules of `cond`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sagan.data.layout import NO_CLASS, Listing
from sagan.errors import DataError, printable


def used_labels(
    listing: Listing, cond: Literal["auto", "on", "off"], *, where: Path
) -> tuple[tuple[str, ...], NDArray[np.int64], list[str]]:
    """-> (class names or (), indices of the pictures to use, notes).

    auto uses classes when at least two of them have pictures and most pictures have a class.
    With classes in use a picture without one is left out; without, every picture is used.
    """
    everything = np.arange(len(listing.names))
    labelled = np.flatnonzero(listing.labels != NO_CLASS)
    strays = len(everything) - len(labelled)
    filled = len(np.unique(listing.labels[labelled]))
    if cond == "off":
        return (), everything, []
    if cond == "on" and not filled:
        raise DataError(
            "has no classes",
            where=where,
            remedy="Put each class into a folder of its own or list them in dataset.json; or train without, by --cond off.",
        )
    if cond == "auto" and (filled < 2 or strays > len(labelled)):
        notes = []
        if filled >= 2:
            notes.append(
                f"{strays:,} pictures lie beside the class folders and {len(labelled):,} in them: the folders are not "
                "taken as classes. --cond on takes them so and leaves the others out."
            )
        return (), everything, notes
    notes = []
    if strays:
        notes.append(
            f"{strays:,} pictures have no class and are left out: move them into a class folder, or use --cond off."
        )
    if filled == 1:
        notes.append("There is a single class: a model with classes learns no more from it than one without.")
    return listing.classes, labelled, notes


def drop_empty(
    listing: Listing, classes: tuple[str, ...], kept: NDArray[np.int64], notes: list[str], *, where: Path
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names and labels (n,) of the usable pictures, numbered without gaps.

    A class with no usable picture would be asked of the generator and never shown to the discriminator. An empty folder
    is therefore an error; an unused name in the metadata of a file is left out with a note.
    """
    if not classes:
        return (), np.zeros(len(kept), dtype=np.int64)
    labels = listing.labels[kept]
    counts = np.bincount(labels, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty and listing.empty_class_is_error:
        names = ", ".join(f"{name}/" for name in empty[:5])
        raise DataError(
            f"{'class folder' if len(empty) == 1 else f'{len(empty)} class folders'} {names} without a usable picture",
            where=where,
            remedy="Put pictures into it or delete it, or use --cond off to train without classes.",
        )
    if empty:
        notes.append(f"{len(empty)} classes without a picture are left out: {', '.join(empty[:5])}.")
    number = np.cumsum(counts > 0) - 1
    named = tuple(printable(name) for name, count in zip(classes, counts, strict=True) if count)
    return named, number[labels].astype(np.int64)
