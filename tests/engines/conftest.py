"""What generators are given to draw from."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session")
def inputs():
    """inputs(generator, count): latents, and labels in no order where there are classes."""

    def make(generator, count: int = 6):
        latents = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(7))
        return latents, torch.arange(count) * 2 % generator.classes if generator.classes else None

    return make
