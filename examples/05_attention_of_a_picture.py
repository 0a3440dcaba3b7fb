"""Where does a trained discriminator look in a picture? Once as a figure, once as plain numbers.

    python examples/01_train.py
    python examples/05_attention_of_a_picture.py photo.jpg --at 8,20

The picture may have any size: it is cut square and made as large as the pictures of training.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import sagan
from sagan.runtime import choose_runtime
from sagan.training.step import to_signal
from sagan.visualise.points import pixel_of, position_of
from sagan.workflows.attend import attend
from sagan.workflows.openers import open_both


def main() -> None:
    parser = argparse.ArgumentParser(description="The attention of a trained discriminator over any picture.")
    parser.add_argument("picture", type=Path, help="a JPEG, PNG, WebP or BMP file")
    parser.add_argument("--run", default="runs/01-train", help="the folder of a trained run")
    parser.add_argument("--at", default="16,16", help="a place of the squared picture, X,Y from the top left")
    parser.add_argument("--out", type=Path, default=Path("runs/05-attention.png"), help="where the figure goes")
    words = parser.parse_args()
    x, y = map(int, words.at.split(","))
    runtime = choose_runtime("cpu")

    # The figure, as the paper draws it; beside it lies an npz file with the squared picture and the maps.
    figure = attend(words.run, image=words.picture, at=[(x, y)], out=words.out, runtime=runtime)

    # The numbers: every map of the network at once. For some places of one layer, there is `layer.weights(x, queries)`.
    opened, discriminator = open_both(words.run, runtime=runtime)
    assert discriminator is not None, "attend would have said so"
    picture = torch.from_numpy(np.load(figure.paths[1])["picture"])  # (R, R, 3) uint8
    inputs = to_signal(picture.permute(2, 0, 1)[None])  # (1, 3, R, R) in [-1, 1]
    label = torch.zeros(1, dtype=torch.int64) if opened.classes else None  # any: the class joins after the attention
    for layer, maps in sagan.attention_weights(discriminator, inputs, label).items():
        side, keys = maps.shape[1], maps.shape[3]  # maps: (1, H, W, h, w), queries first, then keys
        row, column = position_of(x, y, side, len(picture))
        weights = maps[0, row, column]  # (h, w), and they sum to one
        most = divmod(int(weights.argmax()), keys)
        target_x, target_y = pixel_of(*most, keys, len(picture))
        print(f"{layer}: {x},{y} looks most towards {target_x},{target_y}, with {weights.max():.2%} of its attention")
    print(f"figure: {figure.paths[0]}")


if __name__ == "__main__":
    main()
