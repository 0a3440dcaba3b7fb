"""The generator: shapes, range, conditions, gradients, and its formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d, attention_layers
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig

Z = 6


def generator(resolution: int = 16, classes: int = 0, **options):
    width = 8 if resolution < 64 else 2  # at 64 the 16x16 map has four times this: 8, the fewest attention takes
    return build_generator(ModelConfig(resolution=resolution, g_ch=width, z_dim=Z, **options), classes, seed=3)


def latents(batch: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(batch, Z, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize(
    ("resolution", "places"),
    [(16, (8,)), (16, (8, 16)), (32, (16,)), (32, (8, 32)), (64, (8,)), (64, (8, 16)), (32, ())],
)
def test_pictures_of_the_right_shape_with_attention_in_the_right_places(resolution, places, classes):
    network = generator(resolution, classes, g_attn=places)
    seen = {}
    for name, layer in attention_layers(network, "G").items():
        layer.register_forward_hook(lambda _, inputs, __, name=name: seen.update({name: inputs[0].shape[-2:]}))
    pictures = network(latents(3), torch.tensor([0, 4, 2]) if classes else None)
    assert pictures.shape == (3, 3, resolution, resolution) and pictures.dtype == torch.float32
    assert seen == {f"G.attention@{size}": (size, size) for size in places}
    assert network.resolution == resolution


def test_pictures_lie_in_the_range_and_use_it():
    network = generator()
    for pictures in (network(latents(8)), network(latents(8, scale=1000.0))):
        assert pictures.abs().max() <= 1
        assert pictures.std() > 0.05


def test_the_formula():
    """Spec 2.1: linear, reshape, blocks with attention after theirs, norm, ReLU, convolution, tanh."""
    network = generator(16, 5, g_attn=(8, 16)).double().eval()
    for layer in attention_layers(network, "G").values():
        nn.init.constant_(layer.gamma, 0.8)
    z, labels = latents(2).double(), torch.tensor([1, 3])
    h = (z @ network.stem.weight.mT + network.stem.bias).reshape(2, 8, 4, 4)
    h = network.attention["8"](network.blocks[0](h, labels))
    h = network.attention["16"](network.blocks[1](h, labels))
    h = F.batch_norm(h, network.norm.running_mean, network.norm.running_var, network.norm.gain, network.norm.bias)
    expected = torch.tanh(F.conv2d(h.clamp_min(0), network.output.weight, network.output.bias, padding=1))
    torch.testing.assert_close(network(z, labels), expected)


def test_labels_that_are_missing_are_asked_for_before_anything_is_computed():
    network = generator(classes=5)
    network.stem.register_forward_hook(lambda *_: pytest.fail("the stem was called"))
    with pytest.raises(ConfigError, match="^this network has 5 classes and was called without labels. Pass labels"):
        network(latents(1))


def test_labels_decide():
    network = generator(classes=5).eval()
    for norm in network.modules():
        if isinstance(norm, BatchNorm2d):
            nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(1))
    z = latents(1).expand(2, -1)
    one, other = network(z, torch.tensor([1, 4]))
    assert (one - other).abs().max() > 0.01
    torch.testing.assert_close(network(z, torch.tensor([4, 4]))[0], other)


def test_gamma_opens_the_attention():
    network = generator().eval()
    closed = network(latents(2))
    nn.init.constant_(network.attention["8"].gamma, 1.0)
    assert (network(latents(2)) - closed).abs().max() > 1e-3


@pytest.mark.parametrize("classes", [0, 5])
def test_every_parameter_learns_but_closed_attention(classes):
    """In eval mode: a batch's own statistics cancel the biases in front of a norm."""
    network = generator(32, classes).eval()
    labels = torch.tensor([0, 4, 2, 1]) if classes else None
    network(latents(4), labels).square().sum().backward()
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


def test_train_mode_remembers_statistics_and_eval_mode_does_not():
    network = generator()
    before = network.norm.running_mean.clone()
    network.eval()(latents(4))
    assert torch.equal(network.norm.running_mean, before)
    network.train()(latents(4))
    assert not torch.equal(network.norm.running_mean, before)


def test_a_picture_in_eval_mode_does_not_depend_on_its_neighbours():
    network = generator(32).eval()
    nn.init.constant_(network.attention["16"].gamma, 1.0)
    torch.testing.assert_close(network(latents(4))[:1], network(latents(4)[:1]), rtol=0, atol=1e-5)
