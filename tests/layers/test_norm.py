"""Batch norm against torch's own layer, and class tables by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sagan.errors import ConfigError
from sagan.layers.norm import BatchNorm2d, still_statistics


def pictures(batch: int = 6, channels: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([1.0, 5.0, 0.2])[:channels, None, None]
    return scale * torch.randn(batch, channels, 4, 5, generator=generator) + scale


def pair(**options) -> tuple[BatchNorm2d, nn.BatchNorm2d]:
    """Ours and torch's with the same uneven gain and bias."""
    ours, theirs = BatchNorm2d(3, **options), nn.BatchNorm2d(3)
    with torch.no_grad():
        for gain, bias in ((ours.gain, ours.bias), (theirs.weight, theirs.bias)):
            gain.copy_(torch.tensor([0.5, 1.5, -2.0]))
            bias.copy_(torch.tensor([1.0, -3.0, 0.25]))
    return ours, theirs


def test_train_and_eval_mode_are_torchs():
    ours, theirs = pair()
    for seed in range(3):
        x = pictures(seed=seed).requires_grad_()
        twin = x.detach().clone().requires_grad_()
        y, expected = ours(x), theirs(twin)
        torch.testing.assert_close(y, expected)
        for output in (y, expected):
            (output * torch.arange(5.0)).square().sum().backward()
        torch.testing.assert_close(x.grad, twin.grad)
    torch.testing.assert_close(ours.gain.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    x = pictures(seed=9)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_running_statistics_move_a_tenth_of_the_way():
    layer, x = BatchNorm2d(3), pictures()
    layer(x)
    torch.testing.assert_close(layer.running_mean, 0.1 * x.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(layer.running_var, 0.9 + 0.1 * x.var(dim=(0, 2, 3)))  # unbiased, as torch's


def test_eval_mode_uses_the_running_statistics_and_keeps_them():
    layer = BatchNorm2d(3).eval()
    layer.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    layer.running_var.copy_(torch.tensor([4.0, 0.25, 1.0]))
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    x = pictures()
    y = layer(x)
    for channel, (mean, deviation) in enumerate([(1, 2), (2, 0.5), (3, 1)]):
        torch.testing.assert_close(y[:, channel], (x[:, channel] - mean) / deviation, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer(x[:1]), y[:1])  # one picture does not depend on the others
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_class_tables_by_hand(training):
    layer = BatchNorm2d(3, classes=4).train(training)
    assert layer.gain.shape == layer.bias.shape == (4, 3)
    assert (layer.gain == 1).all() and (layer.bias == 0).all()
    with torch.no_grad():
        layer.gain.copy_(torch.arange(12.0).reshape(4, 3) - 5)
        layer.bias.copy_(torch.arange(12.0).reshape(4, 3) * 0.5)
    x, labels = pictures(), torch.tensor([3, 0, 3, 1, 2, 0])
    flat = nn.BatchNorm2d(3, affine=False).train(training)(x)
    y = layer(x, labels)
    for picture, label in enumerate(labels.tolist()):
        for channel in range(3):
            gain, bias = 3 * label + channel - 5, (3 * label + channel) * 0.5
            torch.testing.assert_close(y[picture, channel], gain * flat[picture, channel] + bias)


def test_only_the_rows_of_classes_present_learn():
    layer = BatchNorm2d(3, classes=4)
    (layer(pictures(2), torch.tensor([2, 0])) * torch.arange(5.0)).sum().backward()
    for table in (layer.gain, layer.bias):
        assert table.grad[[0, 2]].abs().min() > 0
        assert not table.grad[[1, 3]].any()


def test_a_conditional_norm_asks_for_labels():
    with pytest.raises(ConfigError, match="has 4 classes and was called without labels"):
        BatchNorm2d(3, classes=4)(pictures())


@pytest.mark.parametrize("classes", [0, 4])
def test_groups_are_separate_batches(classes):
    """Seven pictures in groups of three: 3, 3 and 1, each as its own device would see it, in turn."""
    grouped, single = BatchNorm2d(3, classes, group=3), BatchNorm2d(3, classes, momentum=0.1 / 3)
    x = pictures(7)
    labels = torch.tensor([3, 0, 3, 1, 2, 0, 1]) if classes else None
    with torch.no_grad():
        for layer in (grouped, single):
            layer.gain.copy_(torch.linspace(-1, 2, layer.gain.numel()).reshape(layer.gain.shape))
    expected = [
        single(x[part], None if labels is None else labels[part]) for part in (slice(0, 3), slice(3, 6), slice(6, 7))
    ]
    y = grouped(x, labels)
    torch.testing.assert_close(y, torch.cat(expected))
    torch.testing.assert_close(grouped.running_mean, single.running_mean)
    torch.testing.assert_close(grouped.running_var, single.running_var)
    whole = BatchNorm2d(3, classes)
    with torch.no_grad():
        whole.gain.copy_(single.gain)
    assert (y - whole(x, labels)).abs().max() > 0.05


def test_groups_move_the_running_statistics_as_far_as_one_batch():
    """Three groups of two, each constant: by hand, a third of the momentum 0.3 a group, the later ones on top."""
    x = torch.tensor([1.0, 3.0, 10.0, 20.0, -4.0, 0.0]).reshape(6, 1, 1, 1)
    grouped = BatchNorm2d(1, group=2, momentum=0.3)
    grouped(x)
    means, variances = (2.0, 15.0, -2.0), (2.0, 50.0, 8.0)  # unbiased: half the squared difference
    mean = 0.1 * (0.81 * means[0] + 0.9 * means[1] + means[2])
    variance = 0.729 + 0.1 * (0.81 * variances[0] + 0.9 * variances[1] + variances[2])
    torch.testing.assert_close(grouped.running_mean, torch.tensor([mean]))
    torch.testing.assert_close(grouped.running_var, torch.tensor([variance]))


def test_eight_groups_of_one_kind_of_picture_move_about_a_tenth_of_the_way():
    """With the whole momentum a group they would move 1 - 0.9 ** 8 = 0.57 of it."""
    grouped = BatchNorm2d(3, group=4)
    grouped(pictures(4).repeat(8, 1, 1, 1))
    moved = grouped.running_mean / pictures(4).mean(dim=(0, 2, 3))
    torch.testing.assert_close(moved, torch.full((3,), 1 - (1 - 0.1 / 8) ** 8))  # 0.0957


@pytest.mark.parametrize("group", [6, 100])
def test_a_group_as_large_as_the_batch_is_the_batch(group):
    torch.testing.assert_close(BatchNorm2d(3, group=group)(pictures()), BatchNorm2d(3)(pictures()))


def test_eval_mode_knows_no_groups():
    layer = BatchNorm2d(3, group=2).eval()
    torch.testing.assert_close(layer(pictures()), BatchNorm2d(3).eval()(pictures()))


def test_still_statistics_normalise_alike_and_remember_nothing():
    network = nn.Sequential(BatchNorm2d(3), BatchNorm2d(3, group=2))
    network[1].moving = False
    x = pictures()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(KeyError), still_statistics(network):
        still = network(x)
        raise KeyError
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [layer.moving for layer in network] == [True, False]  # given back also after an error
    torch.testing.assert_close(network(x), still)
    assert not torch.equal(network[0].running_mean, before["0.running_mean"])


def test_bfloat16_pictures_are_measured_in_float32():
    layer, x = BatchNorm2d(3, classes=2), pictures(8) + 100
    y = layer(x.bfloat16(), torch.zeros(8, dtype=torch.int64))
    assert y.dtype == torch.bfloat16
    expected = nn.BatchNorm2d(3)(x.bfloat16().float())
    assert (y.float() - expected).abs().max() < 0.02
    torch.testing.assert_close(layer.running_mean, 0.1 * x.bfloat16().float().mean(dim=(0, 2, 3)), rtol=1e-4, atol=0)


def modulated(classes: int = 0) -> BatchNorm2d:
    torch.manual_seed(4)
    layer = BatchNorm2d(3, classes, z_dim=5)
    with torch.no_grad():
        layer.gain.normal_()
        layer.bias.normal_()
        layer.by_latent.normal_()
    return layer


@pytest.mark.parametrize("classes", [0, 4])
def test_latents_move_gain_and_bias_picture_by_picture(classes):
    """By hand, one picture after the other."""
    layer = modulated(classes)
    latents, labels = torch.randn(6, 5), torch.tensor([3, 0, 1, 1, 2, 0])
    x = pictures()
    flat = nn.functional.batch_norm(x, None, None, training=True)
    y = layer(x, labels if classes else None, latents)
    for number in range(6):
        gain, bias = (table[labels[number]] if classes else table for table in (layer.gain, layer.bias))
        gain = gain + layer.by_latent[:3] @ latents[number]
        bias = bias + layer.by_latent[3:] @ latents[number]
        torch.testing.assert_close(y[number], gain[:, None, None] * flat[number] + bias[:, None, None])


def test_a_norm_without_a_matrix_has_no_tensor_for_it_and_ignores_latents():
    layer = BatchNorm2d(3)
    assert layer.state_dict().keys() == {"gain", "bias", "running_mean", "running_var"}
    torch.testing.assert_close(layer(pictures(), None, torch.randn(6, 5)), BatchNorm2d(3)(pictures()))


def test_a_modulated_norm_without_latents_is_refused():
    with pytest.raises(ConfigError, match="modulated by the latents, and none were given"):
        modulated()(pictures())
