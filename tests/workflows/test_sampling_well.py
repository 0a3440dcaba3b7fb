"""Liked seeds, mixtures, standing statistics and rejection: what `sagan sample` does beyond seeds and classes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from sagan.checkpoint.folder import step_folder
from sagan.engines import fold
from sagan.errors import ConfigError
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_discriminator
from sagan.models.config import ModelConfig
from sagan.sampling import draw, draw_labels, draw_latents
from sagan.workflows.mixing import name_of_mix, read_mix
from sagan.workflows.openers import open_both, open_generator
from sagan.workflows.rejection import best_of, drawn_for, judge, judge_mixed
from sagan.workflows.sample import sample
from sagan.workflows.seeds import read_liked
from sagan.workflows.standing import FIRST_SEED, Standing, read_statistics, with_standing_statistics
from sagan.workflows.walking import blend_classes


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """Machines with bf16 units would round otherwise."""
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


@pytest.fixture(scope="module")
def small(like_trained):
    return like_trained(ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12, g_attn=(8,), d_attn=()), classes=3)


def arrays(source, out, **options):
    sample(source, format="npz", out=out, device="cpu", **options)
    with np.load(out, allow_pickle=False) as found:
        return dict(found)


# A list of liked seeds ---------------------------------------------------------------------------------------------------


def test_a_list_gives_seeds_classes_and_truncations(trained, tmp_path):
    path = tmp_path / "liked.txt"
    path.write_text("8\tboats\t0.5\n2\tbarns\n5\n")
    found = arrays(trained, tmp_path / "x.npz", seeds_from=path)
    drawn_label = int(draw_labels([5], 2)[0])
    assert found["seeds"].tolist() == [8, 2, 5] and found["labels"].tolist() == [1, 0, drawn_label]
    assert found["truncations"].tolist() == [0.5, 0, 0]
    generator = open_generator(trained, device="cpu").generator
    cut = draw(generator, [8], [1], truncation=0.5, engine=fold(generator))
    free = draw(generator, [2, 5], [0, drawn_label], engine=fold(generator))
    assert np.array_equal(found["pictures"], np.concatenate([cut, free]))


def test_the_command_line_wins_over_the_list(trained, tmp_path):
    path = tmp_path / "liked.txt"
    path.write_text("8\tboats\t0.5\n2\tboats\t0.5\n")
    found = arrays(trained, tmp_path / "x.npz", seeds_from=path, classes="barns", trunc=1.5)
    assert found["labels"].tolist() == [0, 0] and found["truncations"].tolist() == [1.5, 1.5]


def test_a_list_for_other_classes_is_refused(trained, tmp_path):
    path = tmp_path / "liked.txt"
    path.write_text("8\tcat\n")
    with pytest.raises(ConfigError, match="there is no class cat"):
        sample(trained, seeds_from=path, out=tmp_path / "x.png", device="cpu")
    with pytest.raises(ConfigError, match="^seeds and seeds-from are both given. Leave out one of them.$"):
        sample(trained, seeds="1", seeds_from=path, out=tmp_path / "x.png", device="cpu")
    assert not (tmp_path / "x.png").exists()


# Mixtures ----------------------------------------------------------------------------------------------------------------


def test_mixtures_in_words():
    names = ("cat", "dog", "a:b", "owl")
    assert read_mix("cat:2,dog:1", names).tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert read_mix("owl, a:b", names).tolist() == [0, 0, 0.5, 0.5]
    assert read_mix("a:b:3,3:.75,1:.25", names).tolist() == pytest.approx([0, 0.0625, 0.75, 0.1875])
    assert name_of_mix(read_mix("cat:2,dog:1", names), names) == "cat 67 %, dog 33 %"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("cat:x", "mix has 'cat:x', and a part is a number above 0"),
        ("cat:0,dog", "mix has 'cat:0'"),
        ("cat:-1,dog", "mix has 'cat:-1'"),
        ("cat,0", "mix names cat twice"),
        ("cow,cat", "there is no class cow"),
    ],
)
def test_what_is_no_mixture(words, line):
    with pytest.raises(ConfigError, match=f"^{line}"):
        read_mix(words, ("cat", "dog"))


def test_a_mixture_is_drawn_with_mixed_tables(trained, tmp_path):
    found = arrays(trained, tmp_path / "x.npz", n=3, mix="boats:3,barns")
    assert found["labels"].tolist() == [-1] * 3 and found["mix"].tolist() == [0.25, 0.75]
    generator = blend_classes(open_generator(trained, device="cpu").generator, np.array([[0.25, 0.75]], np.float32))
    assert np.array_equal(found["pictures"], draw(generator, range(3), [0] * 3, engine=fold(generator)))
    whole = arrays(trained, tmp_path / "whole.npz", n=3, mix="boats")
    boats = arrays(trained, tmp_path / "boats.npz", n=3, classes="boats")
    assert np.abs(whole["pictures"].astype(int) - boats["pictures"]).max() <= 1
    result = sample(trained, n=1, mix="boats,barns", format="png", out=tmp_path / "folder", device="cpu")
    assert [path.name for path in result.paths] == ["seed-0000000-barns_50_boats_50_.png"]
    with pytest.raises(ConfigError, match="^classes and mix are both given"):
        sample(trained, classes="boats", mix="boats", out=tmp_path / "x.png", device="cpu")


# Standing statistics -----------------------------------------------------------------------------------------------------


def test_statistics_in_words():
    assert read_statistics("running") is None
    assert read_statistics("standing") == Standing() and read_statistics("standing:4x32") == Standing(4, 32)
    for words in ("standing:0x8", "standing:4x1", "batch", "standing:4", "standing:9999x8"):
        with pytest.raises(ConfigError, match="^stats is .* Write running, standing, or standing:16x64"):
            read_statistics(words)


def test_standing_statistics_are_the_means_over_the_batches(small):
    """The first batch norm sees the stem's map, which no statistics touch: so its own can be worked out by hand."""
    policy = Standing(batches=3, size=8)
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    made = with_standing_statistics(small, policy, truncation=0.8)
    latents = draw_latents(range(FIRST_SEED, FIRST_SEED + 24), small.z_dim, 0.8)
    with torch.no_grad():
        maps = small.stem(torch.from_numpy(latents)).unflatten(1, (-1, 4, 4)).double().unflatten(0, (3, 8))
    first = made.blocks[0].norm1
    torch.testing.assert_close(first.running_mean.double(), maps.mean((0, 1, 3, 4)), rtol=1e-4, atol=1e-5)
    per_batch = maps.transpose(1, 2).flatten(2).var(2)  # (3, C), each over its own batch
    torch.testing.assert_close(first.running_var.double(), per_batch.mean(0), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.state_dict().items())
    assert not made.training and not small.training
    again = with_standing_statistics(small, policy, truncation=0.8).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in made.state_dict().items())


