"""Pictures a second over HTTP beside `sagan sample`'s own rate: the server on one core, its clients on another.

    python benchmarks/explorer.py RUN
    python benchmarks/explorer.py RUN --clients 32 --pictures 1,4,16 --seconds 8 --name explorer-large

The offline rate is that of `sampling.draw` with the folded generator, in a process pinned to the same core, while the server
rests. By turns with it the clients, threads of this process, each ask for pictures one request after another. Refusals (429)
are counted and tried again after what Retry-After says. Linux only (it pins processes). Writes benchmarks/results/NAME.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results_file import Figure, write_result

OFFLINE = """
import os, sys, time
os.sched_setaffinity(0, {0})
from sagan.engines import fold
from sagan.sampling import draw
from sagan.workflows.openers import open_generator
opened = open_generator(sys.argv[1], device="cpu")
engine = fold(opened.generator)
draw(opened.generator, range(64), engine=engine)
count, start = 0, time.perf_counter()
while time.perf_counter() - start < float(sys.argv[2]):
    draw(opened.generator, range(count, count + 64), engine=engine)
    count += 64
print(count / (time.perf_counter() - start))
"""
ROUNDS = 3
SERVER = """
import os, sys
os.sched_setaffinity(0, {0})
from sagan.cli.main import main
sys.exit(main(["explore", sys.argv[1], "--port", "0", "--device", "cpu"]))
"""


def offline(run: Path, seconds: float) -> float:
    """Pictures a second without HTTP, on one core."""
    done = subprocess.run([sys.executable, "-c", OFFLINE, str(run), str(seconds)], stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


@contextmanager
def serving(run: Path) -> Iterator[tuple[int, str, int]]:
    """`sagan explore RUN`, pinned to the first core, until the context ends: its port, token and process number."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(run)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "token=" in line)
        yield int(address.split(":")[2].split("/")[0]), address.split("token=")[1].strip(), server.pid
    finally:
        server.terminate()
        server.wait()


class Load:
    """Clients that ask until the time is over."""

    def __init__(self, port: int, token: str, pictures: int, exact: bool) -> None:
        self.port, self.token, self.pictures, self.exact = port, token, pictures, exact
        self.codes: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.until = 0.0

    def client(self, number: int) -> None:
        """One thread."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        seed = number * 1_000_000
        while time.perf_counter() < self.until:
            body = {"seeds": list(range(seed, seed + self.pictures)), "arrange": "sheet", "exact": self.exact}
            start = time.perf_counter()
            connection.request("POST", "/api/v1/generate", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            self.codes[answer.status] += 1
            if answer.status == 200:
                self.seconds.append(time.perf_counter() - start)
                seed += self.pictures
            else:
                time.sleep(float(answer.headers.get("Retry-After", 1)))
        connection.close()

    def run(self, clients: int, seconds: float) -> float:
        """Pictures a second over all clients."""
        start = time.perf_counter()
        self.until = start + seconds
        threads = [threading.Thread(target=self.client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(self.seconds) * self.pictures / (time.perf_counter() - start)


def spread(numbers: list[float]) -> str:
    return f"{min(numbers):.3g} to {max(numbers):.3g} by round"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--pictures", default="1,4,16", help="in each request: how many, by turns")
    parser.add_argument("--seconds", type=float, default=8, help="of each turn")
    parser.add_argument("--name", default="explorer")
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    os.sched_setaffinity(0, {1})
    alone: list[float] = []
    served: dict[str, list[float]] = {}
    codes: dict[str, Counter[int]] = {}
    waited: dict[str, list[float]] = {}
    with serving(words.run) as (port, token, _):
        Load(port, token, 1, True).run(1, 3)  # the first request opens the network
        for _ in range(ROUNDS):
            alone.append(offline(words.run, words.seconds))
            for pictures in map(int, words.pictures.split(",")):
                for kind, exact in (("exact", True), ("inexact", False)):
                    name = f"over HTTP, {pictures} a request, {kind}"
                    load = Load(port, token, pictures, exact)
                    served.setdefault(name, []).append(load.run(words.clients, words.seconds))
                    codes.setdefault(name, Counter()).update(load.codes)
                    waited.setdefault(name, []).extend(load.seconds)
    figures: list[Figure] = [("offline", round(statistics.median(alone), 1), "pictures/s", spread(alone))]
    for name, rates in served.items():
        shares = [rate / there for rate, there in zip(rates, alone, strict=True)]
        ordered = sorted(waited[name])
        late = ordered[int(0.99 * len(ordered))]
        seconds = f"median {statistics.median(ordered):.3g} s, 99th percentile {late:.3g} s"
        figures.append(
            (name, round(statistics.median(rates), 1), "pictures/s", f"answers {dict(codes[name])}, {seconds}")
        )
        figures.append((f"{name}, to offline", round(statistics.median(shares), 3), "times", spread(shares)))
    for figure in figures:
        print(*figure)
    if not words.no_record:
        note = f"{words.clients} clients; the server and its clients have one core each."
        command = f"python benchmarks/explorer.py {words.run} --name {words.name}"
        write_result(words.name, command, figures, note=note)


if __name__ == "__main__":
    main()
