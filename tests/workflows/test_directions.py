"""Directions, and what is drawn along them and from files of latents."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageSequence

from sagan.engines import fold
from sagan.errors import ConfigError
from sagan.latents.directions import closed_form
from sagan.latents.files import LatentsRecord, fingerprint_of, load_directions, save_latents
from sagan.sampling import draw_latents, paint
from sagan.visualise.grid import render_grid
from sagan.workflows.directions import directions
from sagan.workflows.interpolate import interpolate
from sagan.workflows.openers import open_generator
from sagan.workflows.sample import sample


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """Machines with bf16 units would round otherwise."""
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="module")
def generator(trained):
    return open_generator(trained, device="cpu").generator


@pytest.fixture(scope="module")
def found(trained, tmp_path_factory):
    """Closed-form directions of the trained run, with a film of the second."""
    folder = tmp_path_factory.mktemp("directions")
    return directions(
        trained, method="closed-form", count=2, seeds="4,9", label="boats", reach=2.0, steps=3, fps=2, size=16,
        out=folder / "deep" / "sheet.png", film=folder / "film.apng", index=1, device="cpu",
    )  # fmt: skip


def test_the_sheet_shows_each_seed_at_each_strength(found, generator, monkeypatch):
    sheet, stored, _ = found.paths
    vectors = closed_form(generator, 2).vectors
    latents = draw_latents([4, 9], 12)
    rows = [
        latents[seed] + strength * vectors[number] for number in (0, 1) for seed in (0, 1) for strength in (-2, 0, 2)
    ]
    pictures = paint(generator, np.stack(rows).astype(np.float32), np.ones(12, dtype=np.int64), engine=fold(generator))
    names = ["0: seed 4, boats", "seed 9, boats", "1: seed 4, boats", "seed 9, boats"]
    expected = render_grid(pictures, 3, row_names=names, column_names=["-2", "0", "+2"], row_breaks=[2])
    with Image.open(sheet) as image:
        assert np.abs(np.asarray(image).astype(int) - np.asarray(expected)).max() <= 1
    kept, record = load_directions(stored)
    assert np.array_equal(kept.vectors, vectors) and record.generator == fingerprint_of(generator)
    assert (record.method, record.layer, record.made) == ("closed-form", 0, "step 5, class boats")
    assert [name for name, _ in found.rows] == ["direction 0", "direction 1"]


def test_the_film_goes_there_and_back_with_the_seeds_side_by_side(found):
    with Image.open(found.paths[2]) as film:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    assert len(frames) == 8 and frames[0].shape == (16, 40, 3)
    assert np.abs(frames[1].astype(int) - frames[3]).max() <= 1 and not np.array_equal(frames[2], frames[6])


def test_sample_moves_along_directions(trained, found, generator, tmp_path):
    stored = found.paths[1]
    words = f"{stored}:0:1.5,{stored}:1:-2"
    result = sample(trained, seeds="3-5", format="npz", direction=words, out=tmp_path / "x.npz", device="cpu")
    vectors = closed_form(generator, 2).vectors
    latents = draw_latents([3, 4, 5], 12) + np.float32(1.5) * vectors[0] - np.float32(2) * vectors[1]
    drawn = np.load(tmp_path / "x.npz")
    assert np.array_equal(drawn["pictures"], paint(generator, latents, drawn["labels"], engine=fold(generator)))
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("x.safetensors", "^direction is 'x.safetensors'. Write FILE:INDEX:STRENGTH"),
        ("{file}:0:strong", "^direction is "),
        ("{file}:0:inf", "^direction is "),
        ("{file}:2:1", "there is no direction 2. It has 0 to 1.$"),
        ("{file}:-1:1", "there is no direction -1"),
    ],
)
def test_what_is_no_direction(trained, found, tmp_path, words, line):
    with pytest.raises(ConfigError, match=line):
        sample(trained, n=1, direction=words.format(file=found.paths[1]), out=tmp_path / "x.png", device="cpu")


def test_principal_directions_of_all_classes(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("sagan.latents.directions.LOOKED_AT", 128)
    told = []
    result = directions(
        trained, count=2, seeds="0", out=tmp_path / "p.png", device="cpu", tell=lambda what, done, of: told.append(done)
    )
    assert told[-1] == 128 and len(result.found.vectors) == 2
    assert load_directions(tmp_path / "p.safetensors")[1].layer == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"count": 65}, "^65 directions in 7 steps"),
        ({"seeds": "0-8"}, "for 9 seeds"),
        ({"index": 8}, "^there is no direction 8. Their numbers go from 0 to 7"),
        ({"reach": 0.0}, "^reach is 0"),
        ({"label": "cat"}, "^there is no class cat"),
        ({"film": "x.avi"}, "cannot be written as .avi"),
        ({"out": "x.jpg"}, "the sheet is written as png"),
        ({"layer": 9}, "^layer is 9"),
        ({"method": "closed-form", "layer": 1}, "^the closed form is of the first linear layer, not of 1"),
    ],
)
def test_what_cannot_be_shown_leaves_nothing(trained, tmp_path, monkeypatch, options, line):
    monkeypatch.chdir(tmp_path)
    for name in ("film", "out"):
        options = options | ({name: tmp_path / options[name]} if name in options else {})
    with pytest.raises(ConfigError, match=line):
        directions(trained, device="cpu", **options)
    assert not list(tmp_path.iterdir())


# Latents from a file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(generator, tmp_path):
    """Two latents, one a class."""
    path = tmp_path / "mine.safetensors"
    record = LatentsRecord(z_dim=12, generator=fingerprint_of(generator), classes=("barns", "boats"))
    save_latents(path, draw_latents([70, 71], 12), np.array([1, 0]), record)
    return path


def test_a_file_of_latents_is_drawn(trained, file, generator, tmp_path):
    sample(trained, latents=file, format="npz", out=tmp_path / "x.npz", device="cpu")
    drawn = np.load(tmp_path / "x.npz")
    assert drawn["labels"].tolist() == [1, 0] and "seeds" not in drawn
    expected = paint(generator, draw_latents([70, 71], 12), np.array([1, 0]), engine=fold(generator))
    assert np.array_equal(drawn["pictures"], expected)
    result = sample(trained, latents=file, classes="boats", format="png", out=tmp_path / "folder", device="cpu")
    assert [path.name for path in result.paths] == ["latent-0000000-boats.png", "latent-0000001-boats.png"]
    with pytest.raises(ConfigError, match="^keep-best chooses among seeds"):
        sample(trained, latents=file, keep_best=0.5, out=tmp_path / "x.png", device="cpu")
    with pytest.raises(ConfigError, match="^seeds and latents are both given"):
        sample(trained, latents=file, seeds="3", out=tmp_path / "x.png", device="cpu")


def test_a_way_leads_from_a_file_to_seeds(trained, file, generator, tmp_path):
    result = interpolate(trained, latents=file, seeds="5", frames=2, size=16, out=tmp_path / "way.apng", device="cpu")
    assert result.frames == 5
    with Image.open(result.path) as film:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    ends = paint(generator, draw_latents([70, 71], 12), np.array([1, 0]), engine=fold(generator))
    for frame, picture in zip(frames[:3:2], ends, strict=True):
        assert np.abs(frame.astype(int) - picture).max() <= 1
    alone = interpolate(trained, latents=file, out=tmp_path / "strip.png", device="cpu")
    assert alone.frames == 8


def test_files_of_another_generator_are_told_or_refused(trained, tmp_path):
    for name, classes, z_dim in (("other", ("boats", "barns"), 12), ("cats", ("cat",), 12), ("long", (), 13)):
        record = LatentsRecord(z_dim=z_dim, generator="another", classes=classes)
        labels = np.zeros(1, dtype=np.int64) if classes else None
        save_latents(tmp_path / f"{name}.safetensors", draw_latents([1], z_dim), labels, record)
    result = sample(trained, latents=tmp_path / "other.safetensors", format="npz", out=tmp_path / "x.npz", device="cpu")
    assert "made from another generator" in result.warnings[0]
    assert np.load(tmp_path / "x.npz")["labels"].tolist() == [1], "classes are matched by name"
    with pytest.raises(ConfigError, match="it has the class cat, which this generator has not"):
        sample(trained, latents=tmp_path / "cats.safetensors", out=tmp_path / "x.png", device="cpu")
    with pytest.raises(ConfigError, match="its latents have 13 numbers, this generator's 12"):
        sample(trained, latents=tmp_path / "long.safetensors", out=tmp_path / "x.png", device="cpu")
