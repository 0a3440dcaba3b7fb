"""Train with an attention block of your own, and draw its map. No file of the library is touched.

    python examples/04_own_attention.py

SAGAN pools keys and values 2x2 and does not scale its logits. This variant pools 4x4, so that every place chooses among a
sixteenth as many places instead of a quarter, and scales by 1/sqrt(d) as transformers do.
"""

import argparse
from pathlib import Path

import sagan
from sagan.layers.attention import ATTENTION, SelfAttention2d
from sagan.layers.parts import Parts
from sagan.workflows.attend import attend


def coarse(channels: int, parts: Parts) -> SelfAttention2d:
    """Attention over a coarse map. parts: makes the convolutions, spectrally normalised where the network is.

    For another formula altogether, return a subclass with a `branch` and `weights` of its own.
    """
    return SelfAttention2d(channels, pool=4, scale=(channels // 8) ** -0.5, parts=parts)


# From here on it is a variant like the others. Whoever opens the run needs this line too.
ATTENTION["coarse"] = coarse


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with attention over a coarse map.")
    parser.add_argument("data", nargs="?", default="emblems", help="a folder or file of pictures")
    parser.add_argument("--out", default="runs/04-own-attention", help="the run's folder")
    parser.add_argument("--steps", type=int, default=500, help="the default takes some minutes on two cores")
    parser.add_argument("--width", type=int, default=48, help="base width of both networks")
    words = parser.parse_args()

    config = sagan.preset(
        "demo",
        attention="coarse",
        data=words.data,
        out=words.out,
        steps=words.steps,
        time="",  # the steps alone decide
        g_ch=words.width,
        d_ch=words.width,
    )
    print(f"Training; pictures come in {words.out}/samples")
    result = sagan.train(config)

    figure = attend(result.run, seed=7, out=Path(words.out) / "coarse-map.png")
    for line in figure.lines:
        print(line)  # the layer, its gamma, and the places that were asked
    for path in figure.paths:
        print(f"wrote: {path}")


if __name__ == "__main__":
    main()
