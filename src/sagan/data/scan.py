"""One pass over all pictures of a source: read, hash, decode, resize, and note what cannot be used.

Every picture is decoded once before training starts, so that a bad one is found now and not in the middle of a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.data.convert import MODES, fill_hidden, is_grey, to_channels
from sagan.data.decode import Decoded, decode, strict_pillow
from sagan.data.faults import Fault, Skipped, Unreadable
from sagan.data.found import Recipe, Scan
from sagan.data.pack.reading import PackSource
from sagan.data.resize import make_square
from sagan.data.sources.base import Payload, Source

CHUNK = 64  # pictures a task: threads hand over seldom, and the progress still moves
READ_AHEAD = 2**20  # bytes that a thread reads before it decodes them
SMALL = 2048  # bytes a file, of pictures of some 32 or 64 pixels

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """One usable picture: pixels (R, R, C) uint8, the digest of its bytes, its size and mode in the file."""

    pixels: NDArray[np.uint8]
    digest: bytes
    size: tuple[int, int]
    mode: str
    transparent: bool
    grey: bool


def prepare(payload: Payload, recipe: Recipe) -> Prepared | Fault:
    """Hash, decode and resize one picture."""
    digest = digest_of(payload)
    if isinstance(payload, bytes):
        decoded = decode(payload, channels=recipe.channels, background=recipe.background, at_least=recipe.side)
    else:
        decoded = _from_array(payload, recipe)
    if isinstance(decoded, Fault):
        return decoded
    pixels = make_square(decoded.picture, recipe.side, recipe.fit)
    if recipe.channels == 4:
        pixels = fill_hidden(pixels, recipe.background)
    return Prepared(pixels, digest, decoded.size, decoded.mode, decoded.transparent, is_grey(pixels))


def scan(
    source: Source,
    wanted: NDArray[np.int64],
    recipe: Recipe,
    *,
    keep_pixels: bool,
    stop_early: bool = False,
    threads: int = 2,
    progress: Progress | None = None,
) -> Scan:
    """Prepare all `wanted` pictures in their order; those of a pack are prepared already.

    stop_early: end at the first picture that cannot be used; it is then the last of `skipped`.
    progress: called as progress(done, total) in the caller's thread.
    """
    total = len(wanted)
    if isinstance(source, PackSource):
        result = source.scanned(wanted, recipe)
        result.pixels = source.squares(result.kept) if keep_pixels else None
        if progress is not None:
            progress(total, total)
        return result
    shape = (total, recipe.side, recipe.side, recipe.channels)
    pixels = np.empty(shape, dtype=np.uint8) if keep_pixels else None
    kept, digests = list[int](), bytearray()
    result = Scan(wanted[:0], pixels, np.empty((0, 32), dtype=np.uint8))
    for done, (index, outcome) in enumerate(prepared(source, wanted, recipe, threads), start=1):
        if isinstance(outcome, Fault):
            result.skipped.append(Skipped(source.listing.names[index], outcome.code, outcome.text))
            if stop_early:
                break
        else:
            if pixels is not None:
                pixels[len(kept)] = outcome.pixels
            kept.append(index)
            digests += outcome.digest
            result.sizes[outcome.size] += 1
            result.modes[outcome.mode] += 1
            result.enlarged += min(outcome.size) < recipe.side
            result.transparent += outcome.transparent
            result.grey += outcome.grey
        if progress is not None and (done % CHUNK == 0 or done == total):
            progress(done, total)
    result.kept = np.array(kept, dtype=np.int64)
    result.digests = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)
    result.pixels = None if pixels is None else pixels[: len(kept)]
    return result


def read_pictures(source: Source, indices: Sequence[int], recipe: Recipe, threads: int) -> list[Prepared | Fault]:
    """Prepare a few pictures, in order."""
    wanted = np.asarray(indices, dtype=np.int64)
    return [outcome for _, outcome in prepared(source, wanted, recipe, threads, chunk=8)]


def prepared(
    source: Source, wanted: NDArray[np.int64], recipe: Recipe, threads: int, chunk: int = CHUNK
) -> Iterator[tuple[int, Prepared | Fault]]:
    """(index, outcome) in order. A few chunks are in flight at a time, so memory does not grow with the set."""
    chunks = [wanted[start : start + chunk].tolist() for start in range(0, len(wanted), chunk)]
    turn = Lock()

    def work(indices: list[int]) -> list[Prepared | Fault]:
        return _read_and_prepare(source, indices, recipe, turn)

    with strict_pillow():
        if threads <= 1 or len(chunks) <= 1:
            for indices in chunks:
                yield from zip(indices, work(indices), strict=True)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="sagan-decode") as pool:
            waiting: list[tuple[list[int], Future[list[Prepared | Fault]]]] = []
            try:
                for indices in chunks:
                    waiting.append((indices, pool.submit(work, indices)))
                    if len(waiting) > 2 * threads:
                        first, future = waiting.pop(0)
                        yield from zip(first, future.result(), strict=True)
                for first, future in waiting:
                    yield from zip(first, future.result(), strict=True)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _read_and_prepare(source: Source, indices: list[int], recipe: Recipe, turn: Lock) -> list[Prepared | Fault]:
    """The outcomes in order.

    Small files are read several at a time: where reading and decoding alternate picture by picture, each pushes the
    other's code out of the processor's cache. And of the threads that share `turn` one at a time decodes small files: that
    gives Python's own lock away so often and so briefly that two threads would mostly wait for each other to wake up.
    """
    outcomes, held, size = list[Prepared | Fault](), list[Payload | Fault](), 0
    for done, index in enumerate(indices, start=1):
        held.append(read_one(source, index))
        size += _bytes_of(held[-1])
        if size >= READ_AHEAD or done == len(indices):
            with turn if size <= SMALL * len(held) else nullcontext():
                outcomes += [one if isinstance(one, Fault) else prepare(one, recipe) for one in held]
            held, size = [], 0
    return outcomes


def read_one(source: Source, index: int) -> Payload | Fault:
    """One picture as it lies in its source, or why it cannot be read."""
    try:
        return source.read(index)
    except Unreadable as error:
        return error.fault


def _bytes_of(payload: Payload | Fault) -> int:
    if isinstance(payload, Fault):
        return 0
    return len(payload) if isinstance(payload, bytes) else payload.nbytes


def _from_array(payload: NDArray[np.uint8], recipe: Recipe) -> Decoded | Fault:
    height, width, channels = payload.shape
    if not height or not width:
        return Fault("empty", "has no pixels")
    image = Image.fromarray(payload[..., 0] if channels == 1 else payload)
    picture, transparent = to_channels(image, recipe.channels, recipe.background)
    return Decoded(picture, (width, height), MODES[channels], transparent)


def digest_of(payload: Payload) -> bytes:
    """SHA-256 of a picture's bytes, or of its pixels and their shape: equal for equal files."""
    if isinstance(payload, bytes):
        return hashlib.sha256(payload).digest()
    return hashlib.sha256(repr(payload.shape).encode() + payload.tobytes()).digest()
