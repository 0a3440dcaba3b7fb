"""Train with a loss of your own: two functions, and one entry in a table.

    python examples/03_own_loss.py

The hinge loss (SAGAN, equation 4) lets go of a picture that is judged right by a margin of 1. Spectral normalisation bounds
how steep the discriminator can be, so a wider margin is more than another scale: it keeps more pictures in the game.
"""

import argparse

import torch.nn.functional as F
from torch import Tensor

import sagan
from sagan.losses.adversarial import LOSSES, AdversarialLoss

MARGIN = 3.0


def wide_hinge(*, real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, m - D(x)) + mean max(0, m + D(G(z))); real and fake are logits, (B,) each."""
    return F.relu(MARGIN - real).mean() + F.relu(MARGIN + fake).mean()


def linear(*, fake: Tensor) -> Tensor:
    """-mean D(G(z)): there is no margin in the generator's half."""
    return -fake.mean()


# From here on it is a loss like the others. Whoever opens the run needs this line too.
LOSSES["wide-hinge"] = AdversarialLoss(discriminator=wide_hinge, generator=linear)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with a hinge loss of another margin.")
    parser.add_argument("data", nargs="?", default="emblems", help="a folder or file of pictures")
    parser.add_argument("--out", default="runs/03-own-loss", help="the run's folder")
    parser.add_argument("--steps", type=int, default=500, help="the default takes some minutes on two cores")
    parser.add_argument("--width", type=int, default=48, help="base width of both networks")
    words = parser.parse_args()

    config = sagan.preset(
        "demo",
        loss="wide-hinge",
        data=words.data,
        out=words.out,
        steps=words.steps,
        time="",  # the steps alone decide
        g_ch=words.width,
        d_ch=words.width,
    )
    print(f"Training; pictures come in {words.out}/samples")
    result = sagan.train(config)
    print(f"pictures: {result.grid}")
    print(f"losses: {result.run / 'curves.png'}")


if __name__ == "__main__":
    main()
