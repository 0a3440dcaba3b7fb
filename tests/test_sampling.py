from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.errors import ConfigError
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig
from sagan.randomness import Stream, normal
from sagan.sampling import INNER_BATCH, MIN_TRUNCATION, draw, draw_labels, draw_latents, to_pixels

SIZES = ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12)


@pytest.fixture(scope="module")
def generator():
    made = build_generator(SIZES, classes=3, seed=1)
    with torch.no_grad():
        made.attention["8"].gamma.fill_(0.8)
        random = torch.Generator().manual_seed(0)
        for name, table in made.named_parameters():
            if name.endswith(("gain", "bias")) and table.ndim == 2:
                table.add_(torch.randn(table.shape, generator=random))
    return made.eval()


def test_one_seed_is_one_picture_in_any_batch_and_order(generator):
    seeds = [5, 0, 2**63 - 1, *range(100, 100 + INNER_BATCH), 7]
    together = draw(generator, seeds)
    assert together.shape == (20, 16, 16, 3) and together.dtype == np.uint8
    for place, seed in enumerate(seeds):
        assert np.array_equal(draw(generator, [seed])[0], together[place]), seed
    assert np.array_equal(draw(generator, seeds[::-1]), together[::-1])
    assert len({picture.tobytes() for picture in together}) == 20


def test_a_seed_means_the_latent_of_the_streams(generator):
    latents, labels = draw_latents([9], 12), draw_labels([9], 3)
    assert np.array_equal(latents[0], normal(9, Stream.LATENT, 0, 12))
    by_hand = generator(torch.from_numpy(latents).repeat(16, 1), torch.full((16,), int(labels[0])))[0].detach()
    expected = np.clip(np.rint((by_hand.permute(1, 2, 0).numpy() + 1) * 127.5), 0, 255)
    assert np.abs(draw(generator, [9])[0] - expected).max() <= 1


def test_labels_choose_the_class_and_default_to_the_seeds(generator):
    seeds = list(range(6))
    assert np.array_equal(draw(generator, seeds), draw(generator, seeds, draw_labels(seeds, 3).tolist()))
    first, second = draw(generator, [4, 4], [0, 2])
    assert not np.array_equal(first, second)
    assert set(draw_labels(range(60), 3).tolist()) == {0, 1, 2}
    assert draw_labels(range(5), 0).tolist() == [0] * 5


def test_truncation_is_off_by_default_and_bounds_every_value():
    seeds = range(300)
    plain = draw_latents(seeds, 12)
    assert np.abs(plain).max() > 3
    for bound in (MIN_TRUNCATION, 0.7, 2.0):
        cut = draw_latents(seeds, 12, bound)
        assert np.abs(cut).max() <= bound
        inside = np.abs(plain) <= bound
        assert np.array_equal(cut[inside], plain[inside]), "only what lies outside is drawn again"
        assert (np.abs(cut) == bound).mean() < 0.001, "drawn again, not clipped"
    assert np.array_equal(draw_latents(seeds, 12, 0.0), plain)
    assert np.array_equal(draw_latents([17], 12, 0.7)[0], draw_latents(seeds, 12, 0.7)[17])


def test_truncation_reaches_the_pictures(generator):
    assert not np.array_equal(draw(generator, [3]), draw(generator, [3], truncation=0.5))


@pytest.mark.parametrize("bound", [0.1, 1e-9, -1.0])
def test_a_bound_that_leaves_nothing_is_refused(generator, bound):
    with pytest.raises(ConfigError, match="^trunc is .* Use at least 0.2, or 0 for no truncation.$"):
        draw(generator, [0], truncation=bound)


def test_a_generator_in_training_mode_is_refused(generator):
    with pytest.raises(ConfigError, match="training mode. Call generator.eval"):
        draw(build_generator(SIZES).train(), [0])


@pytest.mark.parametrize(
    ("seeds", "labels", "message"),
    [
        ([0, 1], [0, 3], "a label is outside 0 to 2. The generator has 3 classes."),
        ([0], [-1], "a label is outside 0 to 2"),
        ([0, 1], [0], "1 labels for 2 seeds. Give one label for each seed."),
        ([-1], None, "a seed is -1. Seeds are whole numbers from 0"),
        ([0, 2**63], None, "a seed is 9223372036854775808"),
    ],
)
def test_what_cannot_be_drawn_is_refused(generator, seeds, labels, message):
    with pytest.raises(ConfigError, match=message):
        draw(generator, seeds, labels)


def test_without_classes():
    plain = build_generator(SIZES).eval()
    assert draw(plain, range(3)).shape == (3, 16, 16, 3)
    with pytest.raises(ConfigError, match="The generator has no classes."):
        draw(plain, [0], [1])


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_have_the_generators_channels(channels):
    made = build_generator(SIZES.model_copy(update={"channels": channels}), seed=1).eval()
    assert draw(made, range(2)).shape == (2, 16, 16, channels)
    assert draw(made, []).shape == (0, 16, 16, channels)


def test_nothing_asked_nothing_drawn(generator):
    assert draw(generator, []).shape == (0, 16, 16, 3)


def test_levels_are_rounded_to_the_nearest():
    values = torch.tensor([-1.0, -0.996, 0.0, 0.999, 1.0, 1.5]).view(1, 1, 2, 3).expand(1, 3, 2, 3)
    pixels = to_pixels(values)
    assert pixels.shape == (1, 2, 3, 3)
    assert pixels[0, :, :, 1].ravel().tolist() == [0, 1, 128, 255, 255, 255]
