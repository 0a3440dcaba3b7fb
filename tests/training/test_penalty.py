"""The rest of the lineage in the step: penalties, clipping, pairs, batches and labels of other sizes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sagan.data.batches import Batch
from sagan.errors import ConfigError
from sagan.layers import attention_core
from sagan.losses.adversarial import LOSSES
from sagan.randomness import Stream
from sagan.training.config import TrainingConfig
from sagan.training.penalty import draw_shares, is_due, penalty
from sagan.training.step import signal, train_step, update_discriminator, update_generator


class Slope(nn.Module):
    """A critic whose logit is the sum of the picture times one weight: the norm of its gradient is weight * sqrt(768)."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.1))
        self.seen = []

    def forward(self, pictures, labels=None):
        self.seen.append((pictures.detach().clone(), None if labels is None else labels.clone()))
        return self.weight * pictures.sum(dim=(1, 2, 3))


def with_slope(game):
    game.discriminator = Slope()
    game.discriminator_optimiser = torch.optim.SGD(game.discriminator.parameters(), lr=0.0)
    return game


NORM = 0.1 * (3 * 16 * 16) ** 0.5


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"gp": 10.0}, 10 * (NORM - 1) ** 2),
        ({"r1": 4.0}, 2 * NORM**2),
        ({"r2": 4.0}, 2 * NORM**2),
        ({"r1": 1.0, "r2": 3.0, "gp": 2.0}, 2 * NORM**2 + 2 * (NORM - 1) ** 2),
    ],
)
@pytest.mark.parametrize("grad_accum", [1, 3])
def test_the_penalty_joins_the_loss_of_one_update(make_game, batches, options, expected, grad_accum):
    game = with_slope(make_game(loss="wasserstein", grad_accum=grad_accum, **options))
    report = update_discriminator(game, next(batches()))
    assert report["loss/penalty"].item() == pytest.approx(expected, rel=1e-4)
    plain = with_slope(make_game(loss="wasserstein", grad_accum=grad_accum, fake_labels="uniform"))
    if not options.get("gp"):  # which draws other labels for the fakes
        other = update_discriminator(plain, next(batches()))
        assert report["loss/discriminator"].item() == pytest.approx(other["loss/discriminator"].item(), rel=1e-5)
        # d/dw of weight * (|w| * sqrt(768))^2 / 2, beside the slope of the loss itself
        extra = game.discriminator.weight.grad - plain.discriminator.weight.grad
        assert extra.item() == pytest.approx(2 * expected / 0.1, rel=1e-4)


def test_a_lazy_penalty_counts_for_the_updates_without_it(make_game, batches):
    """Every third update at three times the weight (StyleGAN2, appendix B); the log shows the plain value."""
    game = with_slope(make_game(r1=4.0, penalty_every=3))
    slopes, values = [], []
    for number, batch in zip(range(6), batches(), strict=False):
        assert is_due(game) is (number % 3 == 0)
        game.discriminator_optimiser.zero_grad()
        report = update_discriminator(game, batch)
        values.append(report.get("loss/penalty"))
        slopes.append(game.discriminator.weight.grad.item())
    assert [value is None for value in values] == [False, True, True] * 2
    assert values[0].item() == pytest.approx(2 * NORM**2, rel=1e-4)
    assert slopes[0] > slopes[1] + 100


def test_wgan_gp_looks_between_a_real_picture_and_a_fake_of_the_same_class(make_game, batches):
    game, batch = with_slope(make_game(loss="wasserstein", gp=10.0)), next(batches())
    real, real_labels = signal(game, batch)
    shares = draw_shares(game)[:, None, None, None]
    update_discriminator(game, batch)
    (both, both_labels), (between, labels) = game.discriminator.seen
    fake = both[6:]
    assert both_labels.tolist() == [*real_labels.tolist(), *real_labels.tolist()]
    assert labels.tolist() == real_labels.tolist()
    torch.testing.assert_close(between, shares * real + (1 - shares) * fake)
    assert len(set(shares.flatten().tolist())) == 6, "one place a picture"


