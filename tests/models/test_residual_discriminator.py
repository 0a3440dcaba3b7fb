"""The discriminator: shapes, attention once a size, projection by hand, gradients, and its input left alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d, attention_layers
from sagan.models.build import build_discriminator
from sagan.models.config import ModelConfig


def discriminator(resolution: int = 16, classes: int = 0, **options):
    return build_discriminator(ModelConfig(resolution=resolution, d_ch=8, **options), classes, seed=3)


def pictures(batch: int, resolution: int) -> torch.Tensor:
    return torch.randn(batch, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(
    ("resolution", "places"),
    [(16, (8,)), (16, (4, 8)), (32, (16,)), (32, (8,)), (32, (8, 16)), (64, (32,)), (64, (4, 16)), (32, ())],
)
def test_one_logit_a_picture_and_attention_once_a_size(resolution, places, classes):
    """At 32x32 three blocks in a row have 8x8 maps: attention follows the first of them only."""
    network = discriminator(resolution, classes, d_attn=places)
    seen = []
    for name, layer in attention_layers(network, "D").items():
        layer.register_forward_hook(lambda _, inputs, __, name=name: seen.append((name, tuple(inputs[0].shape[-2:]))))
    logits = network(pictures(3, resolution), torch.tensor([0, 4, 2]) if classes else None)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    assert seen == [(f"D.attention@{size}", (size, size)) for size in sorted(places, reverse=True)]


def test_attention_follows_the_block_that_first_has_its_size():
    network = discriminator(32, d_attn=(8, 16))
    order = []
    for name, module in network.named_modules():
        if name.startswith(("blocks.", "attention.")) and name.count(".") == 1:
            module.register_forward_hook(lambda *_, name=name: order.append(name))
    network(pictures(1, 32))
    assert order == ["blocks.0", "attention.16", "blocks.1", "attention.8", "blocks.2", "blocks.3"]


@pytest.mark.parametrize("pool", ["sum", "mean"])
@pytest.mark.parametrize("classes", [0, 5])
def test_the_head_by_hand(classes, pool):
    """ReLU, sum (WGAN-GP: mean) over positions, linear, and the inner product with the label's row of the table."""
    network = discriminator(16, classes, d_pool=pool).double()
    nn.init.constant_(network.linear.bias, 0.3)
    nn.init.constant_(network.attention["8"].gamma, 0.9)
    x, labels = pictures(3, 16).double(), torch.tensor([0, 4, 2])
    h = network.attention["8"](network.blocks[0](x))
    phi = network.blocks[2](network.blocks[1](h)).clamp_min(0).sum(dim=(2, 3))
    phi = phi / 16 if pool == "mean" else phi
    expected = phi @ network.linear.weight[0] + 0.3
    if classes:
        expected = expected + torch.stack(
            [network.embedding.weight[label] @ phi[b] for b, label in enumerate([0, 4, 2])]
        )
    torch.testing.assert_close(network(x, labels if classes else None), expected)
    assert hasattr(network, "embedding") and (network.embedding is None) is (classes == 0)


def test_labels_that_are_missing_are_asked_for():
    with pytest.raises(ConfigError, match="^this network has 5 classes and was called without labels. Pass labels"):
        discriminator(16, 5)(pictures(1, 16))


def test_labels_decide():
    network = discriminator(16, 5)
    x = pictures(1, 16).expand(2, -1, -1, -1)
    one, other = network(x, torch.tensor([1, 4])).tolist()
    assert abs(one - other) > 1e-3


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pictures_are_left_as_they_were(memory_format):
    network = discriminator(32)
    x = pictures(2, 32).contiguous(memory_format=memory_format)
    before = x.clone()
    network(x)
    assert torch.equal(x, before)


def test_pictures_do_not_affect_each_other():
    network = discriminator(32)
    nn.init.constant_(network.attention["16"].gamma, 1.0)
    x = pictures(4, 32)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("classes", [0, 5])
def test_every_parameter_learns_but_closed_attention(classes):
    network = discriminator(32, classes)
    network(pictures(4, 32), torch.tensor([0, 4, 2, 1]) if classes else None).square().sum().backward()
    inside = {
        id(parameter)
        for layer in network.modules()
        if isinstance(layer, SelfAttention2d)
        for parameter in layer.parameters()
        if parameter is not layer.gamma
    }
    assert len(inside) == 4
    for name, parameter in network.named_parameters():
        assert bool(parameter.grad.any()) is (id(parameter) not in inside), name


def test_a_forward_pass_changes_no_state():
    network = discriminator(32, 5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()(pictures(2, 32), torch.tensor([3, 1]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_head_stays_in_float32_under_autocast():
    network = discriminator(32, 5)
    x, labels = pictures(4, 32), torch.tensor([0, 4, 2, 1])
    expected = network(x, labels)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(x, labels)
    assert logits.dtype == torch.float32
    assert (logits - expected).abs().max() < 0.03 * expected.abs().max()
