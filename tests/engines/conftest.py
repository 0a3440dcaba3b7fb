"""Small generators in a state like a trained one's, and how far two sets of pictures lie apart."""

from __future__ import annotations

import pytest
import torch

from sagan.layers.attention import SelfAttention2d
from sagan.layers.norm import BatchNorm2d
from sagan.models.build import build_generator
from sagan.models.config import ModelConfig


@pytest.fixture(scope="session")
def like_trained():
    """like_trained(model, classes): gains, biases, gammas and running statistics all away from where they start."""

    def make(model: ModelConfig, classes: int = 0):
        generator = build_generator(model, classes, seed=1)
        random = torch.Generator().manual_seed(0)

        def noise(tensor: torch.Tensor) -> torch.Tensor:
            return torch.randn(tensor.shape, generator=random)

        norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
        with torch.no_grad():
            for module in generator.modules():
                if isinstance(module, BatchNorm2d):
                    module.gain.copy_(1 + 0.3 * noise(module.gain))  # some are negative
                    module.bias.copy_(0.3 * noise(module.bias))
                    module.momentum = 1.0  # one batch in train mode sets the statistics
                elif isinstance(module, SelfAttention2d):
                    module.gamma.fill_(-0.7)
                elif isinstance(getattr(module, "bias", None), torch.nn.Parameter):
                    module.bias.copy_(0.1 * noise(module.bias))
            labels = torch.arange(16) % classes if classes else None
            generator.train()(torch.randn(16, generator.z_dim, generator=random), labels)
            for norm in norms:
                norm.running_mean += 0.3 * norm.running_var.sqrt() * noise(norm.running_mean)
                norm.running_var *= (0.3 * noise(norm.running_var)).exp()
        return generator.eval()

    return make


@pytest.fixture(scope="session")
def inputs():
    """inputs(generator, count): latents, and labels in no order where there are classes."""

    def make(generator, count: int = 6):
        latents = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(7))
        return latents, torch.arange(count) * 2 % generator.classes if generator.classes else None

    return make
