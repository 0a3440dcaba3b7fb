"""Does the batch fit into memory? What it takes is predicted from small steps that are really taken, before a run begins.

`--batch-size auto` keeps the batch of the recipe, whose learning rates belong to it, and works through it in as many parts as
memory asks for. What was found goes into the run's record, so a run that goes on does not choose again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagan.config import RunConfig, override
from sagan.errors import ConfigError, ResourceError
from sagan.runtime import Runtime
from sagan.workflows.estimate import Estimate, estimate, size

SHARE = 0.8  # of the free memory that a plan may use: kernels, libraries and other programs want some
LEAST = 2  # real pictures in a part: batch norm of one has no spread


@dataclass(frozen=True)
class Fit:
    """How a record's batch stands to the memory that is free. free: bytes, None where nobody says.

    processes: that share the batch.  sharing: those of them that share this memory.
    """

    config: RunConfig
    cost: Estimate
    free: int | None
    processes: int = 1

    @property
    def part(self) -> int:
        """Real pictures that pass through a network of one process at once."""
        training = self.config.training
        return training.batch_size // (training.grad_accum * self.processes)

    @property
    def fits(self) -> bool:
        """Whether it will, as far as anybody can tell."""
        return self.free is None or self.cost.memory.of(self.part) <= SHARE * self.free

    @property
    def most(self) -> int | None:
        """The largest part that fits; 0 when none does, None where nobody says how much memory is free."""
        if self.free is None:
            return None
        memory = self.cost.memory
        return max(0, int(SHARE * self.free - memory.fixed) // memory.a_picture)

    def words(self) -> str:
        """'batch 64: 1.9 GiB of 12.0 GiB free; parts of up to 410 would fit'"""
        training = self.config.training
        parts = f" in {training.grad_accum} parts" if training.grad_accum > 1 else ""
        shared = f" over {self.processes} processes" if self.processes > 1 else ""
        taken = size(self.cost.memory.of(self.part))
        free = "" if self.free is None else f" of {size(self.free)} free"
        room = "" if not self.most else f"; up to {self.most:,} pictures at once would fit"
        return f"batch {training.batch_size}{shared}{parts}: {taken}{free}{room}"

    def after_all(self) -> str:
        """What to do when memory ran out, whatever was predicted."""
        return self.offer(below=self.part)

    def offer(self, below: int | None = None) -> str:
        """What to do when the batch does not fit. below: only parts smaller than this, which was found not to fit."""
        most = self.part if self.most is None else self.most
        most = most if below is None else min(most, below - 1)
        parts = parts_that_fit(self.config, most, self.processes)
        batch = most // LEAST * LEAST * self.processes
        if parts is None or batch < LEAST:
            return "Not even the smallest batch fits: use --precision bf16 where there is hardware for it, or smaller networks."
        whole = self.config.training.batch_size
        smaller = f" or --batch-size {_rounded(batch, self.processes)}" if batch < whole else ""
        return f"What fits: --grad-accum {parts} for the same batch{smaller}."


def fit(config: RunConfig, classes: int, runtime: Runtime, processes: int = 1, sharing: int = 1) -> Fit:
    """Predict what training by a record takes, and ask how much is free.

    sharing: processes that share the memory of this machine or device. Raises ResourceError when not even a few pictures fit.
    """
    cost = estimate(config, classes, runtime, processes)
    free = runtime.free_memory()
    return Fit(config, cost, None if free is None else free // sharing, processes)


def in_parts(found: Fit) -> RunConfig:
    """The record with as many parts of its batch as memory asks for. Raises ResourceError when no number of them fits."""
    if found.fits or found.most is None:
        return found.config
    parts = parts_that_fit(found.config, found.most, found.processes)
    if parts is None:
        raise ResourceError(f"no batch fits into memory ({found.words()})", remedy=found.offer())
    return with_parts(found.config, parts)


def with_parts(config: RunConfig, parts: int) -> RunConfig:
    """The record with its batch in so many parts."""
    return config if parts == config.training.grad_accum else override(config, grad_accum=parts)


def parts_that_fit(config: RunConfig, most: int, processes: int = 1) -> int | None:
    """The fewest parts of at most `most` pictures that a record's batch can be worked through in; None when there are none."""
    training = config.training
    for parts in range(training.grad_accum, training.batch_size // (LEAST * processes) + 1):
        if training.batch_size % (parts * processes) or training.fakes % (parts * processes):
            continue
        if training.batch_size // (parts * processes) <= most and _is_a_record(config, parts):
            return parts
    return None


def _is_a_record(config: RunConfig, parts: int) -> bool:
    """Whether the record may have so many parts: groups of batch norm have to divide them."""
    try:
        override(config, grad_accum=parts)
    except ConfigError:
        return False
    return True


def _rounded(batch: int, processes: int) -> int:
    """The largest power of two for each process up to `batch` in all, as batches usually are."""
    return processes << (batch // processes).bit_length() - 1
