from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import sagan
from sagan.checkpoint.folder import step_folder
from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
from sagan.errors import ConfigError, DataError
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.runtime import choose_runtime
from sagan.sampling import draw, draw_labels, draw_latents
from sagan.workflows.attend import attend, attention_weights, class_number
from sagan.workflows.openers import open_both, open_generator

LAYER = "G.attention@8"
PANEL, GAP = 256, 12  # what a panel of a 16x16 picture measures, and the space around it


def arrays_of(result):
    with np.load(result.paths[1], allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def weights_of_seed(run, seed, label):
    """All rows of the layer for a seed, by the public function: (8, 8, 4, 4)."""
    generator = open_generator(run, device="cpu").generator
    latents = torch.from_numpy(draw_latents([seed], 12))
    return attention_weights(generator, latents, torch.tensor([label]))[LAYER][0].numpy()


def test_places_land_on_their_queries(trained, tmp_path):
    """Pixel (13, 2) of 16 lies in row 1, column 6 of the 8x8 map, and so on."""
    result = attend(trained, seed=7, label="boats", at=[(13, 2), (0, 15), (4, 9)], out=tmp_path / "a.png", device="cpu")
    arrays, every = arrays_of(result), weights_of_seed(trained, 7, 1)
    expected = np.stack([every[1, 6], every[7, 0], every[4, 2]])
    assert not np.allclose(every[1, 6], every[6, 1], atol=1e-4), "x and y swapped would show"
    np.testing.assert_allclose(arrays[f"{LAYER}/maps"], expected, atol=1e-6)
    assert arrays[f"{LAYER}/points"].tolist() == [[13, 2], [0, 15], [4, 9]]
    drawn = draw(open_generator(trained, device="cpu").generator, [7], [1])[0]
    assert np.abs(arrays["picture"].astype(int) - drawn).max() <= 1, "another batch size may round differently"
    assert result.lines[0].startswith(f"{LAYER}: gamma ") and result.lines[0].endswith("points 13,2 0,15 4,9")


def test_the_label_defaults_to_the_one_the_seed_draws(trained, tmp_path):
    arrays = arrays_of(attend(trained, seed=3, at=[(5, 5)], out=tmp_path / "a.png", device="cpu"))
    every = weights_of_seed(trained, 3, int(draw_labels([3], 2)[0]))
    np.testing.assert_allclose(arrays[f"{LAYER}/maps"][0], every[2, 2], atol=1e-6)


@pytest.mark.parametrize("points", [2, 5])
def test_picked_points_are_always_the_same_and_the_figure_has_a_panel_each(trained, tmp_path, points):
    results = [attend(trained, points=points, out=tmp_path / f"{n}.png", device="cpu") for n in (1, 2)]
    first, second = (arrays_of(result) for result in results)
    assert first.keys() == second.keys() == {"picture", f"{LAYER}/points", f"{LAYER}/maps", f"{LAYER}/gamma"}
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert results[0].paths[0].read_bytes() == results[1].paths[0].read_bytes()
    assert len({tuple(point) for point in first[f"{LAYER}/points"].tolist()}) == points
    maps = first[f"{LAYER}/maps"]
    assert maps.shape == (points, 4, 4) and maps.min() >= 0
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1.0, atol=1e-5)
    with Image.open(results[0].paths[0]) as figure:
        assert figure.width == GAP + (points + 1) * (PANEL + GAP)
        assert PANEL + 2 * GAP < figure.height < 2 * PANEL


def test_the_discriminator_on_a_real_picture(trained, photos, tmp_path):
    picture = photos / "boats" / "01.png"
    result = attend(trained, image=picture, label="boats", at=[(3, 12)], out=tmp_path / "d.png", device="cpu")
    arrays = arrays_of(result)
    _, discriminator = open_both(trained, runtime=choose_runtime("cpu"))
    signal = torch.from_numpy(arrays["picture"]).permute(2, 0, 1)[None].float() / 127.5 - 1
    every = attention_weights(discriminator, signal, torch.tensor([1]))["D.attention@8"][0]
    np.testing.assert_allclose(arrays["D.attention@8/maps"][0], every[6, 1].numpy(), atol=1e-6)
    with Image.open(picture) as image:  # 21 x 19: the square of 19 from the centre, reduced
        whole = np.asarray(image.crop((1, 0, 20, 19)), dtype=float).mean()
    assert abs(arrays["picture"].mean() - whole) < 3
    assert result.lines[0].startswith("D.attention@8")


