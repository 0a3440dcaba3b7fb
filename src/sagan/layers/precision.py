"""Parts of a network that stay in their tensors' own precision whatever the surrounding autocast says."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> torch.autocast:
    """A block without autocast on `tensor`'s device: for norms, power iterations and logits, where bf16 loses too much."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)
