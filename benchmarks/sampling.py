"""Drawing from a preset's generator with each engine of `sagan sample`: time for one picture, and pictures a second in batches;
beside a peer's generator of the same sizes where its checkout is named.

    python benchmarks/sampling.py sagan-32
    python benchmarks/sampling.py sagan-128
    python benchmarks/sampling.py sagan-32 --peer studiogan --peer-path ~/PyTorch-StudioGAN

In one process, with the same threads and allocator settings, called A B, B A, A B ... Engines whose extra is not installed are
left out and named; bf16 is timed where the processor multiplies it. Checked before: every engine draws the live generator's
pictures, and the peer's generator has as many multiplications (ours counted without merged kernels). An engine is called
with whole batches; `draw` is what `sagan sample` reaches, in its inner batches. Starting an engine is not in its times but has
a figure of its own. Writes benchmarks/results/sampling-PRESET[-PEER][-bf16].json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import peers
import torch
from arithmetic import as_written, convolution_peak, operations
from results_file import Figure, with_precision, write_result
from step import CLASSES, MOST_DIFFERENCE, theirs_takes
from timing import Sample, interleave, median, ratio, spread
from torch import Tensor, nn

from sagan.engines import engine_runtime, open_engine
from sagan.engines.choose import TOLERANCE
from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_generator
from sagan.models.network import Generator
from sagan.presets import preset
from sagan.runtime import Runtime, choose_runtime, cpu_multiplies_bf16
from sagan.sampling import Engine, draw

BATCHES = {"sagan-64": 32, "sagan-128": 16, "sagan-128-paper": 16}  # 64 otherwise
LIVE, BF16 = "live", "bf16"
ONE_FOR_EACH = 4  # so many single pictures for each batch: they are short


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="sagan-32")
    parser.add_argument("--peer", choices=peers.NAMES)
    parser.add_argument("--peer-path", type=Path, help="a checkout of the peer's repository")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    if bool(words.peer) != bool(words.peer_path):
        parser.error("--peer and --peer-path belong together")
    words.batch_size = words.batch_size or BATCHES.get(words.preset, 64)
    print(f"{words.preset}, batches of {words.batch_size}")
    with torch.no_grad():
        figures, absent = measure(words)
    for name, value, unit, note in figures:
        print(f"  {name:52s} {value:10.4g} {unit:10s} {note}")
    if not words.no_record:
        peer = f" --peer {words.peer} --peer-path PATH" if words.peer else ""
        note = f"Batches of {words.batch_size}; {CLASSES.get(words.preset, 10) or 'no'} classes. {' '.join(absent)}".strip()
        write_result(
            with_precision("-".join(filter(None, ["sampling", words.preset, words.peer]))),
            f"python benchmarks/sampling.py {words.preset}{peer}",
            figures,
            seed=0,
            note=note,
        )


def measure(words: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """The figures, and a sentence for each engine that is not installed."""
    runtime = choose_runtime("cpu")
    generator = lively(build_generator(preset(words.preset).model, CLASSES.get(words.preset, 10)))
    engines, figures, absent = open_engines(generator, runtime)
    figures += [
        (f"{name}: greatest difference from {LIVE}", error, "of [-1, 1]", "16 pictures")
        for name, error in differences(engines, generator).items()
    ]
    sides: dict[str, Engine] = dict(engines)
    if words.peer:
        sides |= peer_sides(words, generator)
    one, many = inputs(generator, 1), inputs(generator, words.batch_size)
    latency = interleave(calls(sides, one), words.rounds * ONE_FOR_EACH)
    rates = calls(sides, many)
    fastest = "torch bf16" if "torch bf16" in engines else "torch fp32"
    seeds = range(words.batch_size)
    rates[f"draw, {fastest}"] = lambda: draw(generator, seeds, engine=engines[fastest])
    batches = interleave(rates, words.rounds)
    figures += table(latency, batches, words.batch_size, words.peer or LIVE)
    return figures + share_of_peak(fastest, engines[fastest], generator, many, median(batches[fastest])), absent


def lively(generator: Generator) -> Generator:
    """In eval mode, with gammas, gains, biases and statistics as training leaves them: none where it started."""
    random = torch.Generator().manual_seed(0)
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
    for module in generator.modules():
        if isinstance(module, SelfAttention2d):
            module.gamma.fill_(0.5)
    for norm in norms:
        norm.gain.add_(0.2 * torch.randn(norm.gain.shape, generator=random))
        norm.bias.add_(0.2 * torch.randn(norm.bias.shape, generator=random))
        norm.momentum = 1.0
    generator.train()(*inputs(generator, 8))
    return generator.eval()


def inputs(generator: Generator, count: int) -> tuple[Tensor, Tensor | None]:
    latents = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(1))
    return latents, torch.arange(count) * 7 % generator.classes if generator.classes else None


def open_engines(generator: Generator, runtime: Runtime) -> tuple[dict[str, Engine], list[Figure], list[str]]:
    """Every engine that this machine has, seconds to start each, and a sentence for each that is missing."""
    precisions = ["fp32", BF16] if cpu_multiplies_bf16() else ["fp32"]
    wanted = [*(("torch", precision) for precision in precisions), ("onnxruntime", "fp32")]
    wanted += [("openvino", precision) for precision in precisions]
    engines: dict[str, Engine] = {LIVE: generator}
    figures: list[Figure] = []
    absent: list[str] = []
    for name, precision in wanted:
        start = time.perf_counter()
        try:
            engine_runtime(name, "cpu")  # type: ignore[arg-type]
            engines[f"{name} {precision}"] = open_engine(name, generator, runtime, precision)  # type: ignore[arg-type]
        except ConfigError as error:
            absent.append(f"{name} {precision} was not measured: {error.what}.")
        else:
            figures.append((f"{name} {precision}: to start", round(time.perf_counter() - start, 3), "s", ""))
    print("".join(f"  {line}\n" for line in absent), end="")
    return engines, figures, absent


def differences(engines: Mapping[str, Engine], generator: Generator) -> dict[str, float]:
    """How far each engine's pictures are from the live generator's; SystemExit where that is no rounding."""
    latents, labels = inputs(generator, 16)
    live, found = generator(latents, labels), {}
    for name, engine in engines.items():
        if name != LIVE:
            found[name] = float((engine(latents, labels) - live).abs().max())
            if not found[name] <= TOLERANCE[name.split()[-1]]:
                raise SystemExit(f"{name} draws other pictures than the generator: {found[name]:.2g} apart")
    return found


def peer_sides(words: argparse.Namespace, generator: Generator) -> dict[str, Engine]:
    """The peer's generator, as it is and with the one line that anybody would add; SystemExit where it is another one."""
    peer = peers.build(words.peer, words.peer_path, words.preset, words.batch_size)
    network: nn.Module = peer.generator.eval()

    def theirs(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return network(*theirs_takes(peer, network, latents, labels, generator.classes))  # type: ignore[arg-type]

    def under_autocast(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return theirs(latents, labels)

    with as_written():
        own, other = (operations(lambda side=side: side(*inputs(generator, 2))) for side in (generator, theirs))
    print(f"  {own:.3f} and {other:.3f} GFLOP for two pictures")
    if abs(own / other - 1) > MOST_DIFFERENCE:
        raise SystemExit("the generators differ: nothing could be learnt from their times")
    return {words.peer: theirs} | ({f"{words.peer} under autocast": under_autocast} if cpu_multiplies_bf16() else {})


def calls(sides: Mapping[str, Engine], given: tuple[Tensor, Tensor | None]) -> dict[str, Callable[[], object]]:
    return {name: lambda side=side: side(*given) for name, side in sides.items()}


def table(
    latency: Mapping[str, list[Sample]], batches: Mapping[str, list[Sample]], count: int, baseline: str
) -> list[Figure]:
    figures: list[Figure] = []
    for name, measured in latency.items():
        figures.append((f"{name}: one picture", round(1e3 * median(measured), 2), "ms", spread(measured)))
    for name, measured in batches.items():
        figures.append((f"{name}: batches", round(count / median(measured), 2), "a second", spread(measured)))
    for samples, what in ((latency, "one picture"), (batches, "batches")):
        for name in samples:
            if name != baseline:
                middle, least, most = ratio(samples[baseline], samples[name])
                note = f"{least:.2f} to {most:.2f} by round"
                figures.append((f"{name} is faster than {baseline}: {what}", round(middle, 2), "times", note))
    return figures


def share_of_peak(
    name: str, engine: Engine, generator: Generator, given: tuple[Tensor, Tensor | None], seconds: float
) -> list[Figure]:
    """What torch reaches of this machine's fastest convolution in the same arithmetic."""
    peak = convolution_peak(torch.bfloat16 if name.endswith(BF16) else torch.float32)
    done = operations(lambda: engine(*given))
    with as_written():
        written = operations(lambda: generator(*given))
    return [
        (f"peak of a convolution, {name.split()[-1]}", round(peak), "GFLOP/s", "measured in this run"),
        (f"{name}: share of the peak, as the papers write it", round(written / seconds / peak, 3), "", "batches"),
        (f"{name}: share of the peak, as we compute it", round(done / seconds / peak, 3), "", "batches"),
    ]


if __name__ == "__main__":
    main()
