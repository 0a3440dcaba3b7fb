"""Every example runs, as a reader would run it, and leaves what it says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SMALL = ["--steps", "2", "--width", "16"]


def run_example(name: str, *words: str, folder: Path) -> str:
    """Run an example in `folder`, in a process of its own; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLES / name), *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", "an example that warns is no example"
    return done.stdout


def load_example(name: str):
    """An example as a module; its `main` is not called."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(output: str, word: str) -> str:
    """What stands behind "word: " in the output."""
    (found,) = re.findall(rf"^{word}: (.+)$", output, re.M)
    return found


def picture(path: Path) -> np.ndarray:
    """The pixels of a PNG file that shows something: (height, width, 3)."""
    with Image.open(path) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        pixels = np.asarray(opened)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, f"{path} is nearly empty"
    return pixels


def grid_size(columns: int, rows: int, side: int = 32) -> tuple[int, int]:
    """(height, width) of a grid of pictures, without the names of its rows: tiles of about 64 pixels, gaps, margins."""
    tile = side * -(-64 // side)
    return rows * (tile + 2) - 2 + 24, columns * (tile + 2) - 2 + 24


@pytest.fixture(scope="module")
def first_run(tmp_path_factory, photos):
    """The run of the first example on two classes of pictures, and what it printed."""
    folder = tmp_path_factory.mktemp("first-example")
    output = run_example("01_train.py", str(photos), "--out", "run", *SMALL, folder=folder)
    return folder / "run", output


def record_of(run: Path) -> dict:
    return tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))


def test_train(first_run):
    run, output = first_run
    record = record_of(run)
    assert (record["preset"], record["training"]["steps"], record["training"]["time"]) == ("demo", 2, "")
    assert record["model"]["g_ch"] == record["model"]["d_ch"] == 16
    grid = picture(run.parent / said(output, "pictures"))
    height, width = grid_size(columns=8, rows=2)
    assert grid.shape[0] == height and grid.shape[1] > width, "two rows, with the names of the classes beside them"
    assert (run.parent / said(output, "report")).read_text(encoding="utf-8").startswith("<!")
    assert re.search(r"^20 pictures of 32x32, 2 classes", output, re.M), "notes are passed on"
    assert re.search(r"^checkpoint: .*step-00000002$", output, re.M), "files are passed on"
    assert re.search(r"^2 steps in \d+ s$", output, re.M)


def test_own_data(tmp_path):
    output = run_example("02_own_data.py", "--out", "new/grid.png", *SMALL, folder=tmp_path)
    grid = picture(tmp_path / said(output, "pictures"))
    height, width = grid_size(columns=8, rows=2)
    assert grid.shape[0] == height and grid.shape[1] > width


def test_own_data_are_discs_and_rings_for_ever():
    example = load_example("02_own_data")
    pixels, labels, places = example.my_pictures(6, side=32).tensors
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.uint8, (6, 3, 32, 32))
    assert places.tolist() == [0, 1, 2, 3, 4, 5]
    lit = (pixels.amax(1) > 0).flatten(1).sum(1)
    assert torch.all(lit[labels == 1] < 0.9 * lit[labels == 0].min()), "rings have a hole"
    batches = example.endless([(pixels, labels, places)])
    for _ in range(3):
        batch = next(batches)
        assert batch.pixels is pixels and batch.labels is labels and batch.ids is places


def test_own_loss(tmp_path, photos):
    output = run_example("03_own_loss.py", str(photos), "--out", "run", *SMALL, folder=tmp_path)
    assert record_of(tmp_path / "run")["training"]["loss"] == "wide-hinge"
    assert picture(tmp_path / said(output, "losses")).shape[1] == 1600
    assert picture(tmp_path / said(output, "pictures")).shape[0] == grid_size(columns=8, rows=2)[0]
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    (row,) = [row for row in rows if "loss/discriminator" in row]
    at_least = max(0, 3 - row["logit/real"]) + max(0, 3 + row["logit/fake"])  # a mean of hinges is no less (Jensen)
    assert row["loss/discriminator"] >= at_least - 1e-3 > 3, "the usual hinge is well below that"


def test_own_loss_by_hand(monkeypatch):
    from sagan.losses import adversarial

    monkeypatch.setattr(adversarial, "LOSSES", dict(adversarial.LOSSES))
    example = load_example("03_own_loss")
    loss = adversarial.LOSSES["wide-hinge"]
    real, fake = torch.tensor([5.0, 1.0, -2.0]), torch.tensor([-4.0, 0.5])
    assert loss.discriminator(real=real, fake=fake).item() == pytest.approx((0 + 2 + 5) / 3 + (0 + 3.5) / 2)
    assert loss.generator(fake=fake).item() == pytest.approx(1.75)
    assert (loss.discriminator, loss.paired) == (example.wide_hinge, False)


def test_own_attention(tmp_path, photos):
    output = run_example("04_own_attention.py", str(photos), "--out", "run", *SMALL, folder=tmp_path)
    run = tmp_path / "run"
    assert record_of(run)["model"]["attention"] == "coarse"
    figure, arrays = [tmp_path / line.removeprefix("wrote: ") for line in output.splitlines() if "wrote: " in line]
    assert (figure.name, arrays.name) == ("coarse-map.png", "coarse-map.npz")
    assert picture(figure).shape[:2] == (342, 12 + 6 * (256 + 12)), "one row: the picture and five panels"
    with np.load(arrays) as held:
        maps = held["G.attention@16/maps"]
    assert maps.shape == (5, 4, 4), "sixteen places to choose from; the official block has 64"
    assert maps.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    assert re.search(r"^G\.attention@16: gamma [+-]0\.00\d\d, points \d+,\d+", output, re.M)


def test_own_attention_is_scaled(monkeypatch):
    from sagan.layers import attention
    from sagan.layers.parts import default_parts

    monkeypatch.setattr(attention, "ATTENTION", dict(attention.ATTENTION))
    load_example("04_own_attention")
    layer = attention.ATTENTION["coarse"](32, default_parts())
    assert (layer.pool, layer.scale) == (4, 0.5), "queries have 32 / 8 = 4 channels"
    x = torch.randn(2, 32, 8, 12, generator=torch.Generator().manual_seed(1))
    key = torch.nn.functional.max_pool2d(layer.key(x), 4).flatten(2)
    expected = (layer.query(x).flatten(2).mT @ key / 4**0.5).softmax(-1)
    torch.testing.assert_close(layer.weights(x).flatten(3).flatten(1, 2), expected.detach())


def test_attention_of_a_picture(first_run, tmp_path):
    run, _ = first_run
    random = np.random.default_rng(3)
    Image.fromarray(random.integers(0, 256, (60, 41, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    words = ["photo.png", "--run", str(run), "--at", "5,26", "--out", "looks.png"]
    output = run_example("05_attention_of_a_picture.py", *words, folder=tmp_path)
    assert picture(tmp_path / said(output, "figure")).shape[:2] == (342, 12 + 2 * (256 + 12)), "the picture and a panel"
    with np.load(tmp_path / "looks.npz") as held:
        assert held["picture"].shape == (32, 32, 3)
        assert held["D.attention@16/points"].tolist() == [[5, 26]]
        (weights,) = held["D.attention@16/maps"]  # made by the other path: one query of one layer
    assert weights.shape == (8, 8)
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    place = f"{4 * column + 2},{4 * row + 2}"  # the middle of a key's square of 4x4 pixels
    sentence = said(output, "D.attention@16")
    assert sentence.startswith(f"5,26 looks most towards {place}, with ")
    assert float(re.search(r"([\d.]+)%", sentence)[1]) == pytest.approx(100 * weights.max(), abs=0.01)


def test_the_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"\]\(([^)]+)\)", text)
    assert [name for name in names if name.endswith(".py")] == sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert [name for name in names if not (EXAMPLES / name).exists()] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_say_how_to_run_them(path):
    text = path.read_text(encoding="utf-8")
    assert f"python examples/{path.name}" in text.split('"""')[1]
    assert text.count("add_argument(") <= 4 and len(text.splitlines()) <= 75
