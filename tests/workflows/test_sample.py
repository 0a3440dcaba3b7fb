from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.folder import step_folder
from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.engines import fold
from sagan.errors import CheckpointMissing, ConfigError, ResourceError
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.sampling import draw, draw_labels
from sagan.visualise.grid import render_grid
from sagan.workflows import sample as module
from sagan.workflows.openers import open_generator
from sagan.workflows.sample import CHUNK, MAX_ARRAY, MAX_GRID, MAX_SEEDS, read_seeds, sample


def drawn_as_sample_does(source, seeds, labels=None, **options):
    """The pictures of `sagan sample` on a processor without bf16 units: of the folded generator."""
    generator = open_generator(source, device="cpu").generator
    return draw(generator, seeds, labels, engine=fold(generator), **options)


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """Machines with bf16 units would round otherwise."""
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


@pytest.fixture
def plain(tmp_path):
    """A generator file without classes and without attention."""
    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12, g_attn=(), d_attn=())
    path = tmp_path / "plain.safetensors"
    save_generator(path, build_generator(model).state_dict(), GeneratorRecord(model=model, step=0))
    return path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("0-3", [0, 1, 2, 3]), ("3,7,20-22", [3, 7, 20, 21, 22]), ("5", [5]), ("[4, 2]", [4, 2]), ("9-9,9", [9, 9]),
        ("9223372036854775807", [2**63 - 1]),
    ],
)  # fmt: skip
def test_seeds_in_words(words, expected):
    assert read_seeds(words) == expected


@pytest.mark.parametrize("words", ["", "a", "1-", "3-1", "1,,2", "-4", "1.5", "1;2", "9223372036854775808", "0x3"])
def test_what_is_no_seed(words):
    with pytest.raises(ConfigError, match="^seeds are .*Write numbers and ranges like 0-63 or 3,7,20-29.$"):
        read_seeds(words)


def test_too_many_seeds_are_refused_before_they_are_listed():
    with pytest.raises(ConfigError, match="were asked for. Ask for 1 to 1,000,000."):
        read_seeds("0-9000000000000000000")
    assert MAX_SEEDS == 1_000_000


def test_arrays_hold_what_draw_gives(trained, tmp_path):
    out = tmp_path / "deep" / "x.npz"
    result = sample(trained, seeds="3,1,40-44", format="npz", out=out, device="cpu")
    assert (result.paths, result.count) == ([out], 7)
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["seeds"].tolist() == [3, 1, 40, 41, 42, 43, 44]
        assert arrays["labels"].tolist() == draw_labels([3, 1, 40, 41, 42, 43, 44], 2).tolist()
        assert np.array_equal(arrays["pictures"], drawn_as_sample_does(trained, arrays["seeds"].tolist()))


def test_engines_draw_the_same_pictures_to_rounding(trained, tmp_path):
    """live is exactly what training's grids show; the default differs by a level on rare pixels; bf16 by some."""
    drawn = {}
    for name, options in {"live": {"engine": "live"}, "torch": {}, "bf16": {"precision": "bf16"}}.items():
        sample(trained, n=20, format="npz", out=tmp_path / f"{name}.npz", device="cpu", **options)
        drawn[name] = np.load(tmp_path / f"{name}.npz")["pictures"].astype(int)
    assert np.array_equal(drawn["live"], draw(open_generator(trained, device="cpu").generator, range(20)))
    assert np.abs(drawn["torch"] - drawn["live"]).max() <= 1
    assert (drawn["torch"] != drawn["live"]).mean() < 1e-3
    assert 1e-3 < (drawn["bf16"] != drawn["live"]).mean() and np.abs(drawn["bf16"] - drawn["live"]).max() <= 8


def test_an_engine_that_cannot_be_is_told_before_anything_is_opened(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        ConfigError, match="is not installed. pip install 'sagan-torch\\[openvino\\]', or use --engine torch.$"
    ):
        sample(tmp_path / "nothing", engine="openvino")


def test_single_pictures_are_named_by_seed_and_class(trained, tmp_path):
    out = tmp_path / "folder"
    result = sample(trained, seeds="8,2", classes="boats", format="png", out=out, device="cpu")
    assert [path.name for path in result.paths] == ["seed-0000008-boats.png", "seed-0000002-boats.png"]
    expected = drawn_as_sample_does(trained, [8, 2], [1, 1])
    for path, picture in zip(result.paths, expected, strict=True):
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), picture)


def test_a_grid_has_one_row_a_class(trained, tmp_path):
    out = tmp_path / "grid.png"
    sample(trained, n=6, classes="boats, 0", out=out, device="cpu")
    pictures = drawn_as_sample_does(trained, range(6), [1, 1, 1, 0, 0, 0])
    with Image.open(out) as grid:
        assert grid.tobytes() == render_grid(pictures, 3, row_names=["boats", "barns"]).tobytes()


@pytest.mark.parametrize("classes", ["boats,barns,boats,barns", "boats,barns,boats"])
def test_rows_are_named_only_where_they_hold_one_class(trained, tmp_path, classes):
    out = tmp_path / "grid.png"
    sample(trained, n=8, classes=classes, out=out, device="cpu")
    labels = [1, 1, 0, 0, 1, 1, 0, 0] if classes.count(",") == 3 else [1, 1, 1, 0, 0, 0, 1, 1]
    pictures = drawn_as_sample_does(trained, range(8), labels)
    with Image.open(out) as grid:
        assert grid.tobytes() == render_grid(pictures, 3).tobytes()


def test_a_copied_file_is_enough(trained, tmp_path):
    alone = tmp_path / "elsewhere" / "anything.safetensors"
    alone.parent.mkdir()
    shutil.copy(step_folder(trained, 5) / "generator.safetensors", alone)
    for source, name in ((trained, "run"), (step_folder(trained, 5), "checkpoint"), (alone, "file")):
        sample(source, n=4, format="npz", out=tmp_path / f"{name}.npz", device="cpu")
    arrays = [np.load(tmp_path / f"{name}.npz")["pictures"] for name in ("run", "checkpoint", "file")]
    assert np.array_equal(arrays[0], arrays[1]) and np.array_equal(arrays[0], arrays[2])


def test_truncation_reaches_the_pictures(trained, tmp_path):
    for name, trunc in (("plain", 0.0), ("cut", 0.5)):
        sample(trained, n=3, trunc=trunc, format="npz", out=tmp_path / f"{name}.npz", device="cpu")
    plain, cut = (np.load(tmp_path / f"{name}.npz")["pictures"] for name in ("plain", "cut"))
    assert np.array_equal(cut, drawn_as_sample_does(trained, range(3), truncation=0.5))
    assert not np.array_equal(plain, cut)


def test_without_classes(plain, tmp_path):
    result = sample(plain, n=2, format="png", out=tmp_path / "folder", device="cpu")
    assert [path.name for path in result.paths] == ["seed-0000000.png", "seed-0000001.png"]
    with pytest.raises(ConfigError, match="^this generator has no classes. Leave out --classes.$"):
        sample(plain, classes="0", device="cpu")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classes": "cat"}, ConfigError, "there is no class cat. There are: barns, boats; or numbers from 0 to 1."),
        ({"classes": "2"}, ConfigError, "there is no class 2"),
        ({"n": 0}, ConfigError, "0 pictures were asked for"),
        ({"n": MAX_GRID + 1}, ConfigError, "would be unreadable. Ask for at most 1,024, or use --format png or npz."),
        ({"trunc": 0.05}, ConfigError, "trunc is 0.05"),
        ({"device": "warp"}, ConfigError, "device is 'warp'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(trained, tmp_path, options, error, message):
    out = tmp_path / "out.png"
    with pytest.raises(error, match=message):
        sample(trained, out=out, **options)
    assert not out.exists()


def test_a_source_that_is_none(tmp_path):
    with pytest.raises(CheckpointMissing, match="no such file or folder") as info:
        sample(tmp_path / "none")
    assert info.value.exit_code == 4


def test_a_folder_stands_where_the_grid_should_go(trained, tmp_path):
    folder = tmp_path / "grid.png"
    folder.mkdir()
    with pytest.raises(ResourceError, match="Choose another name"):
        sample(trained, n=2, out=folder, device="cpu")
    assert list(folder.iterdir()) == []


@pytest.fixture
def drawn(monkeypatch):
    """How many pictures each call drew; a stand-in draws black ones."""
    counts = []

    def stand_in(generator, latents, labels, *, engine):
        counts.append(len(latents))
        return np.zeros((len(latents), generator.resolution, generator.resolution, 3), dtype=np.uint8)

    monkeypatch.setattr(module, "paint", stand_in)
    return counts


@pytest.mark.parametrize(
    ("format", "name", "line"),
    [
        ("grid", "x.jpg", "x.jpg: a grid is written as png. Name it x.png."),
        ("grid", "pictures", "pictures: a grid is written as png. Name it pictures.png."),
        ("grid", "x.npz", "x.npz: a grid is written as png. Name it x.png."),
        ("npz", "x.png", "x.png: an array is written as npz. Name it x.npz."),
    ],
)
def test_a_name_for_something_else_is_refused_before_anything_is_drawn(trained, tmp_path, drawn, format, name, line):
    with pytest.raises(ConfigError) as info:
        sample(trained, n=2, format=format, out=tmp_path / name, device="cpu")
    assert str(info.value) == f"{tmp_path}/{line}"
    assert drawn == [] and list(tmp_path.iterdir()) == []


def test_suffixes_have_no_case_and_a_folder_may_have_any(trained, tmp_path, drawn):
    assert sample(trained, n=2, out=tmp_path / "X.PNG", device="cpu").paths == [tmp_path / "X.PNG"]
    assert sample(trained, n=2, format="png", out=tmp_path / "v1.5", device="cpu").paths[0].parent.name == "v1.5"


def test_single_pictures_are_written_before_the_next_chunk_is_drawn(plain, tmp_path, monkeypatch):
    out, present = tmp_path / "folder", []

    def stand_in(generator, latents, labels, *, engine):
        present.append(len(list(out.glob("*.png"))))
        return np.full((len(latents), 16, 16, 3), len(present), dtype=np.uint8)

    monkeypatch.setattr(module, "paint", stand_in)
    monkeypatch.setattr(module, "CHUNK", 3)
    result = sample(plain, n=8, format="png", out=out, device="cpu")
    assert present == [0, 3, 6] and result.count == len(list(out.iterdir())) == 8
    with Image.open(out / "seed-0000006.png") as last:
        assert np.asarray(last).max() == 3


def test_more_than_one_chunk_comes_back_in_order(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    out = tmp_path / "x.npz"
    sample(plain, n=5, format="npz", out=out, device="cpu")
    with np.load(out, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["pictures"], drawn_as_sample_does(plain, range(5)))
    assert CHUNK >= 16


def test_an_array_too_large_for_memory_is_refused_before_it_is_drawn(plain, tmp_path, drawn, monkeypatch):
    assert MAX_ARRAY == 2 * 2**30
    with pytest.raises(
        ConfigError, match="^an array of 1,000,000 .* of 64x64 would be larger than 2 GiB. Ask for at most 174,762 "
    ):
        module._refuse_large_array(1_000_000, 64, 3)  # 2**31 / (3 * 64 * 64) = 174,762.67
    module._refuse_large_array(174_762, 64, 3)
    module._refuse_large_array(524_288, 64, 1)
    monkeypatch.setattr(module, "MAX_ARRAY", 3 * 16 * 16 * 4)
    with pytest.raises(ConfigError, match="Ask for at most 4 at a time with --seeds, or use --format png.$"):
        sample(plain, n=5, format="npz", out=tmp_path / "x.npz", device="cpu")
    assert drawn == []
    assert sample(plain, n=4, format="npz", out=tmp_path / "x.npz", device="cpu").count == 4
    assert sample(plain, n=5, format="png", out=tmp_path / "folder", device="cpu").count == 5


def test_a_seed_named_twice(trained, tmp_path, drawn):
    with pytest.raises(ConfigError, match="seed-0000003-boats.png: two of the pictures .* Name each seed once, or use"):
        sample(trained, seeds="3,1-4", classes="boats", format="png", out=tmp_path / "folder", device="cpu")
    assert drawn == [] and not (tmp_path / "folder").exists()
    result = sample(trained, seeds="3,3", classes="boats,barns", format="png", out=tmp_path / "folder", device="cpu")
    assert result.count == len(list((tmp_path / "folder").iterdir())) == 2
    assert sample(trained, seeds="3,3", format="npz", out=tmp_path / "x.npz", device="cpu").count == 2
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["seeds"].tolist() == [3, 3] and len(arrays["pictures"]) == 2