def test_places_are_a_pure_function_of_seed_and_update(make_game):
    game, other = make_game(gp=10.0), make_game(gp=10.0, seed=6)
    first = draw_shares(game)
    torch.manual_seed(3)
    assert torch.equal(first, draw_shares(game)) and not torch.equal(first, draw_shares(other))
    game.critic_updates = 1
    assert not torch.equal(first, draw_shares(game))
    assert first.min() > 0 and first.max() < 1


@pytest.mark.parametrize("options", [{"gp": 10.0, "loss": "wasserstein"}, {"r1": 1.0}, {"r2": 1.0}])
def test_penalties_train_the_whole_critic_with_attention_through_second_derivatives(make_game, batches, options):
    """The penalty alone moves every weight behind an open gate; on the fused path this would raise."""
    game = make_game(**options)
    nn.init.constant_(game.discriminator.attention["8"].gamma, 0.5)
    real, labels = signal(game, next(batches()))
    fake = torch.tanh(torch.randn(real.shape, generator=torch.Generator().manual_seed(0)))
    value = penalty(game, slice(0, 6), real=real, fake=fake, real_labels=labels, fake_labels=labels)
    value.backward()
    assert torch.isfinite(value) and value > 0
    still = {name for name, p in game.discriminator.named_parameters() if p.grad is None or not p.grad.any()}
    assert not {name for name in still if name.startswith("attention")}, still
    assert all(name.endswith("bias") for name in still), still


def test_the_penalty_is_computed_in_float32(make_game, batches):
    game = make_game(r1=1.0, precision="bf16")
    kinds = []
    game.discriminator.blocks[0].register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
    update_discriminator(game, next(batches()))
    assert kinds == [torch.bfloat16, torch.float32]


def test_the_penalty_step_on_a_large_map_never_builds_the_whole_attention(make_game, batches, monkeypatch):
    monkeypatch.setattr(attention_core, "PLAIN_ENTRIES", 0)
    monkeypatch.setattr(attention_core, "CHUNK_ENTRIES", 256)
    rows = []
    inner = attention_core.attention_rows
    monkeypatch.setattr(
        attention_core, "attention_rows", lambda query, key: rows.append(query.shape[1]) or inner(query, key)
    )
    game = make_game(gp=10.0, loss="wasserstein")
    update_discriminator(game, next(batches()))
    assert rows and max(rows) <= 256 // (6 * 16), "of 64 queries by 16 keys and 6 pictures"


def test_weights_are_clipped_after_each_update(make_game, batches):
    game = make_game(loss="wasserstein", clip=0.01, optimiser="rmsprop", d_lr=0.05, model={"d_sn": False})
    before = max(p.abs().max().item() for p in game.discriminator.parameters())
    update_discriminator(game, next(batches()))
    sizes = [p.abs().max().item() for p in game.discriminator.parameters()]
    assert before > 0.1 and max(sizes) == pytest.approx(0.01)
    update_generator(game, next(batches()))
    assert max(p.abs().max().item() for p in game.generator.parameters()) > 0.1, "only the discriminator's"


