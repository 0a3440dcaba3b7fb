"""What a recipe computes (`engines.recipe`), operation by operation, in torch's plainest functions.

It shares nothing with the folded generator it came from, so it proves a written file: what this draws from the file's own
bytes, any other program can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sagan.engines.recipe import Operation


@torch.no_grad()
def interpret(
    operations: Sequence[Operation],
    tensors: Mapping[str, Tensor],
    latents: Tensor,
    labels: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Pictures (B, channels, R, R) in [-1, 1], and the attention maps by name, each (B, H, W, H_k, W_k).

    latents: (B, z_dim).  labels: (B,) int64 where a table of the recipe has a row for each class.
    """
    values: list[Tensor] = []
    maps: dict[str, Tensor] = {}
    for step in operations:
        x = values[step["of"][0]] if step["of"] else latents
        weight, bias = (tensors[step[part]] if part in step else x for part in ("weight", "bias"))  # x: for none
        match step["kind"]:
            case "linear":
                x = F.linear(x, weight, bias).unflatten(1, step["shape"])
            case "conv":
                x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
            case "conv_transpose":
                x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
            case "scale":
                scale, shift = (_rows(tensors[step[part]], labels) for part in ("scale", "shift"))
                if "by_latent" in step:
                    more = F.linear(latents, tensors[step["by_latent"]])[:, :, None, None].chunk(2, dim=1)
                    scale, shift = scale + more[0], shift + more[1]
                x = scale * x + shift
            case "resize":
                x = F.interpolate(x, scale_factor=2.0, mode=step["mode"])
            case "max_pool":
                x = F.max_pool2d(x, step["size"])
            case "attention":
                keys, mixed = values[step["of"][1]], values[step["of"][2]]
                rows = torch.einsum("beyx,behw->byxhw", x, keys).flatten(3).softmax(-1).unflatten(3, keys.shape[2:])
                maps[step["name"]] = rows
                x = torch.einsum("byxhw,bvhw->bvyx", rows, mixed)
            case "add":
                x = x + values[step["of"][1]]
            case "relu":
                x = x.relu()
            case "tanh":
                x = x.tanh()
            case other:
                raise ValueError(f"there is no operation {other!r}")
        values.append(x)
    return values[-1], maps


def _rows(table: Tensor, labels: Tensor | None) -> Tensor:
    """(K, C) -> (B, C, 1, 1), or (1, C, 1, 1) where there is one row for all."""
    rows = table if len(table) == 1 or labels is None else table[labels]
    return rows[:, :, None, None]
