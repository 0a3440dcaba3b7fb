"""The processes that decode pictures of strangers: what they may do, how they end, and that no picture harms the next."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bad_pictures.mutate import small_files

import sagan
from sagan.data.decode import Decoded, decode, strict_pillow
from sagan.data.found import Recipe
from sagan.data.scan import prepare
from sagan.errors import DataError
from sagan.explorer import decoders as module
from sagan.explorer.decoder import ADDRESSES, LIFE_SECONDS, SECONDS
from sagan.explorer.decoders import Decoders
from sagan.explorer.uploads import AT_ONCE, MOST_WAITING, Uploads
from sagan.explorer.worker import QueueFull

SMALL = Recipe(4, "crop", (255, 255, 255))
ODD = str(Path(__file__).parent / "odd_decoder.py")

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have other limits")
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs limits or signals")


@pytest.fixture
def odd(monkeypatch):
    """odd(SECONDS, LIFE_SECONDS) makes every decoder one that does what its picture says."""

    def choose(seconds=SECONDS, life=LIFE_SECONDS):
        monkeypatch.setattr(module, "PROGRAM", [ODD, str(seconds), str(life)])

    choose()
    return choose


def with_decoders(scene, recipe=SMALL):
    """What scene(decoders) gives, and no process is left."""

    async def play():
        decoders = Decoders(recipe)
        try:
            return await scene(decoders)
        finally:
            numbers = pids(decoders)
            await decoders.close()
            assert not any(alive(number) for number in numbers)

    return asyncio.run(play())


def pids(decoders):
    return {process._process.pid for process in decoders._all}


def alive(pid):
    """Whether it runs, or is a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def level(decoders, word):
    """What an odd decoder paints: the length of the word."""
    return int((await decoders.decode(word.encode())).max())


async def refusal(decoders, word):
    with pytest.raises(DataError) as caught:
        await decoders.decode(word.encode())
    return caught.value.what.removeprefix("this picture ")


@linux
def test_a_process_may_do_next_to_nothing_and_its_time_is_counted_by_the_picture(odd, tmp_path):
    async def scene(decoders):
        first = json.loads(await refusal(decoders, "limits"))
        may = json.loads(await refusal(decoders, str(tmp_path / "file")))
        return first, may, len(decoders._all)

    limits, may, processes = with_decoders(scene)
    assert processes == 1, "it lived through all of it"
    assert limits["FSIZE"] == limits["CORE"] == [0, 0] and limits["NOFILE"] == [3, 3]
    assert limits["CPU"][1] <= LIFE_SECONDS and SECONDS < limits["CPU"][0] < SECONDS + 5
    assert ADDRESSES < limits["AS"][0] < ADDRESSES + (4 << 30)
    refused = {"write": "OSError", "read": "OSError", "socket": "OSError", "memory": "MemoryError"}
    if os.geteuid() != 0:  # root may take its own limits back
        refused |= {"files": "ValueError", "addresses": "ValueError", "time": "ValueError"}
    assert may | refused == may and may["some memory"] == "done" and list(tmp_path.iterdir()) == []


@posix
def test_a_picture_without_end_is_ended_by_the_clock_and_by_the_count_of_processor_time(odd, monkeypatch):
    async def scene(decoders):
        assert await level(decoders, "first") == 5
        monkeypatch.setattr(module, "SECONDS", 0.3)
        before, start = pids(decoders), time.perf_counter()
        assert await refusal(decoders, "loop") == "takes too long to decode"
        assert time.perf_counter() - start < 5 and not any(alive(pid) for pid in before)
        monkeypatch.setattr(module, "SECONDS", 20.0)
        odd(seconds=0)  # the kernel counts in whole seconds: up to the next one
        start = time.perf_counter()
        assert await refusal(decoders, "loop") == "cannot be decoded"
        assert time.perf_counter() - start < 15
        odd()
        return await level(decoders, "next one")

    assert with_decoders(scene) == 8


def test_an_answer_that_is_none_costs_its_picture_and_its_process_only(odd):
    async def scene(decoders):
        for word in ("die", "cut", "nonsense", "long"):
            assert await refusal(decoders, word) == "cannot be decoded", word
            assert decoders._all == set(), word
        assert await level(decoders, "twice") == 1
        last = pids(decoders)
        assert await level(decoders, "the next") == 8, "not what was said beforehand"
        assert pids(decoders).isdisjoint(last)
        assert await level(decoders, "worn") == 4, "a fresh one does what a used one has no memory for"
        assert await refusal(decoders, "no memory") == "takes too much memory to decode"
        return decoders._all

    assert with_decoders(scene) == set()


