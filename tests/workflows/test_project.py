from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sagan.errors import ConfigError, DataError
from sagan.latents.files import load_latents
from sagan.sampling import draw
from sagan.workflows.project import _starts, project
from sagan.workflows.sample import sample


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """Machines with bf16 units would round otherwise."""
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="module")
def own(tmp_path_factory, like_trained):
    """A generator of varied pictures, and one of them as a file: seed 900, class owl."""
    from sagan.checkpoint.generator_file import GeneratorRecord, save_generator
    from sagan.models.config import ModelConfig

    model = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=8, g_attn=(8,))
    folder = tmp_path_factory.mktemp("own")
    generator = like_trained(model, 3)
    save_generator(
        folder / "g.safetensors",
        generator.state_dict(),
        GeneratorRecord(model=model, classes=("cat", "dog", "owl"), step=3),
    )
    Image.fromarray(draw(generator, [900], [2])[0]).save(folder / "picture.png")
    return folder / "g.safetensors", folder / "picture.png"


def test_a_drawn_picture_is_found_again_with_its_class(own, tmp_path):
    """users.md, item 31: above 30 dB."""
    source, picture = own
    result = project(source, picture, out=tmp_path / "p.png", search=60, starts=3, steps=60, device="cpu")
    assert 20 * np.log10(255 / result.rms) > 30 and result.rms < result.random_rms / 3
    assert result.label == 2 and dict(result.rows)["class"] == "owl, the best of 3 tried"
    assert "not usually reached" in result.notes[-1]
    stored = load_latents(tmp_path / "p.safetensors")
    assert stored.labels.tolist() == [2] and np.array_equal(stored.latents[0], result.latent)
    sample(source, latents=tmp_path / "p.safetensors", format="npz", out=tmp_path / "again.npz", device="cpu")
    again = np.load(tmp_path / "again.npz")["pictures"][0].astype(float)
    with Image.open(picture) as image:
        rms = np.sqrt(np.square(again - np.asarray(image)).mean())
    assert rms == pytest.approx(result.rms, rel=1e-6), "what is told is what the file draws"
    with Image.open(tmp_path / "p.png") as figure:
        assert figure.width > 4 * 16 * 12


@pytest.mark.nightly
def test_the_class_that_was_asked_for_is_kept(own, tmp_path):
    source, picture = own
    result = project(source, picture, label="cat", search=20, starts=2, steps=3, out=tmp_path / "p.png", device="cpu")
    assert result.label == 0 and dict(result.rows)["class"] == "cat, as asked"
    again = project(source, picture, label="cat", search=20, starts=2, steps=3, out=tmp_path / "q.png", device="cpu")
    assert np.array_equal(result.latent, again.latent)
    more = project(source, picture, label="cat", search=20, starts=2, steps=9, out=tmp_path / "r.png", device="cpu")
    assert not np.array_equal(result.latent, more.latent)


def test_starts_take_each_class_in_turn():
    distances = np.array([5.0, 1, 2, 3, 9, 8])
    labels = np.array([0, 1, 1, 1, 2, 2])
    assert _starts(distances, labels, 4).tolist() == [1, 0, 5, 2]
    assert _starts(distances, np.zeros(6, int), 3).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"label": "cow"}, ConfigError, "there is no class cow"),
        ({"starts": 0}, ConfigError, "^0 starts of 1000 random pictures, 300 steps"),
        ({"starts": 9, "search": 8}, ConfigError, "at most as many as random pictures"),
        ({"picture": "none.png"}, DataError, "there is no such picture"),
        ({"out": "x.gif"}, ConfigError, "the figure is written as png"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(own, tmp_path, options, error, line):
    source, picture = own
    words = {"out": tmp_path / options.pop("out", "p.png")}
    with pytest.raises(error, match=line):
        project(source, tmp_path / options.pop("picture", picture), device="cpu", **words, **options)
    assert not list(tmp_path.iterdir())


def test_pictures_of_four_and_of_one_channel_have_features():
    import torch

    from sagan.metrics.offline import differentiable_features, offline_features

    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    np.testing.assert_allclose(differentiable_features(x).numpy(), offline_features()(pixels), rtol=1e-4, atol=1e-5)
    grey = x[:, :1]
    assert torch.equal(differentiable_features(grey), differentiable_features(grey.expand(-1, 3, -1, -1)))
    opaque = torch.cat([x, torch.ones_like(grey)], dim=1)
    torch.testing.assert_close(differentiable_features(opaque), differentiable_features(x))
    clear = torch.cat([x, -torch.ones_like(grey)], dim=1)
    torch.testing.assert_close(differentiable_features(clear), differentiable_features(torch.ones_like(x)))
    large = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    assert differentiable_features(large).shape == (2, 256)
