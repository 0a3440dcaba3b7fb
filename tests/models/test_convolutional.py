"""The plain convolutional pair: formulas by hand, shapes at other sizes, conditions, quirks of each ancestor."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sagan.errors import ConfigError
from sagan.layers.norm import mixes_pictures
from sagan.layers.spectral import normalisers
from sagan.models.architecture import CONVOLUTIONAL
from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ModelConfig

Z = 6


def pair(architecture: str, resolution: int = 32, classes: int = 0, **options):
    model = ModelConfig(architecture=architecture, resolution=resolution, g_ch=8, d_ch=8, z_dim=Z, **options)
    return build_generator(model, classes, seed=3), build_discriminator(model, classes, seed=3)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize("resolution", [16, 32, 48, 64])
@pytest.mark.parametrize("architecture", CONVOLUTIONAL)
def test_pictures_and_logits(architecture, resolution, classes):
    generator, discriminator = pair(architecture, resolution, classes)
    labels = torch.tensor([0, 4, 2]) if classes else None
    pictures = generator(random(3, Z), labels)
    assert pictures.shape == (3, 3, resolution, resolution) and pictures.abs().max() <= 1
    assert generator.resolution == resolution
    logits = discriminator(pictures, labels)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    logits.sum().backward()
    for network in (generator, discriminator):
        silent = [name for name, p in network.named_parameters() if p.grad is None]
        assert silent == []


def normed(norm, h):
    return F.batch_norm(h, norm.running_mean, norm.running_var, norm.gain, norm.bias)


def test_dcgans_generator_by_hand():
    generator, _ = pair("dcgan")
    generator.double().eval()
    z = random(2, Z).double()
    h = F.conv_transpose2d(z[:, :, None, None], generator.stem.weight, generator.stem.bias)
    assert h.shape == (2, 32, 4, 4)
    h = normed(generator.norms[0], h).clamp_min(0)
    for doubling, norm in zip(generator.doublings, list(generator.norms)[1:], strict=True):
        h = normed(norm, F.conv_transpose2d(h, doubling.weight, doubling.bias, stride=2, padding=1)).clamp_min(0)
    assert h.shape == (2, 8, 16, 16)
    expected = torch.tanh(F.conv_transpose2d(h, generator.output.weight, generator.output.bias, stride=2, padding=1))
    torch.testing.assert_close(generator(z), expected)


@pytest.mark.parametrize(("architecture", "slope"), [("dcgan", 0.2), ("heykeetae", 0.1)])
def test_strided_discriminator_by_hand(architecture, slope):
    _, discriminator = pair(architecture, d_attn=0, d_sn=False)
    discriminator.double()
    x = random(2, 3, 32, 32).double()
    h = x
    for stage in discriminator.stages:
        h = F.conv2d(h, stage[0].weight, stage[0].bias, stride=2, padding=1)
        h = torch.where(h > 0, h, slope * h)
    expected = (h * discriminator.head.weight).sum(dim=(1, 2, 3)) + discriminator.head.bias
    torch.testing.assert_close(discriminator(x), expected)


def test_the_standard_cnn_by_hand():
    """SNGAN table 3: pairs of a 3x3 and a strided 4x4 convolution, a last 3x3 one, a dense layer; dense in front, too."""
    generator, discriminator = pair("sngan-cnn", d_sn=False)
    assert isinstance(generator.stem, nn.Linear) and generator.output.kernel_size == (3, 3)
    discriminator.double()
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    kinds = [(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0]) for conv in convolutions]
    assert kinds == [
        (3, 8, 3, 1), (8, 8, 4, 2), (8, 16, 3, 1), (16, 16, 4, 2), (16, 32, 3, 1), (32, 32, 4, 2), (32, 64, 3, 1),
        (64, 1, 4, 1),
    ]  # fmt: skip
    h = x = random(2, 3, 32, 32).double()
    for conv in convolutions[:-1]:
        h = F.leaky_relu(F.conv2d(h, conv.weight, conv.bias, stride=conv.stride, padding=1), 0.1)
    expected = h.flatten(1) @ convolutions[-1].weight.flatten() + convolutions[-1].bias
    torch.testing.assert_close(discriminator(x), expected)


def test_projection_by_hand():
    _, discriminator = pair("dcgan", classes=5, d_sn=False)
    x, labels = random(3, 3, 32, 32), torch.tensor([4, 0, 4])
    last = []
    discriminator.stages[-1].register_forward_hook(lambda _, __, output: last.append(F.leaky_relu(output, 0.2)))
    logits = discriminator(x, labels)
    expected = discriminator.head(last[0]).flatten() + (
        discriminator.embedding.weight[labels] * last[0].sum(dim=(2, 3))
    ).sum(dim=1)
    torch.testing.assert_close(logits, expected)
    with pytest.raises(ConfigError, match="5 classes and was called without labels"):
        discriminator(x)


def test_norms_of_the_discriminator():
    """DCGAN: batch norm behind every convolution but the first and the last; layer norm for a penalty."""
    for kind, mixes in (("none", False), ("batch", True), ("layer", False)):
        _, discriminator = pair("dcgan", d_norm=kind)
        assert mixes_pictures(discriminator) is mixes
        assert isinstance(discriminator.stages[0][1], nn.Identity)
        assert isinstance(discriminator.stages[1][1], nn.Identity) is (kind == "none")
        x = random(4, 3, 32, 32)
        alone, together = discriminator(x[:1]), discriminator(x)[:1]
        assert torch.allclose(alone, together, atol=1e-4) is not mixes


def test_heykeetae_leaves_its_last_layers_and_its_attention_unnormalised():
    """Spec 8.2: the paper has spectral normalisation on all layers; that code has it on the rest only."""
    generator, discriminator = pair("heykeetae", 64, attention="heykeetae", d_attn=(8, 4))
    names = [name for network in (generator, discriminator) for name in network.state_dict() if name.endswith(".u")]
    assert len(names) == 4 + 4
    assert not [name for name in names if name.startswith(("output", "head", "attention"))]
    both = [len(list(normalisers(network))) for network in pair("dcgan", 64)]
    assert both == [5, 5], "the others have it on the ends too"


def test_attention_stands_behind_the_activation_of_its_map():
    generator, discriminator = pair("heykeetae", 64, attention="heykeetae")
    seen = {}
    for network in (generator, discriminator):
        for size, layer in network.attention.items():
            layer.register_forward_hook(lambda _, inputs, __, key=(network, size): seen.update({key: inputs[0]}))
    discriminator(generator(random(2, Z)))
    assert {key[1]: tuple(x.shape[1:]) for key, x in seen.items() if key[0] is generator} == {
        "16": (16, 16, 16),
        "32": (8, 32, 32),
    }
    assert {key[1]: tuple(x.shape[1:]) for key, x in seen.items() if key[0] is discriminator} == {
        "8": (32, 8, 8),
        "4": (64, 4, 4),
    }
    assert all((x >= 0).all() for (network, _), x in seen.items() if network is generator), "after the ReLU"
