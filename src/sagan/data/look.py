"""A quick look at a set before it is opened: how many pictures, how large, of which kind.

Opening decodes every picture at the resolution of the training, and here that resolution is still to be chosen. So this
reads names, the headers of at most LOOKED files, and of a few files the pixels, where a header does not tell.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

from sagan.data.config import DataConfig
from sagan.data.convert import MODES
from sagan.data.decode import read_header, strict_pillow
from sagan.data.faults import Fault
from sagan.data.found import Recipe
from sagan.data.images import recipe_of
from sagan.data.labels import used_labels
from sagan.data.pack.reading import PackSource
from sagan.data.scan import Prepared, digest_of, prepare, read_one
from sagan.data.sources import Source, open_source
from sagan.data.sources.base import Payload

LOOKED = 2000  # pictures whose files are read
LOOKED_SLOW = 64  # the same, where a single picture costs the reading of a block of its neighbours
BYTES = 512 << 20  # of files, about: a set of large photographs is known well enough by fewer of them
FIRST = 64  # pictures by which the size of the files is known
DECODED = 32  # pictures whose pixels are looked at, at most
SIDE = 32  # at which they are
GREY_MODES = ("1", "L", "I", "I;16", "I;16B")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a set seems to be.

    listed: pictures by their names, those that training would use with its classes.  looked: how many were read.
    unreadable, copies: of those, what cannot be read, and what has the bytes of another.  sizes: (width, height) -> count.
    classes: name -> pictures by their names, {} without classes.  grey: every picture is.  transparent: most are.
    packed: (resolution, channels) that a pack has baked in.
    """

    listed: int
    looked: int
    unreadable: int = 0
    copies: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    classes: dict[str, int] = field(default_factory=dict)
    grey: bool = False
    transparent: bool = False
    packed: tuple[int, int] | None = None

    @property
    def pictures(self) -> int:
        """Usable pictures as far as is known, of equal ones only one."""
        return self.listed - self.unreadable - self.copies

    @property
    def short_side(self) -> int:
        """The median of the shorter sides in pixels; 0 when no picture could be read."""
        sides = [side for (width, height), count in self.sizes.items() for side in [min(width, height)] * count]
        return median_low(sides) if sides else 0


def look_at_set(config: DataConfig) -> Look:
    """Look at the pictures that `config.data` names. Raises DataError for a path that cannot be listed.

    The same set gives the same answer, on any machine.
    """
    recipe = recipe_of(config, SIDE)
    source = open_source(Path(config.data))
    try:
        classes, wanted, _ = used_labels(source.listing, config.cond, where=source.path)
        labels = source.listing.labels[wanted]
        counts: list[int] = np.bincount(labels, minlength=len(classes)).tolist() if classes else []
        filled = {name: count for name, count in zip(classes, counts, strict=True) if count}
        if isinstance(source, PackSource):
            return _look_at_pack(source, wanted, filled)
        return _look(source, wanted, filled, recipe)
    finally:
        source.close()


def _look_at_pack(source: PackSource, wanted: NDArray[np.int64], classes: dict[str, int]) -> Look:
    """A pack knows all this of every picture."""
    recipe = source.contents.made.recipe()
    found = source.scanned(wanted, recipe)
    kept = len(found.kept)
    return Look(
        listed=len(wanted),
        looked=len(wanted),
        unreadable=len(found.skipped),
        copies=kept - len({digest.tobytes() for digest in found.digests}),
        sizes=found.sizes,
        classes=classes,
        grey=kept > 0 and found.grey == kept,
        transparent=2 * found.transparent > kept,
        packed=(recipe.side, recipe.channels),
    )


def _look(source: Source, wanted: NDArray[np.int64], classes: dict[str, int], recipe: Recipe) -> Look:
    unreadable, copies, seen, sizes = 0, 0, set[bytes](), Counter[tuple[int, int]]()
    plain, clear, rows = 0, 0, list[int]()
    with strict_pillow():
        for index in _spread(source, wanted):
            payload = read_one(source, index)
            header = payload if isinstance(payload, Fault) else _header(payload)
            if isinstance(payload, Fault) or isinstance(header, Fault):
                unreadable += 1
                continue
            size, mode = header
            digest = digest_of(payload)
            copies += digest in seen
            seen.add(digest)
            sizes[size] += 1
            plain += mode in GREY_MODES
            clear += mode.endswith(("A", "a", "transparency"))
            rows.append(index)
        looked = len(rows)
        grey, transparent = _by_pixels(source, rows, recipe, grey=plain == looked > 0, clear=2 * clear > looked)
    return Look(
        listed=len(wanted),
        looked=looked + unreadable,
        unreadable=unreadable,
        copies=copies,
        sizes=sizes,
        classes=classes,
        grey=grey,
        transparent=transparent,
    )


def _spread(source: Source, wanted: NDArray[np.int64]) -> list[int]:
    """The pictures to look at, evenly spread over the set and in its order, as many as their files allow."""
    most = LOOKED_SLOW if source.slow_at_random else LOOKED
    if len(wanted) > FIRST and not source.slow_at_random:
        taken = [
            payload for index in _evenly(wanted, FIRST) if not isinstance(payload := read_one(source, index), Fault)
        ]
        size = sum(len(one) if isinstance(one, bytes) else one.nbytes for one in taken) / max(1, len(taken))
        most = min(most, max(FIRST, int(BYTES / max(1.0, size))))
    return _evenly(wanted, most)


def _evenly(wanted: NDArray[np.int64], count: int) -> list[int]:
    if not len(wanted):
        return []
    places = np.unique(np.linspace(0, len(wanted) - 1, min(count, len(wanted))).astype(int))
    return [int(index) for index in wanted[places]]


def _by_pixels(source: Source, rows: list[int], recipe: Recipe, *, grey: bool, clear: bool) -> tuple[bool, bool]:
    """(whether all are grey, whether most are transparent), from a few decoded pictures where headers leave it open.

    grey: by the headers all are.  clear: by the headers most may be transparent.
    A single picture with colour answers the first question, so that a set of photographs costs one.
    """
    coloured = transparent = looked = 0
    if not rows or (grey and not clear):
        return grey, False
    for index in _evenly(np.asarray(rows), DECODED):
        payload = read_one(source, index)
        found = payload if isinstance(payload, Fault) else prepare(payload, recipe)
        if isinstance(found, Prepared):
            looked += 1
            coloured += not found.grey
            transparent += found.transparent
        if coloured and not clear:
            break
    return looked > 0 and not coloured, clear and 2 * transparent > looked


def _header(payload: Payload) -> tuple[tuple[int, int], str] | Fault:
    """((width, height), mode) of a picture that is not decoded."""
    if not isinstance(payload, bytes):
        height, width, channels = payload.shape
        return ((width, height), MODES[channels]) if height and width else Fault("empty", "has no pixels")
    found = read_header(payload)
    return found if isinstance(found, Fault) else (found.size, found.mode)
