"""Look at a set before training on it: what it holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.advice import about_balance, about_channels, about_duplicates
from sagan.data.config import DataConfig
from sagan.data.faults import Skipped
from sagan.data.found import Recipe, Scan
from sagan.data.images import EMBLEMS, ImageSet, open_images, recipe_of, set_name
from sagan.data.labels import drop_empty, used_labels
from sagan.data.policy import action_of, enforce, refuse_balance, remarks
from sagan.data.report import Action
from sagan.data.scan import Prepared, Progress, read_pictures, scan
from sagan.data.sources import Source, open_source
from sagan.errors import ConfigError, DataError

PREVIEW = 64


@dataclass(frozen=True, kw_only=True)
class Check:
    """What `sagan data check` found.

    count: usable pictures.  tried: all that have a picture's name.  classes: name -> usable pictures, {} without
    classes; an empty class is listed with 0.  sizes: (width, height) -> count.  modes: mode -> count.
    transparent: usable pictures with a pixel that is not opaque.  grey: those without any colour.
    duplicates: groups of names whose bytes are equal.  across_classes: those of them that lie in more than one class.
    bad: what was left out, with reasons.  action: what training would do about each of them.
    notes: what a person should know.
    usable: whether training would start.  verdict: one line.  preview: (k, R, R, C) uint8 with one name and class each.
    """

    name: str
    count: int
    tried: int
    classes: dict[str, int]
    sizes: Counter[tuple[int, int]]
    modes: Counter[str]
    transparent: int
    grey: int
    duplicates: list[tuple[str, ...]]
    across_classes: list[tuple[str, ...]]
    bad: list[Skipped]
    action: Action
    notes: list[str]
    usable: bool
    verdict: str
    preview: NDArray[np.uint8]
    preview_names: list[str] = field(default_factory=list)
    preview_classes: list[str] = field(default_factory=list)


def check_data(
    config: DataConfig,
    resolution: int,
    *,
    channels: int = 3,
    threads: int = 2,
    progress: Progress | None = None,
) -> Check:
    """Decode every picture of the set once, keep none but the preview, and report.

    channels: 1 grey, 3 RGB, 4 RGB with alpha.
    A set that training would refuse is reported with usable = False; only a path that cannot be listed raises, and what
    `open_images` refuses about emblems.
    """
    if config.data == EMBLEMS:
        return _check_emblems(open_images(config, resolution, channels=channels))
    recipe = recipe_of(config, resolution, channels)
    source = open_source(Path(config.data))
    try:
        return _check_source(config, source, recipe, threads, progress)
    finally:
        source.close()


def find_duplicates(
    names: list[str], labels: list[int], digests: NDArray[np.uint8]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Groups of names with equal digests (n, 32), and those of them with more than one label."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        groups[digest.tobytes()].append(row)
    twins = [rows for rows in groups.values() if len(rows) > 1]
    named = [tuple(names[row] for row in rows) for rows in twins]
    mixed = [tuple(names[row] for row in rows) for rows in twins if len({labels[row] for row in rows}) > 1]
    return named, mixed


def _check_source(config: DataConfig, source: Source, recipe: Recipe, threads: int, progress: Progress | None) -> Check:
    listing, problem, label_notes = source.listing, "", list[str]()
    classes: tuple[str, ...] = ()
    wanted = np.arange(len(listing.names))
    try:
        classes, wanted, label_notes = used_labels(listing, config.cond, where=source.path)
        refuse_balance(config, classes, where=source.path)
    except (DataError, ConfigError) as error:
        problem = str(error)
    found = scan(source, wanted, recipe, keep_pixels=False, threads=threads, progress=progress)
    found.skipped[:0] = listing.refused
    labels = listing.labels[found.kept]
    counts = {name: int((labels == label).sum()) for label, name in enumerate(classes)}
    problem = problem or _problem(config, source, classes, found, label_notes)
    names = [listing.names[index] for index in found.kept]
    duplicates, across = find_duplicates(names, labels.tolist(), found.digests)
    notes = [*listing.notes, *label_notes, *remarks(found, recipe.side), *about_duplicates(duplicates, across)]
    notes += [*about_channels(found, recipe.channels), *about_balance(counts, config.balance)]
    shown = preview_rows(labels if classes else None, len(found.kept))
    return Check(
        name=set_name(source.path),
        count=len(found.kept),
        tried=len(found.kept) + len(found.skipped),
        classes=counts,
        sizes=found.sizes,
        modes=found.modes,
        transparent=found.transparent,
        grey=found.grey,
        duplicates=duplicates,
        across_classes=across,
        bad=found.skipped,
        action=action_of(config, source),
        notes=notes,
        usable=not problem,
        verdict=problem or _good_news(len(found.kept), len(classes)),
        preview=_preview(source, found.kept[shown], recipe, threads),
        preview_names=[names[row] for row in shown],
        preview_classes=[classes[labels[row]] for row in shown] if classes else [],
    )


def _problem(config: DataConfig, source: Source, classes: tuple[str, ...], found: Scan, notes: list[str]) -> str:
    """Why training would refuse the set: '' when it would not."""
    try:
        enforce(config, found.skipped, len(found.kept), where=source.path)
        drop_empty(source.listing, classes, found.kept, notes, where=source.path)
    except DataError as error:
        return str(error)
    return ""


def _good_news(count: int, classes: int) -> str:
    kinds = f" in {classes} classes" if classes else ""
    return f"Ready to train: {count:,} pictures{kinds}."


def preview_rows(labels: NDArray[np.int64] | None, count: int) -> list[int]:
    """Up to PREVIEW rows, evenly spread over the set, or over each class in turn. labels: (n,) or None."""
    if labels is None:
        return np.unique(np.linspace(0, count - 1, min(count, PREVIEW)).astype(int)).tolist() if count else []
    kinds = np.unique(labels)
    each = max(1, PREVIEW // max(1, len(kinds)))
    rows: list[int] = []
    for kind in kinds[:PREVIEW]:
        members = np.flatnonzero(labels == kind)
        rows.extend(members[np.linspace(0, len(members) - 1, min(each, len(members))).astype(int)].tolist())
    return rows


def _preview(source: Source, indices: NDArray[np.int64], recipe: Recipe, threads: int) -> NDArray[np.uint8]:
    found = read_pictures(source, indices.tolist(), recipe, threads)
    squares = [outcome.pixels for outcome in found if isinstance(outcome, Prepared)]
    return np.stack(squares) if squares else np.empty((0, recipe.side, recipe.side, recipe.channels), dtype=np.uint8)


def _check_emblems(images: ImageSet) -> Check:
    shown = preview_rows(images.labels if images.classes else None, len(images))
    return Check(
        name=images.name,
        count=len(images),
        tried=len(images),
        classes=dict(zip(images.classes, images.class_counts(), strict=True)),
        sizes=images.facts.sizes,
        modes=images.facts.modes,
        transparent=0,
        grey=0,
        duplicates=[],
        across_classes=[],
        bad=[],
        action="skip",
        notes=["The built-in set: rendered by the package."],
        usable=True,
        verdict=_good_news(len(images), len(images.classes)),
        preview=images.pictures(shown),
        preview_names=[images.names[row] for row in shown],
        preview_classes=[images.classes[images.labels[row]] for row in shown] if images.classes else [],
    )
