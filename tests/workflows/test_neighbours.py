from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sagan.data.emblems import EMBLEM_CLASSES, render
from sagan.errors import ConfigError, DataError
from sagan.metrics.offline import offline_features
from sagan.visualise.grid import render_grid
from sagan.workflows.neighbours import neighbours
from sagan.workflows.sample import sample


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="module")
def planted(trained, tmp_path_factory):
    """Emblems, and among them two pictures that the trained run draws, one mirrored: seeds 3 and 8."""
    place = tmp_path_factory.mktemp("planted")
    folder = place / "set"
    for number, (picture, label) in enumerate(zip(*render(np.arange(40)), strict=True)):
        path = folder / EMBLEM_CLASSES[label] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).resize((16, 16)).save(path)
    sample(trained, seeds="3,8", classes="boats", format="npz", out=place / "x.npz", precision="fp32", device="cpu")
    own = np.load(place / "x.npz")["pictures"]
    for name, picture in (("three", own[0]), ("eight", own[1][:, ::-1])):
        Image.fromarray(picture).save(folder / "vase" / f"{name}.png")
    return folder, own


def test_the_nearest_stand_beside_each_picture(trained, planted, tmp_path):
    folder, own = planted
    result = neighbours(trained, str(folder), seeds="3,8", classes="boats", k=3, out=tmp_path / "n.png", device="cpu")
    assert [names[0] for names in result.names] == ["vase/three.png", "vase/eight.png"], "mirrored too"
    assert result.found.distance[:, 0] == pytest.approx([0, 0], abs=1e-2)
    assert all("as near as a copy" in words for _, words in result.rows)
    features = offline_features()
    assert result.found.feature_distance[0, 0] == pytest.approx(0, abs=1e-2), "in features only the unmirrored one"
    assert features(own).shape == (2, 256)
    with Image.open(result.sheet) as image:
        sheet = np.asarray(image)
    expected = np.asarray(
        render_grid(
            np.concatenate([own[:1]] * 7),
            7,
            row_names=["seed 3, boats"],
            column_names=["drawn", *(f"{kind} {n}" for kind in ("pixels", "features") for n in (1, 2, 3))],
            column_breaks=(1, 4),
        )
    )
    width = expected.shape[1]
    tile = slice(0, 12 + 16 + 64)
    assert sheet.shape[1] == width
    left = np.flatnonzero((sheet[tile, : width // 2] != expected[tile, : width // 2]).any(axis=(0, 2)))
    assert len(left) == 0 or left[0] > 64, "the row begins with the picture itself and then its copy"


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({}, DataError, "20 training pictures are too few to look in. It takes 25"),
        ({"seeds": "0-64"}, ConfigError, "^4 neighbours of 65 seeds"),
        ({"k": 9}, ConfigError, "^9 neighbours of 8 seeds. Ask for 1 to 8"),
        ({"classes": "cat"}, ConfigError, "there is no class cat"),
        ({"out": "x.html"}, ConfigError, "the sheet is written as png"),
    ],
)
def test_what_cannot_be_shown(trained, tmp_path, options, error, line):
    options = {"out": "x.png", **options}
    options["out"] = tmp_path / options["out"]
    with pytest.raises(error, match=line):
        neighbours(trained, device="cpu", **options)
    assert not options["out"].exists()
