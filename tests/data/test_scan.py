"""One pass over all pictures: the same whatever is read ahead and however many threads decode."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.data import scan as module
from sagan.data.decode import decode
from sagan.data.faults import Unreadable
from sagan.data.found import Recipe
from sagan.data.layout import Listing
from sagan.data.scan import scan

COUNT = 200
RECIPE = Recipe(16, "crop", (255, 255, 255))


class Drawer:
    """A source in memory. sizes: the side of each picture; a picture of side 0 cannot be read."""

    path, slow_at_random = Path("drawer"), False

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.listing = Listing([f"{index}.png" for index in range(len(sizes))], np.zeros(len(sizes), dtype=np.int64))

    def read(self, index: int) -> bytes:
        if not self.sizes[index]:
            raise Unreadable("unreadable", "is not there")
        stream = io.BytesIO()
        pixels = np.random.default_rng(index).integers(
            0, 256, (self.sizes[index], self.sizes[index], 3), dtype=np.uint8
        )
        Image.fromarray(pixels).save(stream, "PNG" if index % 2 else "JPEG")
        return stream.getvalue()[: 9 if index % 50 == 30 else None]

    def close(self) -> None:
        pass


def found(threads: int, **options):
    sizes = [0 if index % 70 == 20 else 8 + index % 20 for index in range(COUNT)]
    wanted = np.random.default_rng(0).permutation(COUNT)
    result = scan(Drawer(sizes), wanted, RECIPE, keep_pixels=True, threads=threads, **options)
    assert result.pixels is not None and len(result.pixels) == len(result.digests) == len(result.kept)
    return (
        *(values.tobytes() for values in (result.kept, result.pixels, result.digests)),
        *(result.skipped, result.sizes, result.modes, result.enlarged, result.transparent, result.grey),
    )


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("ahead", [1, 3000, 2**20])
def test_reading_ahead_and_threads_change_nothing(ahead, threads, monkeypatch):
    expected = found(1)
    assert len(expected[3]) == 7 and {entry.reason_code for entry in expected[3]} == {"unreadable", "truncated"}
    monkeypatch.setattr(module, "READ_AHEAD", ahead)
    assert found(threads) == expected
    assert found(threads, stop_early=True)[3] == expected[3][:1]


def test_not_more_than_the_limit_is_read_ahead(monkeypatch):
    held, most, groups = 0, 0, 0

    class Counting(Drawer):
        def read(self, index: int) -> bytes:
            nonlocal held, most
            data = super().read(index)
            held += len(data)
            most = max(most, held)
            return data

    def forget(data, **options):
        nonlocal held, groups
        held -= len(data)
        groups += not held
        return decode(data, **options)

    monkeypatch.setattr(module, "decode", forget)
    monkeypatch.setattr(module, "READ_AHEAD", 5000)
    scan(Counting([16] * COUNT), np.arange(COUNT), RECIPE, keep_pixels=False, threads=1)
    assert held == 0 and 5000 <= most < 5000 + 1500  # a picture has some 900 bytes
    assert groups < COUNT // 4


@pytest.mark.parametrize(("side", "at_once"), [(16, 1), (64, 2)])
def test_threads_decode_large_pictures_at_once_and_small_ones_in_turn(side, at_once, monkeypatch):
    now, most, door = 0, 0, threading.Condition()

    def wait_for_company(data, **options):
        nonlocal now, most
        with door:
            now += 1
            most = max(most, now)
            door.notify_all()
            door.wait_for(lambda: most > 1, timeout=0.005)
        result = decode(data, **options)
        with door:
            now -= 1
        return result

    monkeypatch.setattr(module, "decode", wait_for_company)
    scan(Drawer([side] * COUNT), np.arange(COUNT), RECIPE, keep_pixels=False, threads=2)
    assert most == at_once
