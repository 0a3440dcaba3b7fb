"""The explorer's server under load for long, and under ten times what it can do.

    python benchmarks/explorer_load.py RUN
    python benchmarks/explorer_load.py RUN --minutes 10 --overload-minutes 2

The server has one core, the clients another. Mixed load: 32 clients, each with its own connection, ask one thing after another:
60 % pages and facts, 25 % four pictures, 10 % attention, 5 % an upload. Then requests for pictures come at ten times the rate
at which they were answered, whether or not they are. Memory and open files of the server are read each second. Linux only.
Writes benchmarks/results/explorer-load.json.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import queue
import random
import statistics
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from explorer import offline, serving
from PIL import Image
from results_file import Figure, write_result

CLIENTS, PICTURES, OVER = 32, 4, 10
SENDERS = (
    60  # threads that send at the fixed rate: more than the queue has places, fewer than the server takes connections
)
KINDS = ("page", "page", "facts", "pictures", "attention", "upload")
SHARES = (0.2, 0.2, 0.2, 0.25, 0.1, 0.05)


class Server:
    """What is asked of it, and how long each answer takes."""

    def __init__(self, port: int, token: str, layer: str, resolution: int) -> None:
        self.port, self.layer, self.resolution = port, layer, resolution
        self.headers = {"Authorization": f"Bearer {token}"}
        pixels = np.random.default_rng(0).integers(0, 256, (200, 160, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        self.upload = buffer.getvalue()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, connection: http.client.HTTPConnection, kind: str, seed: int) -> tuple[int, float]:
        """(status, seconds)."""
        method, path, body, form = self._words(kind, seed)
        start = time.perf_counter()
        connection.request(method, path, body, {**self.headers, **form})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - start

    def _words(self, kind: str, seed: int) -> tuple[str, str, bytes | None, dict[str, str]]:
        form = {"Content-Type": "application/json"}
        if kind == "page":
            return "GET", "/static/main.js", None, {}
        if kind == "facts":
            return "GET", "/api/v1/facts", None, {}
        if kind == "upload":
            return "POST", "/api/v1/pictures", self.upload, {"Content-Type": "image/jpeg"}
        if kind == "attention":
            at = [[seed % self.resolution, seed // 7 % self.resolution]]
            return (
                "POST",
                "/api/v1/attention",
                json.dumps({"seed": seed % 50, "layer": self.layer, "points": at}).encode(),
                form,
            )
        body = {"seeds": list(range(seed, seed + PICTURES)), "arrange": "sheet"}
        return "POST", "/api/v1/generate", json.dumps(body).encode(), form


class Watch(threading.Thread):
    """MiB of memory and open files of a process, each second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.memory, self.files, self.ended = pid, list[float](), list[int](), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(1):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
            self.files.append(len(os.listdir(f"/proc/{self.pid}/fd")))


def mixed(server: Server, seconds: float) -> tuple[Counter[tuple[str, int]], dict[str, list[float]], list[str]]:
    """Answers by kind and status, seconds of the accepted ones by kind, and what broke."""
    codes: Counter[tuple[str, int]] = Counter()
    times: dict[str, list[float]] = defaultdict(list)
    faults: list[str] = []
    until = time.perf_counter() + seconds

    def client(number: int) -> None:
        chance, connection, seed = random.Random(number), server.connect(), number * 1_000_000
        while time.perf_counter() < until:
            kind = chance.choices(KINDS, SHARES)[0]
            seed += PICTURES
            try:
                status, took = server.ask(connection, kind, seed)
            except OSError as error:
                faults.append(f"{kind}: {error!r}")
                connection.close()
                connection = server.connect()
                continue
            codes[kind, status] += 1
            if status == 200:
                times[kind].append(took)
            else:
                time.sleep(0.5)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes, times, faults


def overload(server: Server, rate: float, seconds: float) -> tuple[Counter[int], dict[int, list[float]], list[str]]:
    """Requests for pictures at a fixed rate: answers by status, their seconds, and what broke.

    What no sender is free for by the end of the time is never sent: then all of them are waiting for an answer.
    """
    codes: Counter[int] = Counter()
    times: dict[int, list[float]] = defaultdict(list)
    faults: list[str] = []
    due: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    until = time.perf_counter() + seconds

    def sender() -> None:
        connection = server.connect()
        while (seed := due.get()) is not None and time.perf_counter() < until:
            try:
                status, took = server.ask(connection, "pictures", seed)
            except OSError as error:
                faults.append(repr(error))
                connection.close()
                connection = server.connect()
                continue
            codes[status] += 1
            times[status].append(took)
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, start + number / rate - time.perf_counter()))
        due.put(number * PICTURES)
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return codes, times, faults


