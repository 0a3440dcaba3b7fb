"""What is judged, and against what: a run, a generator or a folder of pictures, and the real pictures that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.config import RunConfig, from_toml
from sagan.data.config import DataConfig
from sagan.data.found import Recipe
from sagan.data.image_set import ImageSet
from sagan.data.images import open_images
from sagan.data.scan import Prepared, read_pictures
from sagan.data.sources import open_source
from sagan.disk import disk_errors
from sagan.engines import engine_runtime, open_engine
from sagan.errors import ConfigError, DataError
from sagan.metrics.real import CHOICE
from sagan.randomness import Stream, permutation
from sagan.runtime import available_cores
from sagan.sampling import paint
from sagan.workflows.openers import open_generator
from sagan.workflows.picks import pick
from sagan.workflows.run_folder import RunFolder
from sagan.workflows.sharing.layout import is_shared, shared_record
from sagan.workflows.standing import read_statistics, with_standing_statistics

CHUNK = 256  # a multiple of sampling's inner batch
PEEK = 16  # pictures of a folder that are looked at for their size
Count = Callable[[int, int], None]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """Pictures to judge. count: how many.  labels: (count,), zeros without classes.  ema: None for pictures in files.

    fetch: places (k,) in 0..count-1 -> pictures (k, R, R, C) uint8, the same ones at every call.  They are in no order:
    not class by class, which would show in what is measured part by part.
    name_of: place -> what a person calls that picture.  config: the record of the run it belongs to, if it is known.
    truncation, statistics: with which they were drawn.
    release: gives file handles back.
    """

    name: str
    resolution: int
    channels: int
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    ema: bool | None
    fetch: Callable[[NDArray[np.int64]], Pictures]
    name_of: Callable[[int], str]
    config: RunConfig | None = None
    warnings: tuple[str, ...] = ()
    truncation: float = 0.0
    statistics: str = "running"
    release: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self) -> Iterator[Pictures]:
        """All of them, CHUNK at a time; none is kept."""
        for start in range(0, len(self), CHUNK):
            yield self.fetch(np.arange(start, min(start + CHUNK, len(self))))

    def close(self) -> None:
        """Nothing can be fetched any more."""
        self.release()


def open_subject(path: str | Path, n: int, seed: int, device: str) -> Subject:
    """A run, a checkpoint or a generator file, of which n pictures are drawn; or a set of pictures, at most n of it.

    seed: the pictures have the seeds from seed * n on, so that another seed is another sample. Each has the class that its
    seed draws. Raises CheckpointError's children, DataError, ConfigError.
    """
    path = Path(path)
    with disk_errors(path):
        is_generator = (path / "run.toml").exists() or (path / "generator.safetensors").exists()
        is_generator |= path.suffix == ".safetensors" or not path.exists()
    if not is_generator:
        return _files(path, n, seed)
    return drawn_subject(path, range(seed * n, (seed + 1) * n), device)


def drawn_subject(
    path: Path,
    seeds: Sequence[int],
    device: str,
    *,
    classes: str | None = None,
    trunc: float = 0.0,
    stats: str = "running",
) -> Subject:
    """The pictures of these seeds.  classes, trunc, stats: as `sagan sample` has them. Raises as `open_subject` does."""
    policy = read_statistics(stats)
    runtime = engine_runtime("torch", device)
    opened = open_generator(path, runtime=runtime)
    generator = opened.generator if policy is None else with_standing_statistics(opened.generator, policy, trunc)
    engine = open_engine("torch", generator, runtime, "fp32")
    picks = pick(seeds, classes, trunc, opened.classes)
    config = run_record(opened.source)

    def fetch(places: NDArray[np.int64]) -> Pictures:
        chosen = picks.rows(places)
        return paint(generator, chosen.latents(slice(None), generator.z_dim), chosen.labels, engine=engine)

    return Subject(
        name=str(path),
        resolution=opened.generator.resolution,
        channels=opened.generator.channels,
        classes=opened.classes,
        labels=picks.labels,
        ema=config is None or config.training.ema > 0,
        fetch=fetch,
        name_of=lambda place: f"seed {seeds[place]}",
        config=config,
        warnings=opened.warnings,
        truncation=trunc,
        statistics=stats if policy is None else str(policy),
    )


def _files(path: Path, n: int, seed: int) -> Subject:
    images = open_images(DataConfig(data=str(path)), side_of(path), threads=available_cores())
    ids = permutation(seed, Stream.METRIC, CHOICE, len(images))[:n]
    return Subject(
        name=str(path),
        resolution=images.resolution,
        channels=3,
        classes=images.classes,
        labels=images.labels[ids],
        ema=None,
        fetch=lambda places: images.pictures(ids[places]),
        name_of=lambda place: images.names[ids[place]],
        warnings=tuple(images.notes),
        release=images.close,
    )


def side_of(path: Path) -> int:
    """The side of the squares that pictures in files become: the usual short side of the first ones."""
    source = open_source(path)
    try:
        first = range(min(PEEK, len(source.listing.names)))
        found = read_pictures(source, first, Recipe(8, "crop", (255, 255, 255)), threads=1)
        sides = [min(one.size) for one in found if isinstance(one, Prepared)]
    finally:
        source.close()
    if not sides:
        raise DataError("none of the first pictures can be read", where=path)
    return int(np.median(sides))


def run_record(generator: Path) -> RunConfig | None:
    """The record of the run that a generator file of a checkpoint lies in, or that lies in a shared folder beside it."""
    if is_shared(generator.parent):
        return shared_record(generator.parent)
    folder = RunFolder(generator.resolve().parent.parent.parent)
    return from_toml(folder.record) if folder.record.exists() else None


def real_pictures(subject: Subject, data: str | None, progress: Count | None = None) -> tuple[ImageSet, DataConfig]:
    """The real pictures, made square as the run made them, at the size and with the channels of the drawn ones.

    data: where they lie; None for the run's own. Raises ConfigError when neither says it, DataError.
    """
    recorded = None if subject.config is None else subject.config.data
    if data is None and (recorded is None or not recorded.data):  # a shared record does not say where they lie
        raise ConfigError(
            "the real pictures to compare with are not known", where=subject.name, remedy="Name them with --data DATA."
        )
    config = recorded or DataConfig()
    changes = {"on_bad": "skip", "balance": False, **({"data": data} if data is not None else {})}
    config = config.model_copy(update=changes)
    images = open_images(
        config, subject.resolution, channels=subject.channels, threads=available_cores(), progress=progress
    )
    return images, config


def shared_classes(subject: Subject, images: ImageSet) -> tuple[int, str | None]:
    """How many classes both sides have under the same names in the same order: 0 and a reason when they have not."""
    if not subject.classes or not images.classes:
        return 0, None
    if subject.classes != images.classes:
        return 0, "the classes of the drawn and of the real pictures have other names, so no metric uses them"
    return len(images.classes), None
