"""The control of the paper's table 1: a residual block of as many parameters in attention's place (SAGAN, section 4.2).

It asks whether attention helps because it looks far, or only because it adds parameters: this block has as many and looks at
nothing but its neighbours. The paper does not say what its block is made of. Ours shares all it can with attention: it
narrows to C/8 channels, has no biases, is normalised where the network is, and its gate gamma starts at 0, so that both kinds
of network draw and judge alike before the first update.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sagan.errors import ConfigError
from sagan.layers.attention import ATTENTION, AttentionVariant
from sagan.layers.parts import Parts, default_parts


class ResidualControl(nn.Module):
    """y = x + gamma * conv1x1(relu(conv3x3(relu(x)))): local, where attention is not.

    channels: C.  Its hidden width is C/8 where 8 divides C: 9 C C/8 + C C/8 + 1 parameters, those of the released attention
    block to the unit. Elsewhere the nearest width.  parts: constructor of the convolutions.
    """

    def __init__(self, channels: int, *, parts: Parts | None = None) -> None:
        super().__init__()
        hidden = round((channels // 8 + channels // 2) / 5)  # attention has 2C(C//8) + 2C(C//2), this block 10 C hidden
        if hidden < 1:
            raise ConfigError(
                f"the control of attention over {channels} channels has no hidden channel",
                remedy="Use at least 8 channels there.",
            )
        parts = parts or default_parts()
        self.narrow = parts.conv(channels, hidden, 3, bias=False)
        self.widen = parts.conv(hidden, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); at the start the identity."""
        branch: Tensor = self.widen(F.relu(self.narrow(F.relu(x))))
        return x + self.gamma.to(x.dtype) * branch


def residual(channels: int, parts: Parts) -> ResidualControl:
    """`--attention residual`: the control in the places of `--g-attn` and `--d-attn`."""
    return ResidualControl(channels, parts=parts)


# What may stand in attention's place without being attention. The option `attention` names one of these or of ATTENTION.
CONTROLS: dict[str, AttentionVariant] = {"residual": residual}


def block_named(name: str) -> AttentionVariant:
    """The block that the option `attention` names."""
    return CONTROLS[name] if name in CONTROLS else ATTENTION[name]
