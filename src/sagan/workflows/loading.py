"""The pictures of a record, and its batches: of a set that is scanned whole, or of a stream."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sagan.config import RunConfig
from sagan.data.batches import Batches
from sagan.data.images import ImageSet
from sagan.data.scan import Progress
from sagan.data.stream.batches import StreamBatches
from sagan.data.stream.opening import StreamedSet, open_pictures
from sagan.runtime import Runtime
from sagan.training.reporting import Note, Watch

SECONDS_BETWEEN_NOTES = 10.0


def open_with_notes(config: RunConfig, runtime: Runtime, watch: Watch) -> ImageSet:
    """The pictures; a large set says now and then how far it is."""
    said = time.monotonic()

    def tell(what: str) -> Progress:
        def progress(done: int, total: int) -> None:
            nonlocal said
            if time.monotonic() - said > SECONDS_BETWEEN_NOTES:
                said = time.monotonic()
                watch(Note(f"{what}: {done:,} of {total:,}."))

        return progress

    return open_pictures(
        config.data,
        config.model.resolution,
        channels=config.model.channels,
        note=lambda text: watch(Note(text)),
        threads=runtime.threads,
        progress=tell("Reading pictures"),
        listed=tell("Listing shards"),
    )


def open_batches(
    config: RunConfig, images: ImageSet, position: int, rows: NDArray[np.int64]
) -> Batches | StreamBatches:
    """Endless batches from a position on. rows: the places of each batch that are wanted here."""
    training, data = config.training, config.data
    if isinstance(images, StreamedSet):
        return StreamBatches(
            images,
            batch_size=training.batch_size,
            parts=training.grad_accum,
            seed=training.seed,
            window=data.shuffle_window,
            position=position,
            workers=data.workers,
            mirror=data.mirror,
            rows=rows,
        )
    return Batches(
        images,
        batch_size=training.batch_size,
        seed=training.seed,
        position=position,
        workers=data.workers,
        mirror=data.mirror,
        balance=data.balance,
        rows=rows,
    )
