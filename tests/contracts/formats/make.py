"""Write the frozen files of the format in use: a generator file, and a run with one checkpoint.

    python tests/contracts/formats/make.py tests/contracts/formats/v2

Once a version is released, its folder never changes: a new format gets a folder beside it. Another version's files come
from the code of that version: PYTHONPATH=its/src python tests/contracts/formats/make.py tests/contracts/formats/vN
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sagan.presets import preset
from sagan.randomness import Stream, integers
from sagan.runtime import processor_name
from sagan.sampling import draw
from sagan.workflows.openers import open_generator
from sagan.workflows.train import train

STEPS = 4
SEEDS = range(8)
PICTURES = "pictures"  # a relative name, so that the stored record speaks of no machine
OPTIONS = dict(
    resolution=16, z_dim=8, g_ch=8, d_ch=8, batch_size=4, n_dis=2, ema=0.9, ema_start=2, seed=11, mirror=True,
    precision="fp32", threads=1, device="cpu", workers=0, log_every=1, sample_every=1000, save_every=0,
)  # fmt: skip


def write_pictures(folder: Path) -> Path:
    """Eighteen pictures in two classes, as BMP files: the same bytes, so the same fingerprint, whatever wrote them."""
    for number in range(18):
        path = folder / ("boats" if number % 2 else "barns") / f"{number:02}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = integers(3, Stream.TEST, number, 17 * 16 * 3, 256).reshape(17, 16, 3)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


def labels_of(classes: int) -> list[int] | None:
    """The classes of the recorded pictures, one for each of SEEDS."""
    return [seed % classes for seed in SEEDS] if classes else None


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        os.chdir(made)
        write_pictures(Path(PICTURES))
        train(preset("sagan-32-small", data=PICTURES, out="run", steps=STEPS, **OPTIONS))
        checkpoint = Path("run", "checkpoints", f"step-{STEPS:08}")
        out.mkdir()
        shutil.copytree(checkpoint, out / "run" / "checkpoints" / checkpoint.name)
        shutil.copy("run/run.toml", out / "run")
        shutil.copy(checkpoint / "generator.safetensors", out / "generator.safetensors")
    opened = open_generator(out / "generator.safetensors", device="cpu")
    pictures = draw(opened.generator, SEEDS, labels_of(len(opened.classes)))
    Image.fromarray(np.concatenate(pictures)).save(out / "pictures.png")
    facts = {
        "torch": torch.__version__,
        "processor": processor_name(),
        "seeds": list(SEEDS),
        "pictures_sha256": hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest(),
    }
    (out / "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