@pytest.mark.nightly
def test_the_policy_and_the_truncation_move_the_pictures(trained, tmp_path):
    options = {"running": {}, "small": {"stats": "standing:2x8"}, "large": {"stats": "standing:3x8"}}
    drawn = {name: arrays(trained, tmp_path / f"{name}.npz", n=3, **more)["pictures"] for name, more in options.items()}
    assert not np.array_equal(drawn["running"], drawn["small"]) and not np.array_equal(drawn["small"], drawn["large"])
    generator = with_standing_statistics(open_generator(trained, device="cpu").generator, Standing(2, 8))
    assert np.array_equal(drawn["small"], draw(generator, range(3), engine=fold(generator)))
    assert sum(isinstance(module, BatchNorm2d) for module in generator.modules()) > 2


# Rejection ---------------------------------------------------------------------------------------------------------------


def test_the_best_of_each_class_are_kept():
    logits = np.array([5.0, 1.0, 9.0, 4.0, -3.0, -1.0, -2.0, -4.0])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert best_of(logits, labels, 4).tolist() == [0, 2, 5, 6], (
        "two of each class, although all of class 0 score higher"
    )
    assert best_of(logits, labels, 8).tolist() == list(range(8))
    assert best_of(logits, np.zeros(8, int), 3).tolist() == [0, 2, 3]
    assert best_of(np.zeros(5), np.zeros(5, int), 2).tolist() == [0, 1], "among equals the first"


