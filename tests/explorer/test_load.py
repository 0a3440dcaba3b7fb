"""Many clients at once: nothing fails, and what is refused is refused at once. The full figures come from benchmarks/."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter

import pytest

from sagan.explorer.worker import MOST_WAITING

SECONDS = 4.0


def storm(served, clients, seconds, body_of):
    """Clients that ask without a pause: (how often each status, seconds of the refusals, faults)."""
    codes, refusals, faults = Counter(), [], []
    until = time.perf_counter() + seconds

    def client(number):
        count = 0
        while time.perf_counter() < until:
            count += 1
            start = time.perf_counter()
            try:
                status, headers, _ = served.ask(*body_of(number, count))
            except Exception as fault:
                faults.append(fault)
                return
            codes[status] += 1
            if status != 200:
                refusals.append((time.perf_counter() - start, headers))
                time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes, refusals, faults


def mixed(number, count):
    """Pictures, attention, facts and health in turn."""
    kind = (number + count) % 4
    if kind == 0:
        return "GET", "/healthz"
    if kind == 1:
        return "GET", "/api/v1/facts"
    if kind == 2:
        body = {"seed": count % 50, "layer": "G.attention@8", "points": [[3, 4]]}
        return "POST", "/api/v1/attention", body
    return "POST", "/api/v1/generate", {"seeds": [number, count], "arrange": "sheet"}


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_mixed_load_has_no_fault_and_leaves_nothing_open(served):
    served.ask("GET", "/healthz")
    before = descriptors()
    codes, refusals, faults = storm(served, 16, SECONDS, mixed)
    assert faults == []
    assert set(codes) <= {200, 429} and codes[200] > 50
    assert all(int(headers["retry-after"]) >= 1 for _, headers in refusals)
    until = time.perf_counter() + 10
    while descriptors() > before + 2 and time.perf_counter() < until:
        time.sleep(0.1)
    assert descriptors() <= before + 2


def test_more_than_can_be_done_is_refused_and_it_recovers(served):
    """More clients than the queue has places, with four batches each."""

    def heavy(number, count):
        return "POST", "/api/v1/generate", {"seeds": list(range(64)), "arrange": "sheet"}

    codes, refusals, faults = storm(served, MOST_WAITING + 8, SECONDS, heavy)
    assert faults == []
    assert set(codes) <= {200, 429, 503} and codes[200] > 0 and codes[429] > 0
    start = time.perf_counter()
    while served.renderer.worker.waiting and time.perf_counter() - start < 5:
        time.sleep(0.05)
    assert served.ask("POST", "/api/v1/generate", {"seeds": [1]})[0] == 200


def test_two_visitors_at_once_each_get_their_own(served):
    """Different checkpoints and seeds through one process, answers never exchanged."""
    from concurrent.futures import ThreadPoolExecutor

    def look(seed, checkpoint):
        body = {"seed": seed, "checkpoint": checkpoint, "layer": "G.attention@8", "points": [[1, 1]]}
        return served.json("POST", "/api/v1/attention", body)[1]["maps"]

    cases = [(seed, f"step-0000000{step}") for seed in range(4) for step in (4, 5)]
    alone = [look(*case) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda case: look(*case), cases * 3))
    assert together == alone * 3
