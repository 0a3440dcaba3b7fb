"""What each piece of the fast path gives alone: a training step as it is, against the same step without that piece.

    python benchmarks/pieces.py                  sagan-32 at batch 64
    python benchmarks/pieces.py sagan-128 --batch-size 8

Interleaved in one process, so the allocator's settings, which belong to the process, are not among the pieces; step.py with
--as-shipped has them. Writes benchmarks/results/pieces-PRESET.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest.mock import patch

import torch
import torch.nn.functional as F
from arithmetic import unmerged
from results_file import Figure, with_precision, write_result
from step import BATCHES, our_game, our_step
from timing import interleave, median, ratio, spread
from torch import Tensor

from sagan.layers import convolution
from sagan.layers.attention import SelfAttention2d
from sagan.layers.blocks import DownBlock, FirstDownBlock, UpBlock, from_doubled, halved
from sagan.layers.convolution import convolve
from sagan.layers.resample import double, halve
from sagan.layers.spectral import SpectralNorm
from sagan.training import judging
from sagan.training import step as training_step
from sagan.training.game import Game
from sagan.training.optimisers import FusedAdam

Piece = Callable[[Game], AbstractContextManager[object]]


def everything(game: Game) -> AbstractContextManager[object]:
    return nullcontext()


def merged_kernels(game: Game) -> AbstractContextManager[object]:
    return unmerged()


def channels_last(game: Game) -> AbstractContextManager[object]:
    return patch.object(torch, "channels_last", torch.contiguous_format)


@contextmanager
def dispatched_attention(game: Game) -> Iterator[None]:
    """Without it: the plain softmax, whatever the size of the map."""
    layers = [m for network in (game.generator, game.discriminator) for m in network.modules()]
    attention = [module for module in layers if isinstance(module, SelfAttention2d)]
    for layer in attention:
        layer.core = "plain"
    try:
        yield
    finally:
        for layer in attention:
            layer.core = "auto"


@contextmanager
def small_side_shortcuts(game: Game) -> Iterator[None]:
    """Without it: the 1x1 convolution of a shortcut after upsampling and before pooling."""

    def up(block: UpBlock, x: Tensor, labels: Tensor | None, latents: Tensor | None = None) -> Tensor:
        h = from_doubled(block.conv1, F.relu(block.norm1(x, labels, latents)))
        return convolve(block.conv2, F.relu(block.norm2(h, labels, latents))) + block.skip(double(x))

    def down(block: DownBlock, x: Tensor) -> Tensor:
        h = F.relu(block.norm2(convolve(block.conv1, F.relu(block.norm1(x)))))
        return halved(block.conv2, h) + halve(block.skip(x)) if block.down else convolve(block.conv2, h) + block.skip(x)

    def first(block: FirstDownBlock, x: Tensor) -> Tensor:
        return halved(block.conv2, F.relu(block.conv1(x))) + halve(block.skip(x))

    with patch.object(UpBlock, "forward", up), patch.object(DownBlock, "forward", down):
        with patch.object(FirstDownBlock, "forward", first):
            yield


def one_pass_of_both(game: Game) -> AbstractContextManager[object]:
    """Without it: real pictures and fakes go through the discriminator one after the other."""
    return patch.object(judging, "mixes_pictures", lambda network: True)


def small_maps_as_products(game: Game) -> AbstractContextManager[object]:
    return patch.object(convolution, "CHANNELS_PER_SIDE", 2**62)


def spectral_rule(game: Game) -> AbstractContextManager[object]:
    """Without it: torch's own derivative of W / sigma."""
    return patch.object(SpectralNorm, "forward", lambda norm, weight: weight / norm.sigma(weight))


def fused_adam(game: Game) -> AbstractContextManager[object]:
    """Without it: torch's loop over the weights."""
    return patch.object(FusedAdam, "step", torch.optim.Adam.step)


def no_guard(game: Game) -> AbstractContextManager[object]:
    """The other way round: a step that does not look for values that are not finite."""
    return patch.object(training_step, "require_finite", lambda game, report: None)


PIECES: dict[str, Piece] = {
    "merged kernels": merged_kernels,
    "channels last": channels_last,
    "shortcuts on the small side": small_side_shortcuts,
    "attention by the size of its map": dispatched_attention,
    "real and fake in one pass": one_pass_of_both,
    "small maps as products": small_maps_as_products,
    "spectral norm's own derivative": spectral_rule,
    "Adam in one pass": fused_adam,
    "the guard against values that are not finite": no_guard,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="sagan-32")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    words = parser.parse_args()
    words.batch_size = words.batch_size or BATCHES.get(words.preset, 64)
    torch.manual_seed(0)
    game = our_game(words)
    step = our_step(game)

    with channels_last(game):  # kernels are made in one order or the other
        other = our_step(our_game(words))

    def without(piece: Piece) -> Callable[[], None]:
        def call() -> None:
            with piece(game):
                (other if piece is channels_last else step)()

        return call

    sides = {"all pieces": without(everything)} | {f"without {name}": without(piece) for name, piece in PIECES.items()}
    samples = interleave(sides, words.rounds)
    figures: list[Figure] = [
        ("all pieces", round(median(samples["all pieces"]), 4), "s", spread(samples["all pieces"]))
    ]
    for name in list(sides)[1:]:
        middle, least, most = ratio(samples[name], samples["all pieces"])
        figures.append((f"{name}, a step takes", round(middle, 3), "times", f"{least:.2f} to {most:.2f} by round"))
    for figure, value, unit, note in figures:
        print(f"{figure:64s} {value:8.4g} {unit:6s} {note}")
    if not words.no_record:
        note = f"Batch {words.batch_size}, one update of each network. Each piece is taken away alone."
        name = with_precision(f"pieces-{words.preset}", words.precision)
        write_result(name, f"python benchmarks/pieces.py {words.preset}", figures, seed=0, note=note)


if __name__ == "__main__":
    main()