@posix
def test_a_process_that_ended_between_two_pictures_is_not_missed(odd):
    async def scene(decoders):
        await level(decoders, "a")
        (pid,) = pids(decoders)
        os.kill(pid, signal.SIGKILL)
        assert await level(decoders, "bc") == 2
        assert pids(decoders) != {pid} and not alive(pid)

    with_decoders(scene)


def test_processes_are_replaced_after_so_many_pictures_and_when_their_time_is_spent(odd, monkeypatch):
    async def scene(decoders):
        monkeypatch.setattr(module, "PICTURES", 2)
        first = [pids(decoders) for _ in range(2) if await level(decoders, "abc") == 3]
        odd(seconds=10, life=1)
        second = [pids(decoders) for _ in range(2) if await level(decoders, "abc") == 3]
        return first, second

    first, second = with_decoders(scene)
    assert len(first[0]) == 1 and first[1] == set(), "it was ended with its second picture"
    assert second == [set(), set()], "by its own word"


def test_as_training_would_see_them_without_opening_a_file_on_the_way():
    """Every kind of file, in a process that could import nothing any more."""
    recipe = Recipe(16, "pad", (10, 200, 30), 4)
    files = [*small_files(), *(data[:-40] for data in small_files())]

    async def scene(decoders):
        found = []
        for data in files:
            try:
                found.append(await decoders.decode(data))
            except DataError as error:
                found.append(error.what)
        assert len(decoders._all) == 1
        return found

    with strict_pillow():
        expected = [prepare(data, recipe) for data in files]
    assert isinstance(decode(files[0]), Decoded)
    for answer, truth in zip(with_decoders(scene, recipe), expected, strict=True):
        if isinstance(answer, str):
            assert answer == f"this picture {truth.text}"
        else:
            np.testing.assert_array_equal(answer, truth.pixels)


def test_three_at_once_have_two_processes_and_each_gets_its_own(odd):
    async def play():
        uploads = Uploads(SMALL)
        ids = await asyncio.gather(*(uploads.add(b"x" * length) for length in (1, 2, 3)))
        processes = pids(uploads._decoders)
        await uploads.close()
        return [int(uploads.get(id).max()) for id in ids], processes

    levels, processes = asyncio.run(play())
    assert levels == [1, 2, 3] and len(processes) == AT_ONCE
    assert not any(alive(pid) for pid in processes)


def test_more_than_a_few_do_not_wait(monkeypatch):
    gate = asyncio.Event()

    async def slow(self, payload):
        await gate.wait()
        return np.zeros((4, 4, 3), dtype=np.uint8)

    async def play():
        uploads = Uploads(SMALL)
        tasks = [asyncio.ensure_future(uploads.add(b"")) for _ in range(AT_ONCE + MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as caught:
            await uploads.add(b"")
        tasks.pop().cancel()  # whoever leaves makes room
        await asyncio.sleep(0)
        tasks.append(asyncio.ensure_future(uploads.add(b"")))
        gate.set()
        return len(set(await asyncio.gather(*tasks))), caught.value.after

    monkeypatch.setattr(Uploads, "_decoded", slow)
    assert asyncio.run(play()) == (AT_ONCE + MOST_WAITING, 1)


@posix
def test_a_server_that_is_killed_leaves_no_process(odd):
    code = (
        "import asyncio, os, sys\n"
        "from sagan.explorer import decoders\n"
        "from sagan.data.found import Recipe\n"
        f"decoders.PROGRAM = {module.PROGRAM}\n"
        "async def play():\n"
        "    made = decoders.Decoders(Recipe(4, 'crop', (0, 0, 0)))\n"
        "    await made.decode(b'one')\n"
        "    os.write(1, b'%d' % next(iter(made._all))._process.pid)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(play())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sagan.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, until = int(done.stdout), time.monotonic() + 5
    while alive(pid) and not is_zombie(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pid) or is_zombie(pid)


def is_zombie(pid):
    """Ended, where the first process of this machine does not collect orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
