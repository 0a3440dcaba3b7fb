"""The job that the proofs train: small, yet with everything a real run has; and the one digest they compare."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from sagan.checkpoint.folder import read_folder, step_folder
from sagan.checkpoint.generator_file import parse_generator
from sagan.checkpoint.loading import assign
from sagan.checkpoint.tensors import unpack_bytes
from sagan.config import RunConfig
from sagan.models.build import build_generator
from sagan.presets import preset
from sagan.sampling import draw
from sagan.training.state import GENERATOR, MODEL, OPTIMISER, STATE

SOURCE = Path(__file__).parents[3] / "src"
COUNTERS = ("step", "critic_updates", "position", "data_fingerprint")

OPTIONS = dict(
    resolution=16, z_dim=12, g_ch=16, d_ch=16, batch_size=8, n_dis=2, ema=0.9, ema_start=2, beta1=0.5,
    mirror=True, precision="fp32", threads=1, device="cpu", log_every=1,
)  # fmt: skip


def write_pictures(folder: Path, count: int = 20) -> Path:
    """Two classes of noisy PNG files of unequal sides; an epoch of 20 is no whole number of batches of 8."""
    random = np.random.default_rng(5)
    for number in range(count):
        path = folder / ("boats" if number % 2 else "barns") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (18 + number, 21, 3), dtype=np.uint8)).save(path)
    return folder


def record(data: Path, out: Path, **options: object) -> RunConfig:
    """The record of the job: attention, conditional batch norm, spectral norm, two Adams, an average, mirroring."""
    return preset("sagan-32-small", **{**OPTIONS, "data": str(data), "out": str(out), **options})


def words(data: Path, out: Path, **options: object) -> list[str]:
    """The same as words for `sagan`: ['train', DATA, '--out', OUT, '--resolution', '16', ...]."""
    said = ["train", str(data), "--preset", "sagan-32-small", "--out", str(out)]
    for name, value in {**OPTIONS, **options}.items():
        option = "--" + name.replace("_", "-")
        said += [option] if value is True else [f"--no-{option[2:]}"] if value is False else [option, str(value)]
    return said


def start(words: list[str], *, environment: Mapping[str, str] | None = None, **how: object) -> subprocess.Popen[str]:
    """`sagan WORDS` in a process group of its own, with its output piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "sagan", *words],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **how,
    )


def digest(run: Path, step: int) -> dict[str, str]:
    """SHA-256 of all that a run is at a step, by part: the tensor files, the counters, and eight drawn pictures.

    The pictures are drawn anew from the checkpoint, so that what only drawing uses is compared too.
    """
    folder = step_folder(run, step)
    _, files = read_folder(folder)
    found = {}
    for name in (MODEL, OPTIMISER, GENERATOR):
        total = hashlib.sha256()
        for key, tensor in sorted(unpack_bytes(files[name], folder / name)[0].items()):
            total.update(key.encode() + tensor.contiguous().numpy().tobytes())
        found[name] = total.hexdigest()
    state = json.loads(files[STATE])
    found["counters"] = repr([state[name] for name in COUNTERS])
    facts, tensors = parse_generator(files[GENERATOR], folder / GENERATOR)
    generator = build_generator(facts.model, len(facts.classes))
    assign(generator.state_dict(), tensors, folder)
    labels = [seed % len(facts.classes) for seed in range(8)] if facts.classes else None
    pictures = draw(generator.eval(), range(8), labels)
    found["pictures"] = hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest()
    return found


def unequal(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """What differs between two digests, in words; None when nothing does."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return f"differs in {', '.join(names)}" if names else None