def test_a_real_picture_is_made_square_as_in_training(own_run, photos, tmp_path):
    """Expected: Pillow's own stretching to the square, which crops nothing."""
    record = own_run / "run.toml"
    record.write_text(record.read_text().replace('fit = "crop"', 'fit = "stretch"'))
    picture = tmp_path / "half.png"
    pixels = np.zeros((16, 64, 3), dtype=np.uint8)
    pixels[:, :16] = 255
    Image.fromarray(pixels).save(picture)  # its centre is black: only a stretched one shows the white quarter
    result = attend(own_run, image=picture, label="boats", out=tmp_path / "d.png", device="cpu")
    assert abs(arrays_of(result)["picture"].mean() - 255 / 4) < 3


@pytest.fixture
def several_layers(tmp_path):
    """A generator file with attention at 8 and at 16."""
    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12, g_attn=(8, 16), d_attn=())
    path = tmp_path / "several.safetensors"
    save_generator(path, build_generator(model, seed=3).state_dict(), GeneratorRecord(model=model, step=0))
    return path


def test_layers_are_rows_and_can_be_chosen(several_layers, tmp_path):
    both = attend(several_layers, points=2, out=tmp_path / "both.png", device="cpu")
    one = attend(several_layers, points=2, layers=["G.attention@16"], out=tmp_path / "one.png", device="cpu")
    assert [line.split(":")[0] for line in both.lines] == ["G.attention@8", "G.attention@16"]
    assert [line.split(":")[0] for line in one.lines] == ["G.attention@16"]
    with Image.open(both.paths[0]) as high, Image.open(one.paths[0]) as low:
        assert high.width == low.width and high.height > low.height + PANEL
    assert arrays_of(one)["G.attention@16/maps"].shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["G.attention@32"]}, "there is no layer G.attention@32. There are: G.attention@8."),
        ({"label": "cat"}, "there is no class cat. There are: barns, boats; or numbers from 0 to 1."),
        ({"at": [(16, 0)]}, "point 16,0 lies outside the 16x16 picture. Points are pixels X,Y .* 0 to 15."),
        ({"points": 99}, "99 points asked for, but a 8x8 map has 36 to choose from"),
        ({"out": "figure.npz"}, "figure.npz: the figure is written as png. Name it figure.png"),
    ],
)
def test_wrong_names_and_places_name_the_choices(trained, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    if "out" in options:
        options = {"out": tmp_path / options["out"]}
    with pytest.raises(ConfigError, match=message):
        attend(trained, device="cpu", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_attention(tmp_path):
    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12, g_attn=(), d_attn=())
    path = tmp_path / "plain.safetensors"
    save_generator(path, build_generator(model).state_dict(), GeneratorRecord(model=model, step=0))
    with pytest.raises(ConfigError, match="no attention layer. Train one with --g-attn"):
        attend(path, device="cpu")


def test_a_label_for_a_network_without_classes(several_layers, tmp_path):
    with pytest.raises(ConfigError, match="^this generator has no classes. Leave out the label.$"):
        attend(several_layers, label="0", out=tmp_path / "a.png", device="cpu")


def test_a_picture_needs_a_discriminator_and_must_be_one(trained, photos, tmp_path):
    file = step_folder(trained, 5) / "generator.safetensors"
    with pytest.raises(ConfigError, match="this file holds no discriminator"):
        attend(file, image=photos / "boats" / "01.png", device="cpu")
    with pytest.raises(DataError, match="none.png: there is no such picture"):
        attend(trained, image=tmp_path / "none.png", device="cpu")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="broken.png: this picture .*Use a JPEG, PNG, WebP or BMP file."):
        attend(trained, image=tmp_path / "broken.png", device="cpu")


def test_attention_weights_in_public(trained):
    opened = sagan.open_generator(trained, device="cpu")
    latents, labels = torch.randn(3, 12, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1])
    before = {name: tensor.clone() for name, tensor in opened.generator.state_dict().items()}
    maps = sagan.attention_weights(opened.generator, latents, labels)
    assert maps.keys() == {LAYER} and maps[LAYER].shape == (3, 8, 8, 4, 4) and maps[LAYER].dtype == torch.float32
    torch.testing.assert_close(maps[LAYER].sum(dim=(3, 4)), torch.ones(3, 8, 8), atol=1e-5, rtol=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in opened.generator.state_dict().items())
    assert not opened.generator.attention["8"]._forward_pre_hooks
    with pytest.raises(ConfigError, match="training mode. Call eval"):
        sagan.attention_weights(build_generator(opened.record.model, 2).train(), latents, labels)


@pytest.mark.parametrize(
    ("word", "classes", "number"), [("b", ("a", "b"), 1), ("0", ("a", "b"), 0), ("0", ("1", "0"), 1), ("7", ("7",), 0)]
)
def test_a_class_by_name_or_number_and_the_name_wins(word, classes, number):
    assert class_number(word, classes) == number


def test_many_classes_are_not_all_listed():
    with pytest.raises(ConfigError, match="c0, .*c11, ...; or numbers from 0 to 29.$"):
        class_number("x", [f"c{number}" for number in range(30)])
