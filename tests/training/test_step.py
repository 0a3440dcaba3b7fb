from __future__ import annotations

import copy
from itertools import islice

import pytest
import torch
from torch import nn

from sagan.data.batches import Batch
from sagan.layers.spectral import advance
from sagan.randomness import Stream, normal
from sagan.training.step import parts, to_signal, train_step, update_discriminator, update_generator


def moved(before, network):
    """Names in a state dict that are no longer what they were."""
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def snapshot(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def parameters(network):
    return {name for name, _ in network.named_parameters()}


def test_a_discriminator_update_leaves_the_generator_alone(make_game, batches):
    game, outputs = make_game(), []
    game.generator.register_forward_hook(lambda _module, _inputs, output: outputs.append(output.requires_grad))
    generator, discriminator = snapshot(game.generator), snapshot(game.discriminator)
    averaged = snapshot(game.averaged.model)
    update_discriminator(game, next(batches()))
    assert outputs == [False], "fakes carry no graph"
    assert all(parameter.grad is None for parameter in game.generator.parameters())
    assert moved(generator, game.generator) == set(), "neither weights nor statistics nor u and v"
    assert moved(averaged, game.averaged.model) == set()
    assert {name for name, p in game.discriminator.named_parameters() if p.grad is None} == set()
    assert moved(discriminator, game.discriminator) >= {"linear.parametrizations.weight.original", "linear.bias"}
    assert (game.step, game.critic_updates) == (0, 1)


def test_a_generator_update_leaves_the_discriminator_alone(make_game, batches):
    game = make_game()
    generator, discriminator = snapshot(game.generator), snapshot(game.discriminator)
    update_generator(game, next(batches()))
    assert all(parameter.grad is None for parameter in game.discriminator.parameters())
    assert moved(discriminator, game.discriminator) == set()
    assert all(parameter.requires_grad for parameter in game.discriminator.parameters()), "thawed again"
    assert {name for name, p in game.generator.named_parameters() if p.grad is None} == set()
    changed = moved(generator, game.generator)
    assert {"norm.running_mean", "norm.running_var", "stem.bias"} <= changed
    assert game.step == 1 and game.critic_updates == 0


def test_u_and_v_move_once_an_update_of_their_own_network(make_game, batches):
    game = make_game()
    expected = copy.deepcopy(game.discriminator)
    advance(expected)
    update_discriminator(game, next(batches()))
    ours, theirs = game.discriminator.state_dict(), expected.state_dict()
    vectors = [name for name in ours if name.endswith((".u", ".v"))]
    assert len(vectors) >= 10 and all(torch.equal(ours[name], theirs[name]) for name in vectors)

    expected = copy.deepcopy(game.generator)
    advance(expected)
    update_generator(game, next(batches()))
    ours, theirs = game.generator.state_dict(), expected.state_dict()
    vectors = [name for name in ours if name.endswith((".u", ".v"))]
    assert len(vectors) >= 10 and all(torch.equal(ours[name], theirs[name]) for name in vectors)


def test_n_dis_discriminator_updates_make_one_step(make_game, batches, monkeypatch):
    game, order, taken = make_game(n_dis=3), [], []
    monkeypatch.setattr("sagan.training.step.advance", lambda network: order.append(type(network).__name__))
    train_step(game, (taken.append(number) or batch for number, batch in enumerate(batches())))
    assert order == ["ResidualDiscriminator"] * 3 + ["ResidualGenerator"]
    assert taken == [0, 1, 2]
    assert (game.step, game.critic_updates, game.images) == (1, 3, 18)


class Brightness(nn.Module):
    """A discriminator whose logit is the mean of the picture times one weight: its loss can be done by hand."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.labels = []

    def forward(self, pictures, labels):
        self.labels.append(labels)
        return self.weight * pictures.mean(dim=(1, 2, 3))


def with_brightness(game):
    game.discriminator = Brightness()
    game.discriminator_optimiser = torch.optim.SGD(game.discriminator.parameters(), lr=0.1)
    return game


def test_real_and_fake_are_not_swapped(make_game):
    game = with_brightness(make_game())
    white = Batch(torch.full((6, 3, 16, 16), 255, dtype=torch.uint8), torch.tensor([2, 2, 2, 1, 1, 0]), torch.arange(6))
    latents, fake_labels = game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 0)
    fakes = copy.deepcopy(game.generator)(latents, fake_labels).mean(dim=(1, 2, 3)).detach()
    report = update_discriminator(game, white)
    assert report["logit/real"].item() == pytest.approx(0.5, abs=1e-6)
    assert report["logit/fake"].item() == pytest.approx(0.5 * fakes.mean().item(), abs=1e-6)
    # by hand: mean(1 - w) + mean(1 + w m), its slope -1 + mean(m)
    assert report["loss/discriminator"].item() == pytest.approx(0.5 + 1 + 0.5 * fakes.mean().item(), abs=1e-6)
    assert game.discriminator.weight.item() == pytest.approx(0.5 + 0.1 * (1 - fakes.mean().item()), abs=1e-6)
    assert game.discriminator.labels[0].tolist() == [2, 2, 2, 1, 1, 0, *fake_labels.tolist()]


def test_the_generator_moves_towards_what_passes_for_real(make_game, batches):
    game = with_brightness(make_game())
    latents, labels = game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, 0)
    before = copy.deepcopy(game.generator)(latents, labels).mean().item()
    report = update_generator(game, next(batches()))
    after = copy.deepcopy(game.generator)(latents, labels).mean().item()
    assert report["loss/generator"].item() == pytest.approx(-0.5 * before, abs=1e-5)
    assert after > before + 1e-4


def test_pixels_become_minus_one_to_one():
    signal = to_signal(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert signal.dtype == torch.float32
    assert signal.tolist() == pytest.approx([-1.0, -0.6, 1.0], abs=1e-6)


def gradients(network):
    return {name: parameter.grad.clone() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("count", [2, 3])
def test_parts_of_a_batch_add_up_to_the_batch(make_game, batches, count):
    """With the running statistics in place of the batch's, which alone know how a batch was cut."""
    results = []
    for grad_accum in (1, count):
        game = make_game(grad_accum=grad_accum)
        assert len(parts(6, grad_accum)) == grad_accum
        game.generator.eval()
        with torch.no_grad():
            game.generator.attention["8"].gamma.fill_(0.7)
            game.discriminator.attention["8"].gamma.fill_(-0.4)
        report = dict(update_discriminator(game, next(batches())))
        critic = gradients(game.discriminator)
        with torch.no_grad():  # Adam turns the sign of a rounding error into a step: compare from equal weights
            game.discriminator.load_state_dict(make_game().discriminator.state_dict())
        report |= update_generator(game, next(batches()))
        results.append((report, critic, gradients(game.generator)))
    (report, critic, generator), (other_report, other_critic, other_generator) = results
    assert report.keys() == {"loss/discriminator", "logit/real", "logit/fake", "loss/generator"} == other_report.keys()
    for ours, theirs in ((report, other_report), (critic, other_critic), (generator, other_generator)):
        for name in ours:
            torch.testing.assert_close(theirs[name], ours[name], rtol=1e-5, atol=1e-5, msg=name)
    assert min(gradient.abs().max() for gradient in critic.values()) > 0


def test_labels_of_fakes_are_uniform_whatever_the_data(make_game):
    game = make_game()
    drawn = torch.cat([game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, n)[1] for n in range(400)])
    counts = torch.bincount(drawn, minlength=3)
    assert drawn.dtype == torch.int64 and counts.sum() == 2400
    assert all(abs(count - 800) < 5 * (2400 * 2 / 9) ** 0.5 for count in counts.tolist()), "five standard deviations"


