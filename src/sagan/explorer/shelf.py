"""Ids and the checkpoints that they stand for. Requests name ids, never paths."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from sagan.checkpoint.folder import CHECKPOINTS, step_folder, steps
from sagan.checkpoint.retention import read_best
from sagan.data.config import DataConfig
from sagan.data.found import Recipe
from sagan.data.images import recipe_of
from sagan.engines import open_engine
from sagan.errors import CheckpointCorrupt, CheckpointMissing, ConfigError, SaganError
from sagan.models.network import Discriminator
from sagan.runtime import Runtime
from sagan.sampling import Engine
from sagan.training.state import MODEL
from sagan.workflows.openers import OpenGenerator, locate, open_checkpoint, open_discriminator, open_generator
from sagan.workflows.picture_file import squares_of
from sagan.workflows.run_folder import RunFolder

MOST_OPEN = 3
SETTLED = 2 * 10**9  # nanoseconds: older than the steps in which file systems count
ONLY = "generator"  # the id of what is not one of a run's checkpoints


@dataclass(frozen=True)
class Entry:
    """path: as a command would name it."""

    id: str
    path: Path
    step: int | None


@dataclass
class Opened:
    """A checkpoint with its networks; what is not needed at once is opened when it is.

    key: names these very numbers. Its id may come to stand for others, when training goes back and writes a step again.
    """

    key: str
    generator: OpenGenerator
    _runtime: Runtime
    _engine: Engine | None = None
    _discriminator: list[Discriminator | None] = field(default_factory=list)

    def engine(self) -> Engine:
        """The folded generator: the one that `sagan sample` draws with."""
        if self._engine is None:
            self._engine = open_engine("torch", self.generator.generator, self._runtime, "fp32")
        return self._engine

    def discriminator(self) -> Discriminator:
        """Raises ConfigError where there is none."""
        if not self._discriminator:
            self._discriminator.append(open_discriminator(self.generator, runtime=self._runtime))
        if self._discriminator[0] is None:
            raise ConfigError("this file holds no discriminator", remedy="Open the run's folder instead.")
        return self._discriminator[0]


class Shelf:
    """The checkpoints of a run, or the one of a file or a checkpoint folder. Its networks are for one thread."""

    def __init__(self, source: Path, runtime: Runtime) -> None:
        source, notes = locate(source, both=True)  # once: what is on the Hub may change while the page is open
        self.source, self._runtime = source, runtime
        self.run = RunFolder(source) if (source / "run.toml").is_file() else None
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._listed: tuple[tuple[int, int] | None, list[Entry]] | None = (
            None  # entries, and the folder's stamp by then
        )
        self.warnings: list[str] = [*notes]
        self.has_discriminator = self.run is not None or (source / MODEL).is_file()
        self.fetch(None)  # says at once what is wrong

    def entries(self) -> list[Entry]:
        """What there is now, oldest first; training adds some and deletes others."""
        if self.run is None:
            return [Entry(ONLY, self.source, None)]
        stamp = _stamp(self.source / CHECKPOINTS)
        if self._listed is None or self._listed[0] != stamp:
            found = [step_folder(self.source, step) for step in steps(self.source)]
            entries = [Entry(folder.name, folder, int(folder.name.removeprefix("step-"))) for folder in found]
            settled = (
                stamp is not None and time.time_ns() - stamp[1] > SETTLED
            )  # else it may change without another stamp
            self._listed = (stamp, entries) if settled else None
            return entries
        return self._listed[1]

    def best(self) -> str | None:
        """The id of the run's best checkpoint, where it knows one."""
        try:
            best = read_best(self.source) if self.run is not None else None
        except SaganError:
            return None
        return None if best is None else step_folder(self.source, best.step).name

    def fetch(self, id: str | None, *, since: str | None = None) -> Opened:
        """The checkpoint of an id; None is the newest whole one. Raises CheckpointMissing and its kin.

        since: the id that was the newest when somebody asked for None; younger ones are left alone while that one is there.
        """
        entries = self.entries()
        if id is not None:
            wanted = [entry for entry in entries if entry.id == id]
            if not wanted:
                remedy = "Choose another: training deletes old ones."
                raise CheckpointMissing("there is no such checkpoint, or no longer", remedy=remedy)
            return self._opened(wanted[0])
        known = [entry.id for entry in entries]
        entries = entries[: known.index(since) + 1] if since in known else entries
        for entry in reversed(entries):
            try:
                return self._opened(entry)
            except (CheckpointCorrupt, CheckpointMissing) as error:
                if entry is entries[0]:
                    raise
                warning = f"passed over {entry.id}: {error.what}"  # not where: the page shows it
                if warning not in self.warnings:
                    self.warnings.append(warning)
        raise CheckpointMissing("there is no checkpoint yet", where=self.source, remedy="Train it a little longer.")

    def recipe(self, opened: OpenGenerator) -> Recipe:
        """How the run of a generator made its pictures square, by its record; the defaults where there is none."""
        try:
            return squares_of(opened)
        except SaganError as error:
            self.warnings.append(f"a picture of yours is made square by the defaults, not as in training: {error.what}")
        return recipe_of(DataConfig(), opened.record.model.resolution, opened.record.model.channels)

    def _opened(self, entry: Entry) -> Opened:
        stamp = _stamp(entry.path)
        key = f"{entry.id} {stamp}"
        if entry.id in self._open and (stamp is None or self._open[entry.id].key == key):
            self._open.move_to_end(entry.id)
            return self._open[entry.id]
        self._open.pop(entry.id, None)
        while len(self._open) >= MOST_OPEN:  # before the next one takes memory
            self._open.popitem(last=False)
        if self.run is None:
            opened = open_generator(self.source, runtime=self._runtime)
        else:
            opened = open_checkpoint(entry.path, runtime=self._runtime)
        self._open[entry.id] = Opened(key, opened, self._runtime)
        return self._open[entry.id]


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file or a folder is written anew; None for one that is gone, which may be open still."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns
