from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.folder import step_folder
from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.errors import CheckpointMissing, ConfigError, ResourceError
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.sampling import draw, draw_labels
from sagan.visualise.grid import render_grid
from sagan.workflows.openers import open_generator
from sagan.workflows.sample import MAX_GRID, MAX_SEEDS, read_seeds, sample


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
        assert np.array_equal(
            arrays["pictures"], draw(open_generator(trained, device="cpu").generator, arrays["seeds"].tolist())
        )


def test_single_pictures_are_named_by_seed_and_class(trained, tmp_path):
    out = tmp_path / "folder"
    result = sample(trained, seeds="8,2", classes="boats", format="png", out=out, device="cpu")
    assert [path.name for path in result.paths] == ["seed-0000008-boats.png", "seed-0000002-boats.png"]
    expected = draw(open_generator(trained, device="cpu").generator, [8, 2], [1, 1])
    for path, picture in zip(result.paths, expected, strict=True):
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), picture)


def test_a_grid_has_one_row_a_class(trained, tmp_path):
    out = tmp_path / "grid.png"
    sample(trained, n=6, classes="boats, 0", out=out, device="cpu")
    pictures = draw(open_generator(trained, device="cpu").generator, range(6), [1, 1, 1, 0, 0, 0])
    with Image.open(out) as grid:
        assert grid.tobytes() == render_grid(pictures, 3, row_names=["boats", "barns"]).tobytes()


@pytest.mark.parametrize("classes", ["boats,barns,boats,barns", "boats,barns,boats"])
def test_rows_are_named_only_where_they_hold_one_class(trained, tmp_path, classes):
    out = tmp_path / "grid.png"
    sample(trained, n=8, classes=classes, out=out, device="cpu")
    labels = [1, 1, 0, 0, 1, 1, 0, 0] if classes.count(",") == 3 else [1, 1, 1, 0, 0, 0, 1, 1]
    pictures = draw(open_generator(trained, device="cpu").generator, range(8), labels)
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
    assert np.array_equal(cut, draw(open_generator(trained, device="cpu").generator, range(3), truncation=0.5))
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
    with pytest.raises(ResourceError, match="Choose another name"):
        sample(trained, n=2, out=tmp_path, device="cpu")
    assert list(tmp_path.iterdir()) == []