def test_relativistic_pairs_go_through_both_players(make_game, batches):
    game = make_game(loss="relativistic")
    twin = copy.deepcopy(game)
    batch = next(batches())
    report = train_step(game, iter([batch]))
    update_discriminator(twin, batch)
    latents, labels = twin.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, 0)
    from sagan.layers.spectral import advance

    advance(twin.generator)
    real, real_labels = signal(twin, batch)
    expected = LOSSES["relativistic"].generator(
        real=twin.discriminator(real, real_labels), fake=twin.discriminator(twin.generator(latents, labels), labels)
    )
    assert report["loss/generator"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_generators_batch_may_be_larger(make_game, batches):
    game = make_game(g_batch=10)
    seen = []
    game.generator.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    train_step(game, batches())
    assert seen == [6, 10]
    with pytest.raises(ValueError, match="relativistic loss pairs"):
        TrainingConfig(loss="relativistic", g_batch=10, batch_size=6)
    with pytest.raises(ValueError, match="grad_accum 4 does not divide g_batch 6"):
        TrainingConfig(batch_size=8, g_batch=6, grad_accum=4)


def test_batch_norm_in_the_discriminator_never_sees_real_and_fake_together(make_game, batches):
    game = make_game(model={"d_norm": "batch"})
    sizes = []
    game.discriminator.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    update_discriminator(game, next(batches()))
    assert sizes == [6, 6]
    moved = game.discriminator.blocks[1].norm1.running_mean.clone()
    update_generator(game, next(batches()))
    assert torch.equal(moved, game.discriminator.blocks[1].norm1.running_mean), "only its own updates are remembered"
    together = make_game()
    together.discriminator.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    update_discriminator(together, next(batches()))
    assert sizes[-1] == 12, "in one pass where nothing mixes"


def test_penalties_and_batch_norm_in_the_discriminator_exclude_each_other():
    from sagan.config import build

    with pytest.raises(ConfigError, match="d_norm batch mixes pictures. Use d_norm layer or none"):
        build({"gp": 10.0, "d_norm": "batch"})
    assert build({"gp": 10.0, "d_norm": "layer"}).training.penalised


def test_rates_fall_with_the_step(make_game, batches):
    game = make_game(decay_steps=4, g_lr=1e-3, d_lr=4e-3)
    rates = []
    for batch in (next(batches()) for _ in range(5)):
        train_step(game, iter([batch]))
        optimisers = (game.generator_optimiser, game.discriminator_optimiser)
        rates += [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    assert rates == pytest.approx([1e-3, 4e-3, 7.5e-4, 3e-3, 5e-4, 2e-3, 2.5e-4, 1e-3, 0, 0])


def test_fake_labels_may_follow_the_data(make_game):
    game = make_game(fake_labels="data", counts=(10, 0, 30))
    drawn = torch.cat([game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, n)[1] for n in range(400)])
    counts = torch.bincount(drawn, minlength=3).tolist()
    assert counts[1] == 0 and abs(counts[0] - 600) < 5 * (2400 * 3 / 16) ** 0.5
    uniform = make_game(counts=(10, 0, 30))
    drawn = torch.cat([uniform.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, n)[1] for n in range(50)])
    assert torch.bincount(drawn, minlength=3).min() > 50


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_moves_both_players(make_game, batches, loss):
    game = make_game(loss=loss)
    before = {name: copy.deepcopy(getattr(game, name).state_dict()) for name in ("generator", "discriminator")}
    report = train_step(game, batches())
    assert all(torch.isfinite(value) for value in report.values())
    for name, state in before.items():
        assert any(not torch.equal(tensor, state[key]) for key, tensor in getattr(game, name).state_dict().items())


def test_unknown_losses_name_the_others_and_short_names_work():
    with pytest.raises(
        ValueError, match="loss is 'wgan-gp'. Choose one of hinge, .* or import what adds it. WGAN-GP is wasserstein"
    ):
        TrainingConfig(loss="wgan-gp")
    short = {"ns": "non-saturating", "lsgan": "least-squares", "wgan": "wasserstein", "rpgan": "relativistic"}
    assert {name: TrainingConfig(loss=name).loss for name in short} == short


def test_somebodys_own_loss_is_a_line_in_the_table(make_game, batches, monkeypatch):
    from sagan.losses.adversarial import AdversarialLoss, linear_generator, wasserstein_discriminator

    monkeypatch.setitem(LOSSES, "mine", AdversarialLoss(wasserstein_discriminator, linear_generator))
    report = train_step(make_game(loss="mine"), batches())
    assert torch.isfinite(report["loss/generator"])


def test_a_batch_of_another_size_is_refused(make_game, batches):
    game, whole = make_game(), next(batches())
    short = Batch(whole.pixels[:4], whole.labels[:4], whole.ids[:4])
    with pytest.raises(ConfigError, match="a batch has 4 pictures, and batch_size is 6. .*drop_last=True"):
        update_discriminator(game, short)


def test_real_pictures_without_classes(make_game):
    pixels = torch.full((6, 3, 16, 16), 255, dtype=torch.uint8)
    pictures, labels = signal(make_game(classes=0), Batch(pixels, torch.zeros(6, dtype=torch.int64), torch.arange(6)))
    assert labels is None and (pictures == 1).all()