def test_noise_is_a_pure_function_of_seed_stream_and_update(make_game):
    game = make_game()
    torch.manual_seed(1)
    first = game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 7)[0]
    torch.manual_seed(2)
    game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 8)
    assert torch.equal(first, game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 7)[0])
    by_hand = torch.stack([torch.from_numpy(normal(5, Stream.CRITIC_NOISE, 7 * 6 + row, 12)) for row in range(6)])
    assert torch.equal(first, by_hand)
    for other in (
        game.draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 8)[0],
        game.draw_noise(Stream.GENERATOR_NOISE, Stream.GENERATOR_LABEL, 7)[0],
        make_game(seed=6).draw_noise(Stream.CRITIC_NOISE, Stream.CRITIC_LABEL, 7)[0],
    ):
        assert not torch.equal(first, other)


def test_the_global_random_state_plays_no_part(make_game, batches, whole_state, differing):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        game = make_game()
        train_step(game, batches())
        assert torch.equal(before, torch.get_rng_state())
        results.append(whole_state(game))
    assert differing(*results) == []


def test_looking_changes_nothing(make_game, batches, whole_state, differing):
    from sagan.sampling import draw
    from sagan.training.telemetry import observe_attention
    from sagan.workflows.attend import attention_weights

    plain, watched = make_game(), make_game()
    for game in (plain, watched):
        for batch in islice(batches(), 3):
            train_step(game, iter([batch]))
            if game is watched:
                before = whole_state(game)
                draw(game.averaged.model, range(5))
                observe_attention(game, to_signal(batch.pixels[:4]), batch.labels[:4])
                attention_weights(game.averaged.model, torch.randn(2, 12), torch.tensor([0, 2]))
                assert differing(before, whole_state(game)) == []
                assert game.generator.training and game.discriminator.training
    assert differing(whole_state(plain), whole_state(watched)) == []


def test_without_classes_and_in_bf16(make_game, batches, whole_state):
    game = make_game(classes=0, precision="bf16")
    report = train_step(game, batches())
    assert all(torch.isfinite(value) for value in report.values())
    assert {tensor.dtype for tensor in whole_state(game).values()} == {torch.float32, torch.int64}
    plain = make_game(classes=0)
    other = train_step(plain, batches())
    assert report["logit/real"] != other["logit/real"], "bf16 was really used"
    assert report["logit/real"].item() == pytest.approx(other["logit/real"].item(), abs=0.05)
