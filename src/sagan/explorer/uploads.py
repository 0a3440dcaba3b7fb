"""Pictures that somebody drops into the page: decoded in processes of their own, kept as pixels under an id that we choose."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from sagan.data.found import Recipe
from sagan.errors import CheckpointMissing
from sagan.explorer.decoders import Decoders
from sagan.explorer.worker import QueueFull

MOST = 16
AT_ONCE = 2
# The costliest picture that is taken costs some 4 s: of eight such two at a time, the last is begun after 16 s, and done
# within the deadline of 30. The files of everyday take milliseconds.
MOST_WAITING = 8


class Uploads:
    """The last MOST pictures, (R, R, C) uint8 as training would see them. recipe: how it made its squares."""

    def __init__(self, recipe: Recipe) -> None:
        self._decoders = Decoders(recipe)
        self._pictures: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._pace = 0.1  # seconds a picture took of late

    async def add(self, payload: bytes) -> str:
        """The id of a picture file's pixels. Raises DataError; ResourceError; QueueFull where too many wait."""
        async with self._turn():
            pixels = await self._decoded(payload)
        id = secrets.token_hex(8)
        self._pictures[id] = pixels
        while len(self._pictures) > MOST:
            self._pictures.popitem(last=False)
        return id

    def get(self, id: str) -> NDArray[np.uint8]:
        """Raises CheckpointMissing for an id that is not, or no longer, known."""
        if id not in self._pictures:
            raise CheckpointMissing("there is no such picture, or no longer", remedy="Drop it once more.")
        self._pictures.move_to_end(id)
        return self._pictures[id]

    async def close(self) -> None:
        """End the processes that decode."""
        await self._decoders.close()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise QueueFull(max(1, round(self._pace * self._waiting / AT_ONCE)))
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        start = time.monotonic()
        try:
            yield
        finally:
            self._pace += 0.2 * (time.monotonic() - start - self._pace)
            self._turns.release()

    async def _decoded(self, payload: bytes) -> NDArray[np.uint8]:
        return await self._decoders.decode(payload)
