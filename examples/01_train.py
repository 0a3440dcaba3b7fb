"""Train a self-attention GAN in a dozen lines: on the built-in emblems, or on a folder of your own pictures.

    python examples/01_train.py
    python examples/01_train.py photos/ --out runs/photos --steps 5000

Stop with Ctrl-C whenever you like: the same command goes on where it stopped.
"""

import argparse

import sagan
from sagan.training.reporting import Event, Note, Saved


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on the emblems, or on your own pictures.")
    parser.add_argument("data", nargs="?", default="emblems", help="a folder or file of pictures")
    parser.add_argument("--out", default="runs/01-train", help="the run's folder")
    parser.add_argument("--steps", type=int, default=1500, help="the default takes some minutes on two cores")
    parser.add_argument("--width", type=int, default=48, help="base width of both networks")
    words = parser.parse_args()

    # A preset is a complete record of a run; every option of `sagan train` can be changed by its name.
    # The demo's own limit of seven minutes is lifted, so that the steps alone decide.
    config = sagan.preset(
        "demo", data=words.data, out=words.out, steps=words.steps, time="", g_ch=words.width, d_ch=words.width
    )
    result = sagan.train(config, watch=tell)

    print(f"{result.step:,} steps in {result.seconds:.0f} s")
    print(f"pictures: {result.grid}")
    print(f"report: {result.report}")


def tell(event: Event) -> None:
    """What training has to say. There is also Progress, after every step."""
    match event:
        case Note(text):
            print(text)
        case Saved(path, what):
            print(f"{what}: {path}")


if __name__ == "__main__":
    main()
