from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.engines import fold
from sagan.errors import CheckpointMissing, ConfigError, DataError
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.sampling import draw, draw_latents
from sagan.workflows.interpolate import FILM_STEPS, STRIP_STEPS, interpolate
from sagan.workflows.openers import open_generator
from sagan.workflows.timelapse import timelapse
from sagan.workflows.walking import blend_classes, on_the_way, walk

CLASSES = ("cat", "dog", "owl")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small generator whose classes draw different pictures."""
    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12, g_attn=(8,))
    generator = build_generator(model, len(CLASSES), seed=3)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("gain", "bias")) and parameter.ndim == 2:
                parameter.add_(0.7 * torch.randn(parameter.shape, generator=random))
            if name.endswith("gamma"):
                parameter.fill_(0.8)
    path = tmp_path_factory.mktemp("trained") / "generator.safetensors"
    save_generator(path, generator.eval().state_dict(), GeneratorRecord(model=model, classes=CLASSES, step=5, seed=0))
    return path


def frames_of(path):
    with Image.open(path) as film:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]


def test_the_way_starts_and_ends_at_the_seeds():
    way = walk([4, 9], [0, 2], z_dim=8, classes=3, between=5, loop=False)
    assert way.latents.shape == (6, 8) and way.classes.shape == (6, 3)
    np.testing.assert_allclose(way.latents[[0, 5]], draw_latents([4, 9], 8), rtol=1e-6)
    np.testing.assert_allclose(way.classes, [[1 - t / 5, 0, t / 5] for t in range(6)], atol=1e-7)


def test_a_loop_leads_back_without_showing_the_first_twice():
    way = walk([4, 9, 1], [0, 0, 0], z_dim=8, classes=0, between=4, loop=True)
    assert way.latents.shape == (12, 8) and way.classes.shape == (12, 0)
    np.testing.assert_allclose(way.latents[::4], draw_latents([4, 9, 1], 8), rtol=1e-6)
    last, first = way.latents[-1], way.latents[0]
    assert np.linalg.norm(last - first) < np.linalg.norm(way.latents[8] - first), "on its way back"


def test_the_sphere_keeps_the_length_and_the_line_does_not():
    one, other = np.array([3, 0, 0], np.float32), np.array([0, 3, 0], np.float32)
    np.testing.assert_allclose(on_the_way(one, other, 0.5, "sphere"), [3 / np.sqrt(2), 3 / np.sqrt(2), 0], atol=1e-6)
    np.testing.assert_allclose(on_the_way(one, other, 1 / 3, "sphere"), [3 * np.cos(np.pi / 6), 1.5, 0], atol=1e-6)
    np.testing.assert_allclose(on_the_way(one, other, 0.5, "line"), [1.5, 1.5, 0])
    np.testing.assert_allclose(
        on_the_way(one, 2 * other, 0.5, "sphere"), 4.5 * np.array([1, 1, 0]) / np.sqrt(2), atol=1e-6
    )
    for strange in (one, -one, 0 * one):
        assert np.isfinite(on_the_way(one, strange, 0.5, "sphere")).all()


def test_whole_shares_of_classes_are_the_classes_and_halves_lie_between(trained):
    generator = open_generator(trained, device="cpu").generator
    shares = np.array([[0, 1, 0], [0, 0, 1], [0, 0.5, 0.5]], dtype=np.float32)
    blended = blend_classes(generator, shares)
    pure = draw(generator, [7, 7], [1, 2])
    mixed = draw(blended, [7, 7, 7], [0, 1, 2])
    assert np.abs(mixed[:2].astype(int) - pure).max() <= 1
    assert not np.array_equal(pure[0], pure[1]) and not np.array_equal(mixed[2], mixed[0])
    assert generator.classes == 3, "the generator itself is left alone"
    folded = draw(blended, [7, 7, 7], [0, 1, 2], engine=fold(blended))
    assert np.abs(folded.astype(int) - mixed).max() <= 1


def test_a_mixture_of_classes_by_hand_shares_all_but_the_tables():
    """A quarter of the way from gain 1 to 3 is 1.5, from bias 0 to -4 is -1."""
    generator = build_generator(ModelConfig(resolution=16, z_dim=8, g_ch=8, g_attn=(8,)), 3).eval()
    norm = next(module for module in generator.modules() if isinstance(module, BatchNorm2d) and module.classes)
    with torch.no_grad():
        for table, values in ((norm.gain, [1.0, 3.0, 9.0]), (norm.bias, [0.0, -4.0, 9.0])):
            table.copy_(torch.tensor(values)[:, None].expand_as(table))
    blended = blend_classes(generator, np.array([[0.75, 0.25, 0]], dtype=np.float32))
    mixed = next(module for module in blended.modules() if isinstance(module, BatchNorm2d) and module.classes)
    assert blended.classes == mixed.classes == 1
    assert torch.all(mixed.gain == 1.5) and torch.all(mixed.bias == -1)
    assert norm.gain.shape[0] == 3, "the generator itself is left alone"
    theirs = dict(blended.named_parameters())
    for name, parameter in generator.named_parameters():
        assert (parameter is theirs[name]) == (theirs[name].shape == parameter.shape), name


def test_a_film_begins_with_the_first_seed_and_ends_with_the_last(trained, tmp_path):
    result = interpolate(trained, seeds="3,8", classes="dog", frames=4, size=32, out=tmp_path / "walk.apng")
    frames = frames_of(result.path)
    assert result.frames == len(frames) == 5 and frames[0].shape == (32, 32, 3)
    generator = open_generator(trained, device="cpu").generator
    pictures = draw(generator, [3, 8], [1, 1], engine=fold(generator))
    for frame, picture in ((frames[0], pictures[0]), (frames[-1], pictures[1])):
        assert np.abs(frame[::2, ::2].astype(int) - picture).max() <= 1
    assert not np.array_equal(frames[1], frames[0]) and not np.array_equal(frames[1], frames[2])


def test_a_strip_has_one_row_for_each_way(trained, tmp_path):
    three = interpolate(trained, seeds="1-3", out=tmp_path / "strip.png")
    assert three.frames == 2 * STRIP_STEPS + 1
    loop = interpolate(trained, seeds="1-3", loop=True, out=tmp_path / "loop.png")
    assert loop.frames == 3 * STRIP_STEPS
    three_rows, two_rows = frames_of(loop.path)[0], frames_of(three.path)[0]
    assert three_rows.shape[0] > two_rows.shape[0] and three_rows.shape[1] == two_rows.shape[1]


def test_an_attention_film_shows_each_picture_and_where_it_looks(trained, tmp_path):
    plain = interpolate(trained, seeds="3,8", frames=3, size=32, out=tmp_path / "plain.apng")
    looked = interpolate(trained, seeds="3,8", frames=3, size=32, at=[(4, 5)], out=tmp_path / "attention.apng")
    assert looked.frames == plain.frames == 4
    assert frames_of(looked.path)[0].shape[1] > 2 * frames_of(plain.path)[0].shape[1], "two panels and their gaps"
    with pytest.raises(ConfigError, match=r"^there is no attention layer G.attention@4. There are: G.attention@8.$"):
        interpolate(trained, at=[(4, 5)], layer="G.attention@4", frames=2, size=32, out=tmp_path / "x.gif")
    with pytest.raises(ConfigError, match="^point 16,5 lies outside|^pixel"):
        interpolate(trained, at=[(16, 5)], frames=2, size=32, out=tmp_path / "x.gif")
    assert not (tmp_path / "x.gif").exists()


def test_the_default_is_a_gif(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = interpolate(trained, seeds="0,1", size=16)
    assert result.path.name == "interpolation.gif" and result.frames == FILM_STEPS + 1
    assert io.BytesIO(result.path.read_bytes()).read(3) == b"GIF"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": "5"}, "^one seed leads nowhere"),
        ({"seeds": "0-300", "frames": 24}, "frames were asked for"),
        ({"classes": "cat,dog"}, "^2 classes for 4 seeds"),
        ({"classes": "fish"}, "^there is no class fish"),
        ({"size": 4}, "^size is 4"),
        ({"fps": 0.01}, "fps 0.01"),
        ({"out": "x.avi"}, "cannot be written as .avi"),
        ({"out": "x.png", "at": [(1, 1)]}, "^a strip shows no attention"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(trained, tmp_path, options, words):
    options = options | {"out": tmp_path / options.get("out", "x.gif")}
    with pytest.raises(ConfigError, match=words):
        interpolate(trained, **options)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    for step, level in ((0, 10), (50, 120), (100, 240)):
        Image.new("RGB", (40, 30), (level, level, level)).save(folder / "samples" / f"step-{step:08d}.png")
    Image.new("RGB", (40, 30)).save(folder / "samples" / "reals.png")
    return folder


def test_a_timelapse_shows_the_grids_in_order_and_rests_on_the_last(run, tmp_path):
    result = timelapse(run, fps=4, out=tmp_path / "lapse.apng")
    frames = frames_of(result.path)
    assert result.grids == 3
    assert [int(frame[-1, -1, 0]) for frame in frames[:3]] == [10, 120, 240]
    with Image.open(result.path) as film:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert sum(durations) == pytest.approx(1000 * (3 / 4 + 2), abs=10), "two seconds longer than its three grids"


def test_a_timelapse_keeps_the_first_and_the_last(run, tmp_path):
    result = timelapse(run, most=2, out=tmp_path / "lapse.apng")
    assert result.grids == 2
    assert [int(frame[-1, -1, 0]) for frame in frames_of(result.path)][:2] == [10, 240]


def test_a_folder_without_grids_and_a_damaged_grid_are_told(run, tmp_path):
    with pytest.raises(CheckpointMissing, match="there are no grids of pictures here"):
        timelapse(tmp_path / "nothing")
    path = run / "samples" / "step-00000050.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="this grid is damaged"):
        timelapse(run, out=tmp_path / "x.gif")
