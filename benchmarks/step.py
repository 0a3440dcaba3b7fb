"""Seconds of a training step, one update of each network, of a preset; beside a peer's step on the same network where its
checkout is named.

    python benchmarks/step.py sagan-32
    python benchmarks/step.py sagan-32 --peer studiogan --peer-path ~/PyTorch-StudioGAN
    python benchmarks/step.py sagan-32 --peer studiogan --peer-path ~/PyTorch-StudioGAN --as-shipped

Peers: studiogan, biggan, mimicry, heykeetae. In one process both sides have the same threads and the same allocator settings,
and are called A B, B A, A B ...; with --as-shipped each runs in processes of its own, which alternate, and settings that our
library makes at its start are ours alone. Checked before: that both networks have as many multiplications forward (ours
counted without merged kernels); parameters are printed. Batch norm uses and remembers batch statistics in both.
The peak is this machine's fastest 3x3 convolution, measured here. Writes
benchmarks/results/step-PRESET[-PEER[-as-shipped]][-PRECISION].json: "-bf16" where the processor multiplies it, "-fp32" when
asked for.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import peers
import torch
from arithmetic import as_written, convolution_peak, operations
from memory import peak_mib
from results_file import Figure, with_precision, write_result
from timing import Sample, interleave, median, ratio, spread, timed
from torch import Tensor, nn

from sagan.data.batches import Batch
from sagan.presets.assemble import assemble
from sagan.runtime import choose_runtime
from sagan.training.game import Game, new_game
from sagan.training.step import to_signal, train_step

BATCHES = {"sagan-64": 16, "sagan-128": 8, "heykeetae-64": 16}  # what two cores can hold in a benchmark; 64 otherwise
CLASSES = {
    "sagan-64": 100,
    "sagan-128": 1000,
    "heykeetae-64": 0,
}  # of the data sets the peers' recipes are for; else 10
OURS_POLICIES = (
    "one power iteration for each update, real and fake in one pass, running statistics moved in G's update alone, a moving"
    " average of G, every value checked to be finite"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--peer", choices=peers.NAMES)
    parser.add_argument("--peer-path", type=Path, help="a checkout of the peer's repository")
    parser.add_argument("--as-shipped", action="store_true", help="alternate processes instead of calls")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    parser.add_argument("--only", choices=["ours", "peer"], help=argparse.SUPPRESS)
    words = parser.parse_args()
    if bool(words.peer) != bool(words.peer_path):
        parser.error("--peer and --peer-path belong together")
    words.batch_size = words.batch_size or BATCHES.get(words.preset, 64)
    torch.manual_seed(0)
    if words.only:
        print(json.dumps(one_side(words)))
        return
    print(f"{words.preset}, batch {words.batch_size}")
    figures = as_shipped(words) if words.as_shipped else in_one_process(words)
    for name, value, unit, note in figures:
        print(f"  {name:58s} {value:10.4g} {unit:9s} {note}")
    if not words.no_record:
        name = "-".join(filter(None, ["step", words.preset, words.peer, "as-shipped" if words.as_shipped else ""]))
        write_result(with_precision(name, words.precision), command(words), figures, seed=0, note=note_of(words))


def command(words: argparse.Namespace) -> str:
    peer = f" --peer {words.peer} --peer-path PATH" if words.peer else ""
    shipped = " --as-shipped" if words.as_shipped else ""
    precision = f" --precision {words.precision}" if words.precision != "auto" else ""
    return f"python benchmarks/step.py {words.preset}{peer}{shipped}{precision}"


def note_of(words: argparse.Namespace) -> str:
    policies = f" Ours: {OURS_POLICIES}."
    if words.peer:
        policies += f" {words.peer}: {import_module(f'peers.{words.peer}').POLICIES}."
    return f"Batch {words.batch_size}, one update of each network, pictures of noise.{policies}"


PRODUCTS = re.compile(r"aten::(.*convolution.*|addmm|mm|bmm|baddbmm|addmv_|.*scaled_dot_product.*)$")


def our_game(words: argparse.Namespace) -> Game:
    """The preset's players as `sagan train` makes them, with one discriminator update a step."""
    said = {"n_dis": 1, "batch_size": words.batch_size, "precision": words.precision}
    config = assemble(said, preset=words.preset, resume="off")
    return new_game(config.model, config.training, CLASSES.get(words.preset, 10), choose_runtime())


def our_step(game: Game) -> Callable[[], object]:
    side, count = game.generator.resolution, game.config.batch_size
    pixels = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    batch = Batch(pixels, torch.randint(max(1, game.generator.classes), (count,)), torch.arange(count))
    return lambda: train_step(game, iter([batch]))


def their_step(peer: peers.Peer, game: Game) -> Callable[[], object]:
    side, count = game.generator.resolution, game.config.batch_size
    real = to_signal(torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8))
    labels = torch.randint(max(1, game.generator.classes), (count,))
    return lambda: peer.step(real, labels)


def in_one_process(words: argparse.Namespace) -> list[Figure]:
    game = our_game(words)
    sides: dict[str, Callable[[], object]] = {"ours": our_step(game)}
    if words.peer:
        peer = peers.build(words.peer, words.peer_path, words.preset, words.batch_size)
        require_equal(game, peer)
        sides[words.peer] = their_step(peer, game)
        if choose_runtime().precision(words.precision) == "bf16":
            sides[f"{words.peer} under autocast"] = autocast(peer, sides[words.peer])
    return table(words, game, interleave(sides, words.rounds))


def autocast(peer: peers.Peer, step: Callable[[], object]) -> Callable[[], object]:
    """The peer's step with the one line that anybody would add."""

    def call() -> None:
        before, peer.arithmetic = peer.arithmetic, lambda: torch.autocast("cpu", dtype=torch.bfloat16)
        try:
            step()
        finally:
            peer.arithmetic = before

    return call


