"""Several processes against one: how fast they are on a core each, and whether two nodes that only a network joins train the
same numbers.

    python benchmarks/processes.py                      both
    python benchmarks/processes.py --only speed         two cores, two processes, torchrun
    python benchmarks/processes.py --only nodes         four processes in two network namespaces; needs root and `ip netns`

Speed: a step of `sagan-32-small` with 32 pictures on one core, against a step with 64 by two processes on a core each; beside
them two processes that do not know each other, at the same time, which is what the machine itself gives. Processes are
pinned and take turns. Nodes: the small game of tests/ranks_game.py in float64, twenty steps by four processes against one; the
largest difference of its first gradients and its last weights, each against 1 or its array's largest number. Linux only.
Writes benchmarks/results/processes.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from results_file import Figure, write_result

ROOT = Path(__file__).resolve().parents[1]
GAME = ROOT / "tests" / "ranks_game.py"
EACH, STEPS, ROUNDS = 32, 12, 3
KINDS = ("hinge", "accumulated", "penalty")
NODES = ("sagan-bench-0", "sagan-bench-1")
ALONE = {"OMP_NUM_THREADS": "1"}


def worker(core: int | None) -> None:
    """Time steps as a process of whatever started it; the first one prints the median."""
    import torch

    from sagan.data.batches import Batch
    from sagan.presets.assemble import assemble
    from sagan.ranks import join
    from sagan.runtime import choose_runtime, read_launch
    from sagan.training.game import new_game
    from sagan.training.step import train_step

    launch = read_launch()
    os.sched_setaffinity(0, {launch.local_rank if core is None and launch is not None else core or 0})
    runtime = choose_runtime("cpu", 1)
    with join(launch, runtime.device) as ranks:
        options = {"batch_size": EACH * ranks.size, "precision": "fp32"}
        config = assemble(options, preset="sagan-32-small", resume="off")
        game = new_game(config.model, config.training, 10, runtime, ranks=ranks)
        pixels = torch.randint(0, 256, (EACH, 3, 32, 32), dtype=torch.uint8).contiguous(
            memory_format=torch.channels_last
        )
        batch = Batch(pixels, torch.randint(10, (EACH,)), torch.arange(EACH))
        times = []
        for _ in range(STEPS + 2):
            start = time.perf_counter()
            train_step(game, iter([batch] * 8))
            times.append(time.perf_counter() - start)
        if ranks.first:
            print(json.dumps(statistics.median(times[2:])))


def speed() -> list[Figure]:
    """Seconds of a step of one process, of two that share a batch, and of two strangers."""
    command = [sys.executable, __file__, "--worker"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    found: dict[str, list[float]] = {"alone": [], "together": [], "strangers": []}
    for _ in range(ROUNDS):
        found["alone"].append(last(output([*command, "--core", "0"])))
        found["together"].append(last(output([*torchrun, *command[1:]])))
        started = [start([*command, "--core", str(core)]) for core in (0, 1)]
        found["strangers"].append(max(last(process.communicate()[0]) for process in started))
    alone, together, strangers = (statistics.median(found[name]) for name in ("alone", "together", "strangers"))
    spread = {name: f"{min(times):.3g} to {max(times):.3g} s, {ROUNDS} rounds" for name, times in found.items()}
    return [
        ("one process, 32 pictures, one core", round(alone, 3), "s a step", spread["alone"]),
        ("two processes, 64 pictures, two cores", round(together, 3), "s a step", spread["together"]),
        ("two strangers, 32 pictures and one core each", round(strangers, 3), "s a step", spread["strangers"]),
        ("pictures a core, of one process's on one core", round(alone / together, 3), "", "two processes that share a batch"),
        ("the same of two strangers", round(alone / strangers, 3), "", "what the machine gives"),
    ]  # fmt: skip


def start(command: list[str], prefix: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    words = [*prefix, *map(str, command)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | ALONE | environment
    )


def output(command: list[str]) -> str:
    process = start(command)
    told, complaint = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(complaint[-2000:])
    return told


def last(told: str) -> float:
    """The number that a worker printed."""
    return float(told.split()[-1])


@contextmanager
def two_nodes() -> Iterator[tuple[str, str]]:
    """Two network namespaces with one cable between them; their addresses."""
    addresses = ("10.231.0.1", "10.231.0.2")
    try:
        for node in NODES:
            ip("netns", "add", node)
            ip("-n", node, "link", "set", "lo", "up")
        ip("link", "add", "cable", "netns", NODES[0], "type", "veth", "peer", "name", "cable", "netns", NODES[1])
        for node, address in zip(NODES, addresses, strict=True):
            ip("-n", node, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", node, "link", "set", "cable", "up")
        yield addresses
    finally:
        for node in NODES:
            subprocess.run(["ip", "netns", "delete", node], capture_output=True)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def nodes() -> list[Figure]:
    """The largest differences between four processes on two nodes and one process."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, two_nodes() as addresses:
        folder = Path(name)
        for kind in KINDS:
            output([sys.executable, str(GAME), kind, str(folder / f"{kind}-one")])
            torchrun = [
                sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "2",
                "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{addresses[0]}:29411", "--rdzv-id", kind,
            ]  # fmt: skip
            started = []
            for node, address in zip(NODES, addresses, strict=True):
                place = ["--local-addr", address, "--rdzv-conf", f"is_host={int(node == NODES[0])}"]
                command = [*torchrun, *place, str(GAME), kind, str(folder / f"{kind}-four")]
                started.append(start(command, ("ip", "netns", "exec", node), GLOO_SOCKET_IFNAME="cable"))
            for process in started:
                _, complaint = process.communicate(timeout=300)
                if process.returncode:
                    raise RuntimeError(complaint[-3000:])
            one, four = (np.load(folder / f"{kind}-{count}.npz") for count in ("one", "four"))
            gradients = [name for name in one.files if name.startswith("gradient.")]
            weights = [name for name in one.files if not name.startswith("gradient.")]
            for what, names in (("first gradients", gradients), ("weights after 20 steps", weights)):
                worst = max(np.abs(one[n] - four[n]).max() / max(1.0, np.abs(one[n]).max()) for n in names)
                figures.append(
                    (f"two nodes, {kind}: {what} differ by", float(f"{worst:.2g}"), "", f"{len(names)} arrays")
                )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("speed", "nodes"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.worker:
        return worker(words.core)
    figures = [] if words.only == "nodes" else speed()
    figures += [] if words.only == "speed" else nodes()
    for figure in figures:
        print(*figure)
    if words.only is None:
        write_result("processes", "python benchmarks/processes.py", figures, seed=5)


if __name__ == "__main__":
    main()
