"""The 128x128 networks at their full width: half a minute and some gigabytes, so by night."""

from __future__ import annotations

import pytest
import torch

from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ModelConfig


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_128_networks_draw_judge_and_pass_gradients():
    model = ModelConfig(resolution=128)
    generator, discriminator = build_generator(model, 10), build_discriminator(model, 10)
    labels = torch.tensor([3, 9])
    pictures = generator(torch.randn(2, model.z_dim, generator=torch.Generator().manual_seed(0)), labels)
    assert pictures.shape == (2, 3, 128, 128) and pictures.abs().max() <= 1
    logits = discriminator(pictures, labels)
    assert logits.shape == (2,)
    logits.sum().backward()
    for network in (generator, discriminator):
        attention = [f"attention.64.{part}." for part in ("query", "key", "value", "output")]
        for name, parameter in network.named_parameters():
            still = any(name.startswith(start) for start in attention)  # gamma is 0, so nothing flows through them yet
            assert bool(parameter.grad.abs().sum() > 0) != still, name