def late(values: list[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[int(0.99 * len(values))] if values else float("nan")


def recovery(server: Server, usual: float) -> float:
    """Seconds until an answer takes no more than 1.2 times what it takes on an idle server."""
    start, connection = time.perf_counter(), server.connect()
    while time.perf_counter() - start < 60:
        status, took = server.ask(connection, "pictures", 5)
        if status == 200 and took <= 1.2 * usual:
            break
    connection.close()
    return time.perf_counter() - start


def mixed_figures(
    codes: Counter[tuple[str, int]], times: dict[str, list[float]], faults: list[str], minutes: float, alone: float
) -> list[Figure]:
    statuses: Counter[int] = Counter()
    for (_, status), count in codes.items():
        statuses[status] += count
    drawn = PICTURES * codes["pictures", 200] / (60 * minutes)
    note = f"{minutes:g} minutes, by status {dict(statuses)}; broken {len(faults)}"
    of = f"{drawn / alone:.2f} of {alone:.1f} offline, on the same core"
    found: list[Figure] = [
        ("mixed load", sum(codes.values()), "answers", note),
        ("pictures drawn meanwhile", round(drawn, 1), "pictures/s", of),
    ]
    for kind in sorted(times):
        median = f"median {statistics.median(times[kind]):.3f} s"
        found.append((f"{kind}, 99th percentile", round(late(times[kind]), 3), "s", median))
    return found


def overload_figures(
    codes: Counter[int], times: dict[int, list[float]], faults: list[str], minutes: float
) -> list[Figure]:
    refused, accepted = times[429] + times[503], times[200]
    note = f"{OVER} times that rate, {minutes:g} minutes: {dict(codes)}; broken {len(faults)}"
    median = f"median {statistics.median(accepted):.3f} s"
    return [
        ("overload", sum(codes.values()), "answers", note),
        ("overload, refusals, 99th percentile", round(1000 * late(refused), 1), "ms", f"{len(refused)} of them"),
        ("overload, accepted, 99th percentile", round(late(accepted), 3), "s", median),
    ]


def facts_of(port: int, token: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/api/v1/facts", headers={"Authorization": f"Bearer {token}"})
    facts: dict[str, Any] = json.loads(connection.getresponse().read())
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--overload-minutes", type=float, default=2)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    os.sched_setaffinity(0, {1})
    alone = offline(words.run, 30)
    with serving(words.run) as (port, token, pid):
        facts = facts_of(port, token)
        layer = next(one["name"] for one in facts["layers"] if one["name"].startswith("G"))
        server = Server(port, token, layer, facts["resolution"])
        connection = server.connect()
        usual = statistics.median(server.ask(connection, "pictures", 5)[1] for _ in range(10))
        mixed(server, 20)  # everything that is loaded once is loaded
        watch = Watch(pid)
        watch.start()
        codes, times, faults = mixed(server, 60 * words.minutes)
        watch.ended.set()
        drawn = PICTURES * codes["pictures", 200] / (60 * words.minutes)
        over, seconds, broken = overload(server, OVER * drawn / PICTURES, 60 * words.overload_minutes)
        back = recovery(server, usual)
        files = len(os.listdir(f"/proc/{pid}/fd"))
    figures = [
        *mixed_figures(codes, times, faults, words.minutes, alone),
        ("memory grew", round(max(watch.memory[-30:]) - watch.memory[0], 1), "MiB", f"from {watch.memory[0]:.0f} MiB"),
        ("open files grew", watch.files[-1] - watch.files[0], "", f"at most {max(watch.files)}; {files} at the end"),
        *overload_figures(over, seconds, broken, words.overload_minutes),
        ("usual again after", round(back, 2), "s", f"four pictures within 1.2 times the usual {usual:.3f} s"),
    ]
    for figure in figures:
        print(*figure)
    for fault in (faults + broken)[:5]:
        print("broken:", fault)
    if not words.no_record:
        write_result("explorer-load", f"python benchmarks/explorer_load.py {words.run}", figures)


if __name__ == "__main__":
    main()