def as_shipped(words: argparse.Namespace) -> list[Figure]:
    """Processes of both sides take turns; each warms up and then times two steps."""
    if not words.peer:
        raise SystemExit("--as-shipped needs --peer")
    samples: dict[str, list[Sample]] = {"ours": [], words.peer: []}
    memory: dict[str, float] = {}
    for number in range(words.rounds):
        for name in list(samples)[:: -1 if number % 2 else 1]:
            only = "ours" if name == "ours" else "peer"
            run = [sys.executable, *sys.argv, "--only", only]
            answer = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split("\n")[-2])
            samples[name].append(min((Sample(*sample) for sample in answer["samples"]), key=lambda s: s.seconds))
            memory[name] = max(memory.get(name, 0), answer["MiB"])
    figures = table(words, our_game(words), samples)
    figures += [(f"{name}: peak resident memory", round(mib), "MiB", "of its process") for name, mib in memory.items()]
    share = memory["ours"] / memory[words.peer]
    return [*figures, ("our peak memory as a share of the peer's", round(share, 3), "", "")]


def one_side(words: argparse.Namespace) -> dict[str, object]:
    """In a process of its own. A peer gets torch's threads and the system's allocator as they are."""
    if words.only == "ours":
        step = our_step(our_game(words))
    else:
        peer = peers.build(words.peer, words.peer_path, words.preset, words.batch_size)
        side = int(words.preset.split("-")[1])
        real = to_signal(torch.randint(0, 256, (words.batch_size, 3, side, side), dtype=torch.uint8))
        labels = torch.randint(CLASSES.get(words.preset, 10) or 1, (words.batch_size,))
        step = lambda: peer.step(real, labels)  # noqa: E731
    step()
    samples = [timed(step) for _ in range(2)]
    mib = peak_mib()
    return {"samples": [(sample.seconds, sample.foreign) for sample in samples], "MiB": mib}


def table(words: argparse.Namespace, game: Game, samples: dict[str, list[Sample]]) -> list[Figure]:
    figures: list[Figure] = []
    for name, measured in samples.items():
        seconds = median(measured)
        figures.append((f"{name}: a step", round(seconds, 4), "s", spread(measured)))
        figures.append((f"{name}: real pictures", round(words.batch_size / seconds, 2), "a second", ""))
    for name in list(samples)[1:]:
        middle, least, most = ratio(samples[name], samples["ours"])
        figures.append(
            (f"ours is faster than {name}", round(middle, 2), "times", f"{least:.2f} to {most:.2f} by round")
        )
    step, merged = our_step(game), choose_runtime().precision(words.precision)
    done = operations(step)
    with as_written():
        written = operations(step)
    dtype = torch.bfloat16 if merged == "bf16" else torch.float32
    peak, seconds, arithmetic = convolution_peak(dtype), median(samples["ours"]), arithmetic_seconds(step)
    figures += [
        (f"peak of a convolution in {merged}", round(peak), "GFLOP/s", "measured in this run"),
        ("operations of a step as the papers write it", round(written), "GFLOP", "convolutions and products"),
        ("operations of a step as we compute it", round(done), "GFLOP", ""),
        ("share of the peak, by the former", round(written / seconds / peak, 3), "", ""),
        ("share of the peak, by the latter", round(done / seconds / peak, 3), "", ""),
        ("convolutions and products alone", round(arithmetic, 3), "s", "of one step, by torch's profiler"),
        ("share of the peak if nothing else took time", round(written / arithmetic / peak, 3), "", "by the former"),
    ]  # fmt: skip
    return figures


def arithmetic_seconds(step: Callable[[], object]) -> float:
    """What convolutions and matrix products take of one step, forward and backward, on the calling processor."""
    with torch.profiler.profile() as profile:
        step()
    events = [event for event in profile.key_averages() if PRODUCTS.search(event.key)]
    return float(sum(event.self_cpu_time_total for event in events)) / 1e6


def require_equal(game: Game, peer: peers.Peer) -> None:
    """Both sides compute the same: equally many multiplications forward; SystemExit otherwise."""
    count, side, classes = 2, game.generator.resolution, game.generator.classes
    labels = torch.zeros(count, dtype=torch.int64)
    inputs: tuple[tuple[str, nn.Module, nn.Module, Tensor], ...] = (
        ("generator", game.generator, peer.generator, torch.randn(count, game.generator.z_dim)),
        ("discriminator", game.discriminator, peer.discriminator, torch.randn(count, 3, side, side)),
    )
    for name, ours, theirs, x in inputs:
        with torch.no_grad(), as_written():
            mine = operations(lambda ours=ours, x=x: ours(x, labels if classes else None))
            yours = operations(lambda theirs=theirs, x=x: theirs(*theirs_takes(peer, theirs, x, labels, classes)))
        own, other = (sum(p.numel() for p in network.parameters() if p.requires_grad) for network in (ours, theirs))
        print(f"  {name}: {mine:.3f} and {yours:.3f} GFLOP forward, {own:,} and {other:,} parameters")
        if abs(mine / yours - 1) > MOST_DIFFERENCE:
            raise SystemExit(f"the {name}s differ: nothing could be learnt from their times")


MOST_DIFFERENCE = (
    0.12  # a 1x1 shortcut on the large side of resampling, and class gains by a matrix product, are theirs
)


def theirs_takes(peer: peers.Peer, network: nn.Module, x: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, ...]:
    """What a peer's network is called with."""
    if not classes:
        return (x,)
    shared = getattr(network, "shared", None)  # BigGAN's generator takes what its own table makes of the labels
    return (x, labels if shared is None else shared(labels))


if __name__ == "__main__":
    main()
