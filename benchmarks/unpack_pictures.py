"""Unpack a Parquet set into a folder as people have them: a subfolder a class, mixed sizes and formats, some files broken.

    python benchmarks/unpack_pictures.py $CIFAR10_PARQUET photos/

Every picture keeps its class; sizes run from 24 to 96 pixels and need not be square; a tenth are PNG, the others JPEG. Twenty
broken files are added: empty, cut short, text, zeros, a header alone.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from sagan.data.config import DataConfig
from sagan.data.images import open_images

SEED = 0
SMALLEST, LARGEST = 24, 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="the Parquet file")
    parser.add_argument("target", type=Path, help="the folder to make")
    parser.add_argument("--count", type=int, default=0, help="only the first so many pictures; 0 for all")
    arguments = parser.parse_args()
    images = open_images(DataConfig(data=arguments.source), 32)
    count = min(arguments.count or len(images), len(images))
    rng = np.random.default_rng(SEED)
    for name in images.classes:
        (arguments.target / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        side = int(rng.integers(SMALLEST, LARGEST + 1))
        wide = int(side * rng.uniform(1.0, 1.3))
        kind = "png" if rng.random() < 0.1 else "jpg"
        picture = Image.fromarray(images.pictures([index])[0])
        size = (wide, side) if rng.random() < 0.5 else (side, wide)
        folder = arguments.target / images.classes[images.labels[index]]
        # The square is scaled to the longer side and cut back, so that a centre crop finds the whole subject again.
        longer = max(size)
        scaled = picture.resize((longer, longer), Image.Resampling.BICUBIC)
        left, top = (longer - size[0]) // 2, (longer - size[1]) // 2
        cut = scaled.crop((left, top, left + size[0], top + size[1]))
        cut.save(folder / f"{index:05d}.{kind}", **({} if kind == "png" else {"quality": 92}))
    broken = break_some(arguments.target / images.classes[0], images.pictures([0])[0])
    print(f"{count:,} pictures and {broken} broken files in {arguments.target}")


def break_some(folder: Path, picture: np.ndarray) -> int:
    """Files that look like pictures by name, and are none."""
    buffer = io.BytesIO()
    Image.fromarray(picture).resize((64, 64)).save(buffer, "JPEG")
    whole = buffer.getvalue()
    kinds = [b"", whole[: len(whole) // 2], b"these are words, not a picture\n", bytes(4096), whole[:20]]
    for number in range(20):
        suffix = ("jpg", "png")[number % 2]
        (folder / f"broken-{number:02d}.{suffix}").write_bytes(kinds[number % len(kinds)])
    return 20


if __name__ == "__main__":
    main()
