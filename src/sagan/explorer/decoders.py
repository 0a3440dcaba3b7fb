"""The decoding processes, from the server's side: kept between pictures, replaced when they are worn out or cannot be trusted.

What a process says is a stranger's word, since a picture may have taken it over: every answer has a size that is known before
it is read, and anything else ends the process. Nothing here waits for one longer than SECONDS.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sagan
from sagan.data.found import Recipe
from sagan.errors import DataError, ResourceError, printable
from sagan.explorer.decoder import MEMORY, NONCE, PIXELS, REFUSED

PROGRAM = ["-m", "sagan.explorer.decoder"]
PICTURES = 100  # a process: its start, a third of a second, is then a hundredth of each
SECONDS = 20.0  # a picture, its process's start included
MOST_WORDS = 1 << 10  # bytes of a reason
REMEDY = "Use a JPEG, PNG, WebP, BMP or GIF file."


class Decoders:
    """As many processes as pictures are decoded at once; the first is started for the first picture."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._resting: list[_Process] = []
        self._all: set[_Process] = set()

    async def decode(self, payload: bytes) -> NDArray[np.uint8]:
        """A picture file as training would see it, (R, R, C).

        Raises DataError; ResourceError where the system starts no further process.
        """
        try:
            async with asyncio.timeout(SECONDS):
                kind, content = await self._answer(payload)
        except TimeoutError:
            raise DataError("this picture takes too long to decode", remedy=REMEDY) from None
        if kind == PIXELS:
            return np.frombuffer(content, dtype=np.uint8).reshape(self._shape)
        why = printable(content.decode("utf-8", "replace"))
        raise DataError(f"this picture {why}", remedy=REMEDY)

    async def close(self) -> None:
        """End all processes."""
        for process in list(self._all):
            await self._end(process)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._recipe.side, self._recipe.side, self._recipe.channels

    async def _answer(self, payload: bytes) -> tuple[int, bytes]:
        """PIXELS or what is wrong, in words. What a used process could not do is left to a fresh one to say."""
        if self._resting:
            answer = await self._ask(self._resting.pop(), payload)
            if answer is not None and answer[0] != MEMORY:
                return answer
        return await self._ask(await self._start(), payload) or (REFUSED, b"cannot be decoded")

    async def _ask(self, process: _Process, payload: bytes) -> tuple[int, bytes] | None:
        """Its answer; None where it had ended, or gone astray, before it got the picture."""
        rests = False
        try:
            if not await process.greet(len(payload)):
                return None
            kind, content, more = await process.give(payload, int(np.prod(self._shape)))
            rests = more and process.pictures < PICTURES
            return kind, content
        finally:
            if rests:
                self._resting.append(process)
            else:
                await self._end(process)

    async def _start(self) -> _Process:
        recipe = self._recipe
        words = [str(word) for word in (recipe.side, recipe.channels, recipe.fit, *recipe.background)]
        try:
            started = await asyncio.create_subprocess_exec(
                sys.executable,
                *PROGRAM,
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=Path(sagan.__file__).parents[1],  # not where the user stands: `-m` looks there first
                start_new_session=True,  # Ctrl-C is for the server, which ends these when its own work is done
            )
        except OSError as error:
            raise ResourceError(f"no decoding process can be started ({error.strerror})") from None
        process = _Process(started)
        self._all.add(process)
        return process

    async def _end(self, process: _Process) -> None:
        self._all.discard(process)
        await process.end()


class _Process:
    """One process. pictures: how many it was given."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._to, self._of = process, process.stdin, process.stdout
        self.pictures = 0

    async def greet(self, size: int) -> bool:
        """Whether it is there, and says what it should, before it gets a file of this many bytes."""
        nonce = secrets.token_bytes(NONCE)
        try:
            self._to.write(nonce + size.to_bytes(4, "little"))
            await self._to.drain()
            return await self._of.readexactly(NONCE) == nonce
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def give(self, payload: bytes, size: int) -> tuple[int, bytes, bool]:
        """(PIXELS, REFUSED or MEMORY, that many pixels or words, whether it takes another picture)."""
        self.pictures += 1
        try:
            self._to.write(payload)
            await self._to.drain()
            head = await self._of.readexactly(6)
            kind, more, length = head[0], head[1] == 1, int.from_bytes(head[2:], "little")
            if kind in (PIXELS, REFUSED, MEMORY) and (length == size if kind == PIXELS else length <= MOST_WORDS):
                return kind, await self._of.readexactly(length), more
        except (OSError, asyncio.IncompleteReadError):
            pass
        return REFUSED, b"cannot be decoded", False

    async def end(self) -> None:
        """Kill it, whatever it does, and see it gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._to.close()
        await self._process.wait()
