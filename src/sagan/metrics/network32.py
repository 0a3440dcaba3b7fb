"""The network behind the offline default, `sagan-32`: small, of this project, and nothing to download.

Six convolutions on pictures of 32x32; two levels of maps, averaged over all places, are the features. It was trained to
name the classes of CIFAR-10 and of the emblems by benchmarks/offline_features.py. It is not Inception: no number made with
it is a FID.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 32
WIDTHS = (128, 128)  # of the two levels
DIMENSION = sum(WIDTHS)
HEADS = {"cifar10": 10, "emblems": 8}  # linear, on the features


class Network32(nn.Module):
    """Pictures (B, 3, 32, 32) in [-1, 1] -> features (B, 256): means of the 8x8 and of the 4x4 maps.

    norms: with batch norm behind each convolution, as in training; without, its scale and shift are in the convolutions.
    About 50 million floating-point operations a picture and 0.39 million numbers.
    """

    def __init__(self, norms: bool = False) -> None:
        super().__init__()
        plan = [(3, 32, 1), (32, 48, 2), (48, 48, 1), (48, 128, 2), (128, 128, 1), (128, 128, 2)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=not norms) for c_in, c_out, stride in plan
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c_out) for _, c_out, _ in plan) if norms else None
        self.heads = nn.ModuleDict({name: nn.Linear(DIMENSION, classes) for name, classes in HEADS.items()})

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, 32, 32) in [-1, 1] -> (B, 256), never negative."""
        x = self._layer(1, self._layer(0, x))  # (B, 48, 16, 16)
        x = self._layer(2, x)
        middle = self._layer(4, self._layer(3, x))  # (B, 128, 8, 8)
        last = self._layer(5, middle)  # (B, 128, 4, 4)
        return torch.cat([level.float().mean((2, 3)) for level in (middle, last)], dim=1)

    def _layer(self, number: int, x: Tensor) -> Tensor:
        h = self.convolutions[number](x)
        return F.relu(h if self.norms is None else self.norms[number](h))


@torch.no_grad()
def without_norms(trained: Network32) -> Network32:
    """The same function with batch norm folded into the convolutions, by its running statistics."""
    plain = Network32()
    plain.heads.load_state_dict(trained.heads.state_dict())
    assert trained.norms is not None
    for into, conv, norm in zip(plain.convolutions, trained.convolutions, trained.norms, strict=True):
        assert isinstance(into, nn.Conv2d) and isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None and norm.running_mean is not None and into.bias is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        into.weight.copy_(conv.weight * scale[:, None, None, None])
        into.bias.copy_(norm.bias - norm.running_mean * scale)
    return plain.eval()
