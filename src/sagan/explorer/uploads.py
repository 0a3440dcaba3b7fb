"""Pictures that somebody drops into the page: decoded in a process of their own, kept as pixels under an id that we choose."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sagan
from sagan.data.convert import fill_hidden
from sagan.errors import CheckpointMissing, DataError, printable
from sagan.explorer.decoder import REFUSED

MOST = 16
AT_ONCE = 2
SECONDS = 20.0
BACKGROUND = (255, 255, 255)
REMEDY = "Use a JPEG, PNG, WebP, BMP or GIF file."


class Uploads:
    """The last MOST pictures, (R, R, C) uint8 as training would see them. resolution, channels: of the networks."""

    def __init__(self, resolution: int, channels: int) -> None:
        self._resolution, self._channels = resolution, channels
        self._pictures: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def add(self, payload: bytes) -> str:
        """The id of a picture file's pixels. Raises DataError."""
        async with self._turn:
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

    async def _decoded(self, payload: bytes) -> NDArray[np.uint8]:
        words = ["-m", "sagan.explorer.decoder", str(self._resolution), str(self._channels)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(sagan.__file__).parents[1],  # not where the user stands: `-m` looks there first
        )
        try:
            answer, _ = await asyncio.wait_for(process.communicate(payload), SECONDS)
        except (TimeoutError, asyncio.CancelledError) as error:
            process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise DataError("this picture takes too long to decode", remedy=REMEDY) from None
            raise
        side, channels = self._resolution, self._channels
        if process.returncode == 0 and len(answer) == side * side * channels:
            pixels = np.frombuffer(answer, dtype=np.uint8).reshape(side, side, channels)
            return fill_hidden(pixels, BACKGROUND) if channels == 4 else pixels
        known = process.returncode == REFUSED
        why = printable(answer[:200].decode("utf-8", "replace")) if known else "cannot be decoded"
        raise DataError(f"this picture {why}", remedy=REMEDY)
