"""open-mmlab/mmgeneration: its SAGAN and SNGAN-projection networks (`sngan_proj`), with their averaged generator.

What changes the numbers: batch norm's epsilon is 1e-4 unless the configuration inside the file says another; tables of
classes are stored without their 1 in every published configuration (`BigGAN` and `Studio` initialisation) and with it in
others, which their mean tells; they may be spectrally normalised, also where nothing else is. Whether ReLU worked in place is
in that configuration too, and in the published files' names (`wReLUinplace`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sagan.interop.convert import Plan
from sagan.interop.kinds import Rule, attention, bare, class_norm, epsilon, gate, layer, norm
from sagan.interop.source import Source
from sagan.models.architecture import Size, shape_of

LAYOUT = "chainer"
WEIGHTS = ("conv.weight_orig", "conv.weight", "conv.parametrizations.weight.original")
TABLES = ("weight_orig", "weight", "parametrizations.weight.original")
BLOCKS = {3: 32, 4: 64, 5: 128}
GATE = gate("gamma", ())
CONVOLUTIONS = (("conv1", "conv_1.conv"), ("conv2", "conv_2.conv"), ("skip", "shortcut.conv"))
NEAR_ONE = 0.5
EPS = 1e-4  # where no configuration says another
NORM_EPS = re.compile(r"norm_eps\s*=\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)")
IN_PLACE = re.compile(r"inplace\s*=\s*True")


def is_generator(source: Source) -> bool:
    return source.has("noise2feat.")


def is_discriminator(source: Source) -> bool:
    return source.has("from_rgb.")


def generator(source: Source, facts: Mapping[str, Any]) -> Plan:
    """facts: plain values of the file, among them the text of its configuration."""
    conditional = any("_embedding." in name for name in source.tensors)
    _, z_dim = source.dimensions([f"noise2feat.{word}" for word in TABLES], 2)
    (width,) = source.dimensions(["to_rgb.bn.running_mean", "to_rgb.bn.running_var"], 1)
    places = [f"conv_blocks.0.norm_{n}.{part}_embedding" for n in (1, 2) for part in ("weight", "bias")]
    tables = [f"{place}.{word}" for place in places for word in TABLES]
    classes = source.dimensions(tables, 2)[0] if conditional else 0
    eps = _epsilon(facts)
    shift = 0.0 if conditional and _mean_gain(source) > NEAR_ONE else 1.0

    def gains(source: Source, name: str) -> tuple[Tensor, Tensor, dict[str, str]]:
        gain, bias = (bare(source, f"{name}.{part}_embedding") for part in ("weight", "bias"))
        names = {"gain": gain.names["weight"], "bias": bias.names["weight"]}
        return shift + gain.effective, bias.effective, names

    bn = class_norm(gains, ".norm", eps=eps) if conditional else norm(eps=eps)
    rules: list[Rule] = [("stem", "noise2feat", layer)]
    sides, count = [], 0
    for theirs in _blocks(source):
        if source.has(f"{theirs}.theta."):
            sides.append(4 << count)
            rules += attention(f"attention.{4 << count}", theirs, suffix=".conv", gamma=GATE)
            continue
        ours = f"blocks.{count}"
        inner = "" if conditional else ".norm"
        rules += [(f"{ours}.norm{n}", f"{theirs}.norm_{n}{inner}", bn) for n in (1, 2)]
        rules += [(f"{ours}.{mine}", f"{theirs}.{name}", layer) for mine, name in CONVOLUTIONS]
        count += 1
    if count not in BLOCKS:
        raise source.refusal(f"{count} blocks, where {sorted(BLOCKS)} are known")
    rules += [("norm", "to_rgb.bn", norm(eps=eps)), ("output", "to_rgb.conv", layer)]
    in_place = any(isinstance(text, str) and IN_PLACE.search(text) for text in facts.values())
    options = {"resolution": BLOCKS[count], "z_dim": z_dim, "g_ch": width, "g_attn": tuple(sides), "layout": LAYOUT}
    options |= {"d_shortcut": "rectified"} if in_place else {}
    notes = [f"epsilon {eps:g}, gains {'with' if shift == 0 else 'without'} their 1"]
    return Plan(options, classes, rules, ["to_rgb.bn.running_mean", *tables], notes)


def discriminator(source: Source, resolution: int) -> Plan:
    """resolution: of the generator."""
    names = [f"from_rgb.conv_1.{word}" for word in WEIGHTS]
    width = source.dimensions(names, 4)[0]
    conditional = source.has("proj_y.")
    tables = [f"proj_y.{word}" for word in TABLES]
    classes = source.dimensions(tables, 2)[0] if conditional else 0
    maps = shape_of("residual", resolution, LAYOUT).discriminator_maps(Size(4, resolution.bit_length() - 3))
    rules: list[Rule] = [(f"blocks.0.{mine}", f"from_rgb.{name}", layer) for mine, name in CONVOLUTIONS]
    places, count = [], 1
    for theirs in _blocks(source):
        if source.has(f"{theirs}.theta."):
            side = maps[min(count, len(maps)) - 1][0]
            places.append(side)
            rules += attention(f"attention.{side}", theirs, suffix=".conv", gamma=GATE)
            continue
        keep = [pair for pair in CONVOLUTIONS if pair[0] != "skip" or source.has(f"{theirs}.shortcut.")]
        rules += [(f"blocks.{count}.{mine}", f"{theirs}.{name}", layer) for mine, name in keep]
        count += 1
    rules.append(("linear", "decision", layer))
    rules += [("embedding", "proj_y", bare)] if conditional else []
    options = {"d_ch": width, "d_attn": tuple(places), "layout": LAYOUT}
    notes = ["if it is one of the files called wReLUinplace and holds no configuration, add --d-shortcut rectified"]
    return Plan(options, classes, rules, [*names, *tables], notes)


def _blocks(source: Source) -> list[str]:
    numbers = {name.split(".")[1] for name in source.tensors if name.startswith("conv_blocks.")}
    return [f"conv_blocks.{number}" for number in sorted((n for n in numbers if n.isdecimal()), key=int)]


def _epsilon(facts: Mapping[str, Any]) -> float:
    """norm_eps of the configuration, where the file carries it."""
    for text in facts.values():
        if isinstance(text, str) and (match := NORM_EPS.search(text)):
            return epsilon(float(match[1]), EPS)
    return EPS


def _mean_gain(source: Source) -> float:
    parts = [
        t.double().mean() for name, t in source.tensors.items() if ".weight_embedding.weight" in name and t.ndim == 2
    ]
    return float(torch.stack(parts).mean()) if parts else 0.0
