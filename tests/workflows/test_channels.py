"""Grey and transparent pictures all the way: train, sample, attend; and a class that is rare."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sagan.engines import fold
from sagan.sampling import draw
from sagan.training.reporting import read_log
from sagan.visualise.grid import render_grid
from sagan.workflows.attend import attend
from sagan.workflows.openers import open_generator
from sagan.workflows.plan import plan
from sagan.workflows.sample import sample
from sagan.workflows.scoring import scorer_of
from sagan.workflows.train import train

MODES = {1: "L", 4: "RGBA"}


@pytest.fixture(scope="module")
def cut_outs(tmp_path_factory):
    """Noise with a clear border: nine pictures of one class and two of another, named by dataset.json."""
    folder = tmp_path_factory.mktemp("cut-outs")
    random = np.random.default_rng(8)
    for number in range(11):
        pixels = random.integers(0, 256, (20, 24, 4), dtype=np.uint8)
        pixels[..., 3] = 0
        pixels[4:16, 4:20, 3] = 255
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    rows = [[f"{number:02}.png", int(number >= 9)] for number in range(11)]
    (folder / "dataset.json").write_text(json.dumps({"labels": rows, "classes": ["often", "seldom"]}))
    return folder


@pytest.fixture(scope="module", params=[1, 4])
def run(request, tmp_path_factory, tiny, cut_outs):
    """(the folder of a run of two steps, its channels)"""
    out = tmp_path_factory.mktemp("runs") / f"channels-{request.param}"
    train(tiny(cut_outs, out, channels=request.param, balance=True, steps=2, log_every=1, sample_every=2, save_every=2))
    return out, request.param


def test_the_run_is_whole(run):
    out, channels = run
    assert open_generator(out, device="cpu").generator.channels == channels
    assert open_generator(out, device="cpu").classes == ("often", "seldom")
    assert [row["step"] for row in read_log(out / "log.jsonl")] == [1, 2]
    with Image.open(out / "samples" / "reals.png") as grid:
        colours = np.asarray(grid.convert("RGB")).astype(int)
    coloured = np.ptp(colours, axis=2).max() > 30
    assert coloured == (channels == 4)
    assert (out / "report.html").exists()


def test_single_pictures_are_true_files_of_their_kind(run, tmp_path):
    out, channels = run
    generator = open_generator(out, device="cpu").generator
    expected = draw(generator, [3, 8], [0, 1], engine=fold(generator))
    options = {"format": "png", "out": tmp_path / "single", "device": "cpu", "precision": "fp32"}
    paths = sample(out, seeds="3,8", classes="all", **options).paths
    for path, picture in zip(paths, expected, strict=True):
        with Image.open(path) as image:
            assert image.mode == MODES[channels]
            assert np.array_equal(np.asarray(image).reshape(16, 16, channels), picture)


def test_arrays_have_all_channels_and_grids_can_be_looked_at(run, tmp_path):
    out, channels = run
    pictures = draw(open_generator(out, device="cpu").generator, range(4))
    sample(out, n=4, format="npz", out=tmp_path / "x.npz", device="cpu", engine="live")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["pictures"].shape == (4, 16, 16, channels) and np.array_equal(arrays["pictures"], pictures)
    sample(out, n=4, out=tmp_path / "grid.png", device="cpu", engine="live")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.mode == "RGB" and grid.tobytes() == render_grid(pictures, 2).tobytes()


def test_attention_on_generated_and_on_real_pictures(run, cut_outs, tmp_path):
    out, channels = run
    attend(out, seed=3, at=[(5, 5)], out=tmp_path / "g.png", device="cpu")
    attend(out, image=cut_outs / "00.png", at=[(5, 5)], out=tmp_path / "d.png", device="cpu")
    for name in ("g", "d"):
        with np.load(tmp_path / f"{name}.npz", allow_pickle=False) as arrays:
            picture = arrays["picture"]
        assert picture.shape == (16, 16, channels)
    if channels == 4:
        assert (picture[0, 0] == (255, 255, 255, 0)).all(), "what is clear hides white, as in training"


def test_a_plan_knows_the_channels(tiny, cut_outs, tmp_path):
    rows = [dict(plan(tiny(cut_outs, tmp_path / "run", channels=channels)).rows) for channels in (1, 4)]
    counts = [int(row["parameters"].split()[1].rstrip(",").replace(",", "")) for row in rows]
    assert counts[1] - counts[0] == 3 * (16 * 9 + 1), "three more output channels of a 3x3 convolution over 16"


@pytest.mark.parametrize("channels", [1, 4])
def test_emblems_that_are_not_rgb_are_not_scored(channels):
    """The score measures hues; it would call every grey emblem a failure."""
    config = SimpleNamespace(data=SimpleNamespace(data="emblems"), output=SimpleNamespace(score="auto"))
    assert scorer_of(config, SimpleNamespace(channels=channels, classes=("a", "b"))) is None
