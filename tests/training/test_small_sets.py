"""Augmentation and regularisers in the update: each changes the run, remembers, resumes, and is not there unless asked for."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from torch import nn

from sagan.checkpoint.tensors import unpack_bytes
from sagan.config import build
from sagan.data.batches import Batch
from sagan.errors import CheckpointIncompatible, ConfigError
from sagan.randomness import Stream
from sagan.training.augmentation import moved, shown
from sagan.training.config import AUGMENT_KINDS, LOSS_NAMES, TrainingConfig
from sagan.training.guard import LastGood
from sagan.training.memory import remember, starting_memory
from sagan.training.selection import generator_loss, share_kept
from sagan.training.state import OPTIMISER, RunState, restore, state_files
from sagan.training.step import train_step, update_discriminator, update_generator

ADAPTIVE = {"augment": "adaptive", "aug_p": 0.4, "aug_kimg": 0.1}
PARTS = {
    "diffaugment": {"augment": "diffaugment"},
    "adaptive": ADAPTIVE,
    "fixed": ADAPTIVE | {"aug_kimg": 0.0},
    "lecam": {"lecam": 0.3},
    "consistency": {"cr": 10.0},
    "balanced consistency": {"cr": 10.0, "cr_fake": 10.0},
    "top-k": {"topk": 0.5, "topk_kimg": 0.03},
    "lazy R1": {"r1": 1.0, "penalty_every": 2},
    "all": ADAPTIVE | {"lecam": 0.3, "cr": 1.0, "cr_fake": 1.0, "topk": 0.5, "topk_kimg": 0.0, "r1": 1.0},
}
# Each differs from the options before it in one; the run must notice.
STEPS_OF_OPTIONS = [
    ({}, {"augment": "diffaugment"}),
    ({"augment": "diffaugment"}, {"aug_kinds": "colour"}),
    ({}, {"augment": "adaptive", "aug_p": 0.4}),
    (ADAPTIVE, {"aug_p": 0.5}),
    (ADAPTIVE, {"aug_target": -0.9}),
    (ADAPTIVE, {"aug_kimg": 0.03}),
    (ADAPTIVE, {"aug_kinds": "blit,colour"}),
    ({}, {"lecam": 0.3}),
    ({"lecam": 0.3}, {"lecam": 0.1}),
    ({"lecam": 0.3}, {"lecam_decay": 0.5}),
    ({}, {"cr": 10.0}),
    ({"cr": 10.0}, {"cr_fake": 10.0}),
    ({}, {"topk": 0.5, "topk_kimg": 0.0}),
    ({"topk": 0.5, "topk_kimg": 0.0}, {"topk": 0.2}),
    ({"topk": 0.5, "topk_kimg": 0.0}, {"topk_kimg": 0.03}),
]


def play(game, batches, steps):
    for batch in islice(batches, steps):
        train_step(game, iter([batch]))
    return game


def checkpoint(game):
    state = RunState(
        step=game.step,
        critic_updates=game.critic_updates,
        position=game.images,
        seconds=1.5,
        data_fingerprint="f" * 64,
        environment={"threads": 1},
    )
    return state_files(game, state), {name: tensor.clone() for name, tensor in game.averaged.model.state_dict().items()}


@pytest.mark.parametrize(
    ("before", "change"), STEPS_OF_OPTIONS, ids=["+".join(change) for _, change in STEPS_OF_OPTIONS]
)
def test_every_option_changes_the_run(make_game, batches, whole_state, differing, before, change):
    plain, other = (play(make_game(**options), batches(), 3) for options in (before, before | change))
    ours, theirs = whole_state(plain), whole_state(other)
    shared = ours.keys() & theirs.keys()
    assert differing({name: ours[name] for name in shared}, {name: theirs[name] for name in shared}) != []


@pytest.mark.parametrize("part", PARTS)
def test_a_restored_game_goes_on_bit_for_bit(make_game, batches, whole_state, differing, part):
    game = play(make_game(n_dis=1, **PARTS[part]), batches(), 3)
    files, averaged = checkpoint(game)
    expected = whole_state(play(game, batches(3), 2))
    again = make_game(**PARTS[part])
    restore(again, files, averaged, "here")
    assert differing(whole_state(play(again, batches(3), 2)), expected) == []


@pytest.mark.parametrize("name", ["augment/p", "augment/sign", "lecam/real", "lecam/fake"])
def test_a_lost_memory_is_noticed(make_game, batches, whole_state, differing, name):
    game = play(make_game(**PARTS["all"]), batches(), 3)
    files, averaged = checkpoint(game)
    expected = whole_state(play(game, batches(3), 2))
    again = make_game(**PARTS["all"])
    restore(again, files, averaged, "here")
    again.memory[name].copy_(starting_memory(again.config, again.device)[name] + 0.11)
    assert f"memory.{name}" in differing(whole_state(play(again, batches(3), 2)), expected)


def test_a_checkpoint_without_the_memory_is_refused(make_game, batches):
    files, averaged = checkpoint(play(make_game(), batches(), 1))
    assert not any(name.startswith("memory") for name in unpack_bytes(files[OPTIMISER], "")[0])
    with pytest.raises(CheckpointIncompatible, match="missing .*memory.lecam"):
        restore(make_game(lecam=0.3), files, averaged, "here")


def test_the_speed_of_p_may_change_on_the_way(make_game, batches):
    files, averaged = checkpoint(play(make_game(**ADAPTIVE), batches(), 2))
    for speed in (0.0, 3.0):
        again = make_game(**ADAPTIVE | {"aug_kimg": speed})
        restore(again, files, averaged, "here")
        before = again.memory["augment/p"].item()
        play(again, batches(2), 1)
        assert (again.memory["augment/p"].item() == before) is (speed == 0.0)


def test_going_back_takes_the_memory_along(make_game, batches):
    game = play(make_game(**PARTS["all"]), batches(), 2)
    before = {name: tensor.clone() for name, tensor in game.memory.items()}
    kept = LastGood(game)
    play(game, batches(2), 1)
    assert any(not torch.equal(game.memory[name], before[name]) for name in before)
    kept.go_back(game, 3)
    assert all(torch.equal(game.memory[name], before[name]) for name in before)


def test_what_is_remembered_is_reported(make_game, batches):
    report = train_step(make_game(**PARTS["all"]), batches())
    assert report.keys() == {
        *("loss/discriminator", "loss/generator", "loss/penalty", "loss/lecam", "loss/consistency"),
        *("logit/real", "logit/fake", "augment/p", "augment/sign", "lecam/real", "lecam/fake"),
    }
    assert report["lecam/real"] == report["logit/real"], "the first averages are the first values"


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_every_part_works_with_every_loss_where_it_makes_sense(make_game, batches, loss):
    options = {**PARTS["all"], **({"aug_kimg": 0.0} if loss == "wasserstein" else {})}
    report = train_step(make_game(loss=loss, **options), batches())
    assert all(math.isfinite(value) for value in report.values())


@pytest.mark.parametrize("options", [{"d_norm": "batch"}, {"channels": 1}, {"channels": 4}])
def test_every_part_works_with_other_networks_and_pictures(make_game, batches, options):
    parts = {**PARTS["all"], "r1": 0.0}
    game = make_game(model=options, **parts)
    batch = next(batches())
    pixels = batch.pixels.repeat(1, 2, 1, 1)[:, : options.get("channels", 3)]
    report = train_step(game, iter([Batch(pixels, batch.labels, batch.ids)]))
    assert all(math.isfinite(value) for value in report.values())


def test_the_logits_of_a_wasserstein_loss_have_no_sign():
    with pytest.raises(
        ConfigError, match="augment is adaptive, and the logits of the wasserstein loss .* --aug-kimg 0"
    ):
        build({"loss": "wasserstein", "augment": "adaptive"})
    assert TrainingConfig(loss="wasserstein", augment="adaptive", aug_kimg=0).adapts is False


@pytest.mark.parametrize(
    ("augment", "kinds"), [("diffaugment", "color"), ("diffaugment", "blit"), ("adaptive", "cutout"), ("none", "x")]
)
def test_kinds_that_an_augmentation_has_not_are_refused(augment, kinds):
    with pytest.raises(ConfigError, match=f"^aug_kinds is '{kinds}'. With augment {augment}, write some of .*colour"):
        build({"augment": augment, "aug_kinds": kinds})


@pytest.mark.parametrize(("said", "meant"), [("ada", "adaptive"), ("diffaug", "diffaugment"), ("off", "none")])
def test_the_names_of_other_projects_are_understood(said, meant):
    config = TrainingConfig(augment=said)
    assert config.augment == meant and config.kinds == AUGMENT_KINDS[meant]


class Seeing(nn.Module):
    """A discriminator that keeps what it is shown; its logit is the mean of the picture times one weight."""

    classes = 0

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.seen = []

    def forward(self, pictures, labels):
        self.seen.append(pictures.detach().clone())
        return self.weight * pictures.mean(dim=(1, 2, 3))


def with_seeing(game):
    game.discriminator = Seeing()
    game.discriminator_optimiser = torch.optim.SGD(game.discriminator.parameters(), lr=0.1)
    return game


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
@pytest.mark.parametrize("parts", [1, 2])
def test_real_pictures_and_fakes_are_changed_in_both_updates(make_game, batches, loss, parts):
    plain, changing = (
        with_seeing(make_game(loss=loss, augment=augment, grad_accum=parts)) for augment in ("none", "diffaugment")
    )
    batch = next(batches())
    for game in (plain, changing):
        update_discriminator(game, batch)
        update_generator(game, batch)
    assert len(plain.discriminator.seen) == len(changing.discriminator.seen)
    for ours, theirs in zip(plain.discriminator.seen, changing.discriminator.seen, strict=True):
        assert ours.shape == theirs.shape
        same = [torch.equal(one, other) for one, other in zip(ours, theirs, strict=True)]
        assert not any(same), "every picture, real ones and fakes"


def test_gradients_reach_the_generator_through_the_changes(make_game, batches):
    game = make_game(**ADAPTIVE)
    update_generator(game, next(batches()))
    largest = max(float(parameter.grad.abs().max()) for parameter in game.generator.parameters())
    assert largest > 0 and all(parameter.grad is not None for parameter in game.generator.parameters())


def test_changes_belong_to_a_picture_not_to_its_place_in_a_part(make_game):
    game, pictures = make_game(augment="diffaugment"), torch.randn(6, 3, 16, 16)
    ids = game.ids(2, 6)
    whole = shown(game, Stream.AUGMENT_REAL, ids, pictures)
    halves = [shown(game, Stream.AUGMENT_REAL, ids[part], pictures[part]) for part in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close(torch.cat(halves), whole, rtol=0, atol=1e-6)
    assert not torch.equal(shown(game, Stream.AUGMENT_FAKE, ids, pictures), whole)
    assert not torch.equal(shown(game, Stream.AUGMENT_REAL, game.ids(3, 6), pictures), whole)


def test_pictures_in_half_precision_are_changed_in_single(make_game):
    game = make_game(augment="diffaugment")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        after = shown(game, Stream.AUGMENT_REAL, game.ids(0, 6), torch.randn(6, 3, 16, 16).bfloat16())
    assert after.dtype == torch.float32


def test_consistency_moves_pictures_by_at_most_an_eighth(make_game):
    game = make_game(cr=1.0)
    ramp = torch.arange(16.0).view(1, 1, 16, 1).expand(6, 1, 16, 16)
    shifts = {int(8 - picture[0, 8, 8]) for picture in moved(game, game.ids(0, 6), ramp)}
    shifts |= {int(8 - picture[0, 8, 8]) for picture in moved(game, game.ids(1, 6), ramp)}
    assert shifts <= {-2, -1, 0, 1, 2} and len(shifts) >= 3


def adapted(signs, **options):
    """p after updates whose batches had these signs."""
    config = TrainingConfig(batch_size=256, augment="adaptive", **options)
    memory = starting_memory(config, torch.device("cpu"))
    for sign in signs:
        remember(memory, config, {"augment/sign": torch.tensor(float(sign))}, first=False)
    return memory["augment/p"].item()


def test_p_moves_evenly_by_the_side_of_the_target():
    """At 256 pictures a batch the sign is that of the batch; p goes from 0 to 1 in aug_kimg thousand pictures."""
    assert adapted([0.9] * 10, aug_kimg=25.6) == pytest.approx(0.1)
    assert adapted([0.9] * 10 + [0.1] * 4, aug_kimg=25.6) == pytest.approx(0.06)
    assert adapted([0.5] * 10, aug_kimg=25.6) == 0.0
    assert adapted([0.5] * 10, aug_kimg=25.6, aug_target=0.4) == pytest.approx(0.1)
    assert adapted([0.9] * 200, aug_kimg=25.6) == pytest.approx(0.8), "not beyond where changes would leak"
    assert adapted([0.5] * 2, aug_kimg=25.6, aug_p=0.3) == pytest.approx(0.28)


def test_the_sign_is_averaged_over_some_hundred_pictures():
    config = TrainingConfig(batch_size=64, augment="adaptive")
    memory = starting_memory(config, torch.device("cpu"))
    for expected in (0.25, 0.4375):
        remember(memory, config, {"augment/sign": torch.tensor(1.0)}, first=False)
        assert memory["augment/sign"].item() == pytest.approx(expected)


def test_p_rises_where_the_discriminator_knows_its_few_pictures_by_heart(make_game, batches):
    """The same six pictures for ever, and a generator that hardly moves: D becomes sure of them, and p follows."""
    game, batch = make_game(augment="adaptive", aug_kimg=0.5, d_lr=2e-3, g_lr=1e-6), next(batches())
    for _ in range(80):  # its sign is averaged over about forty updates of six
        report = train_step(game, iter([batch]))
    assert report["augment/sign"] > 0.6 and report["augment/p"] > 0.1


def test_lecams_averages_follow_the_logits():
    config = TrainingConfig(lecam=1.0, lecam_decay=0.9)
    memory = starting_memory(config, torch.device("cpu"))
    remember(memory, config, {"logit/real": torch.tensor(2.0), "logit/fake": torch.tensor(-1.0)}, first=True)
    remember(memory, config, {"logit/real": torch.tensor(4.0), "logit/fake": torch.tensor(-1.0)}, first=False)
    assert memory["lecam/real"].item() == pytest.approx(0.9 * 2 + 0.1 * 4)
    assert memory["lecam/fake"].item() == pytest.approx(-1)


def test_top_k_learns_from_the_best_alone(make_game):
    game = make_game(topk=0.5, topk_kimg=0.0)
    logits = torch.tensor([0.5, -3.0, 2.0, -1.0, 1.0, 0.0], requires_grad=True)
    loss = generator_loss(game, {"fake": logits[:, None]})
    loss.backward()
    assert loss.item() == pytest.approx(-(2.0 + 1.0 + 0.5) / 3)
    assert logits.grad.tolist() == pytest.approx([-1 / 3, 0, -1 / 3, 0, -1 / 3, 0])


def test_top_k_keeps_pairs_together(make_game):
    game = make_game(topk=0.5, topk_kimg=0.0, loss="relativistic")
    fake, real = torch.tensor([0.5, -3.0, 2.0, -1.0, 1.0, 0.0]), torch.tensor([1.0, 9.0, -1.0, 9.0, 0.0, 9.0])
    expected = sum(math.log1p(math.exp(-(f - r))) for f, r in ((2.0, -1.0), (1.0, 0.0), (0.5, 1.0))) / 3
    assert generator_loss(game, {"fake": fake, "real": real}).item() == pytest.approx(expected)


def test_the_share_kept_falls_by_even_factors(make_game):
    game = make_game(topk=0.25, topk_kimg=0.06)  # ten updates of six pictures
    shares = []
    for updates in (0, 5, 10, 20):
        game.critic_updates = updates
        shares.append(share_kept(game))
    assert shares == pytest.approx([1.0, 0.5, 0.25, 0.25])
    assert share_kept(make_game()) == 1.0
