"""`sagan-32`: features that need no download, version 1. Not Inception's, so no number made with them is a FID."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.checkpoint.tensors import unpack_bytes
from sagan.disk import disk_errors, read_whole
from sagan.errors import CheckpointCorrupt
from sagan.metrics.features import FeatureNetwork, Features, Pictures, resized
from sagan.metrics.network32 import DIMENSION, SIDE, Network32

NAME = "sagan-32"
WEIGHTS = Path(__file__).with_name("sagan-32.safetensors")
SHA256 = "18c0d46230f1c25c06c4cc8c5ddeb430bbefcf8dfd75b2474826dfa494925ab2"
HEAD = "cifar10"
MAX_BYTES = 4 << 20
RESIZE = f"to {SIDE}x{SIDE} by Lanczos with antialiasing, on bytes"


@lru_cache(maxsize=1)
def offline_network() -> Network32:
    """The network with its frozen weights, in float32 on the processor; nobody may change it.

    Raises CheckpointCorrupt when the file of the package is not the one that was frozen.
    """
    with disk_errors(WEIGHTS):
        payload = read_whole(WEIGHTS, max_bytes=MAX_BYTES)
    digest = hashlib.sha256(payload).hexdigest()
    if digest != SHA256:
        raise CheckpointCorrupt(
            f"expected SHA-256 {SHA256}, got {digest}", where=WEIGHTS, remedy="Install the package again."
        )
    tensors, _ = unpack_bytes(payload, WEIGHTS)
    network = Network32().eval().requires_grad_(False)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network


def differentiable_features(pictures: Tensor) -> Tensor:
    """(n, C, R, R) in [-1, 1] -> (n, 256), with a gradient; grey is repeated, transparent pixels are laid on white.

    For a search, not for a metric: sizes other than 32 are resized here by torch's antialiased bilinear filter, not by Pillow.
    """
    x = pictures.float().cpu()
    if x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    elif x.shape[1] == 4:
        alpha = (x[:, 3:] + 1) / 2
        x = alpha * x[:, :3] + (1 - alpha)
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    features: Tensor = offline_network()(x)
    return features


@lru_cache(maxsize=1)
def offline_features() -> FeatureNetwork:
    """The network as the metrics use it. Raises as `offline_network`."""
    network = offline_network()

    @torch.no_grad()
    def compute(pictures: Pictures) -> Features:
        x = torch.from_numpy(np.ascontiguousarray(resized(pictures, SIDE))).permute(0, 3, 1, 2)
        with torch.autocast("cpu", enabled=False):  # training may call this inside its own
            features: Features = network(x.float().div(127.5).sub(1.0)).numpy()
        return features

    head = network.heads[HEAD]
    assert isinstance(head, nn.Linear)
    weight, bias = head.weight.numpy(), head.bias.numpy()
    return FeatureNetwork(NAME, SHA256, RESIZE, DIMENSION, compute, (np.ascontiguousarray(weight.T), bias))
