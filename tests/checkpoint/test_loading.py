"""assign: all or nothing, and into the very tensors that others hold."""

from __future__ import annotations

import pytest
import torch

from sagan.checkpoint.loading import assign
from sagan.errors import CheckpointIncompatible


def test_copies_into_the_existing_ones():
    module = torch.nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
    held, strides = module.weight, module.weight.stride()
    loaded = {name: torch.randn(tensor.shape) for name, tensor in module.state_dict().items()}
    assign(module.state_dict(), loaded, "model.safetensors")
    assert module.weight is held and module.weight.stride() == strides and module.weight.requires_grad
    assert torch.equal(module.weight, loaded["weight"]) and torch.equal(module.bias, loaded["bias"])
    loaded["bias"].zero_()
    assert module.bias.abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": None}, "missing b"),
        ({"z": torch.zeros(1)}, "unknown z"),
        ({"b": torch.zeros(2, 1)}, r"different b \(file: float32 2x1, here: float32 1x2\)"),
        ({"b": torch.zeros(1, 2).double()}, r"different b \(file: float64 1x2, here: float32 1x2\)"),
        ({"a": None, "b": None, "y": torch.zeros(())}, "missing a, b; unknown y"),
        ({f"z{i}": torch.zeros(1) for i in range(5)}, "unknown z0, z1, z2 and 2 more"),
    ],
)
def test_any_difference_leaves_everything_as_it_was(change, words):
    existing = {"a": torch.zeros(3), "b": torch.zeros(1, 2)}
    loaded = {name: value for name, value in ({"a": torch.ones(3), "b": torch.ones(1, 2)} | change).items()}
    loaded = {name: value for name, value in loaded.items() if value is not None}
    with pytest.raises(CheckpointIncompatible, match=f"f: made for another structure: {words}. Use the settings"):
        assign(existing, loaded, "f")
    assert all(float(tensor.abs().sum()) == 0 for tensor in existing.values())