def test_how_many_are_drawn():
    assert [drawn_for(64, share) for share in (1, 0.25, 0.1, 0.3)] == [64, 256, 640, 214]
    for share in (0, -0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="^keep-best is"):
            drawn_for(64, share)


def test_logits_are_the_discriminators_and_do_not_depend_on_the_company():
    discriminator = build_discriminator(ModelConfig(resolution=16, g_ch=16, d_ch=16, z_dim=12), 3, seed=2).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (19, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(19) % 3
    found = judge(discriminator, pictures, labels)
    signal = torch.from_numpy(pictures).permute(0, 3, 1, 2).double() / 127.5 - 1
    with torch.no_grad():
        expected = discriminator.double()(signal, torch.from_numpy(labels)).numpy()
        discriminator.float()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(expected) > 0.01
    assert np.array_equal(judge(discriminator, pictures[3:8], labels[3:8]), found[3:8])
    mixed = judge_mixed(discriminator, pictures, np.array([0.5, 0, 0.5], np.float32))
    ends = [judge(discriminator, pictures, np.full(19, label)) for label in (0, 2)]
    np.testing.assert_allclose(mixed, (ends[0] + ends[1]) / 2, rtol=1e-6)


def test_the_kept_are_the_best_and_the_list_draws_them_again(trained, tmp_path):
    result = sample(trained, n=4, keep_best=0.25, format="npz", out=tmp_path / "best.npz", device="cpu")
    assert [path.name for path in result.paths] == ["best.npz", "best.seeds.txt"] and result.count == 4
    assert "4 of 16 pictures kept" in result.warnings[-1] and "differ less" in result.warnings[-1]
    found = dict(np.load(tmp_path / "best.npz"))
    everything = arrays(trained, tmp_path / "all.npz", n=16)
    _, discriminator = open_both(trained)
    logits = judge(discriminator, everything["pictures"], everything["labels"])
    best = best_of(logits, everything["labels"], 4)
    assert found["seeds"].tolist() == best.tolist() and np.array_equal(found["pictures"], everything["pictures"][best])
    assert np.array_equal(found["logits"], logits[best])
    liked = read_liked(tmp_path / "best.seeds.txt")
    assert [one.note for one in liked] == [f"{logit:.4f}" for logit in logits[best]]
    again = arrays(trained, tmp_path / "again.npz", seeds_from=tmp_path / "best.seeds.txt")
    assert all(np.array_equal(again[name], found[name]) for name in ("pictures", "seeds", "labels"))


def test_named_seeds_are_chosen_from_and_single_pictures_have_their_list(trained, tmp_path):
    options = {"seeds": "20-31", "keep_best": 0.5, "mix": "boats,barns", "stats": "standing:2x8"}
    result = sample(trained, format="png", out=tmp_path / "folder", device="cpu", **options)
    assert result.count == 6 and result.paths[-1] == tmp_path / "folder" / "seeds.txt"
    seeds = [int(path.name[5:12]) for path in result.paths[:-1]]
    assert len(set(seeds)) == 6 and set(seeds) < set(range(20, 32))
    assert "--mix boats,barns --stats standing:2x8" in result.paths[-1].read_text()
    assert [one.seed for one in read_liked(result.paths[-1])] == seeds


def test_rejection_needs_the_discriminator(trained, tmp_path):
    alone = tmp_path / "alone.safetensors"
    shutil.copy(step_folder(trained, 5) / "generator.safetensors", alone)
    with pytest.raises(ConfigError, match="keep-best needs the discriminator, which is not in this file. Name the run"):
        sample(alone, n=4, keep_best=0.5, out=tmp_path / "x.png", device="cpu")
    assert not (tmp_path / "x.png").exists()
