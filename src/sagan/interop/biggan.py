"""ajbrock/BigGAN-PyTorch: the networks of its SAGAN and SNGAN scripts (`BigGAN.py` without the shared class embedding).

What changes the numbers: its spectral norm makes one power iteration from the stored u at every pass, in eval mode too; gains
of classes are stored without their 1; the generator of 64x64 ends twice as wide as others do; `--D_thin` narrows blocks.
The epsilon of batch norm is read from the state_dict file beside, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sagan.interop.convert import Plan
from sagan.interop.kinds import EPS, Rule, attention, bare, class_norm, epsilon, gate, layer, norm
from sagan.interop.source import Source
from sagan.models.architecture import Size, shape_of

LAYOUT = "biggan"
RESOLUTIONS = {3: 32, 4: 64, 5: 128, 6: 256}
STATISTICS = ("stored_mean", "stored_var")
GATE = gate("gamma", ())


def is_generator(source: Source) -> bool:
    return source.has("output_layer.") and source.has("blocks.0.0.conv")


def is_discriminator(source: Source) -> bool:
    return source.has("blocks.0.0.conv1.") and source.has("linear.") and not source.has("output_layer.")


def generator(source: Source, facts: Mapping[str, Any]) -> Plan:
    """facts: those of the state_dict file."""
    blocks = _count(source)
    if blocks not in RESOLUTIONS:
        raise source.refusal(f"{blocks} blocks, where {sorted(RESOLUTIONS)} are known")
    resolution = RESOLUTIONS[blocks]
    _, z_dim = source.dimensions(["linear.weight"], 2)
    (width,) = source.dimensions([f"output_layer.0.{name}" for name in ("gain", "bias", *STATISTICS)], 1)
    tables = [f"blocks.0.0.bn{n}.{part}.weight" for n in (1, 2) for part in ("gain", "bias")]
    classes, _ = source.dimensions(tables, 2)
    eps = epsilon(facts.get("config/BN_eps"), EPS)
    bn = class_norm(_tables, "", *STATISTICS, eps=eps)
    rules: list[Rule] = [("stem", "linear", layer)]
    places = []
    for number in range(blocks):
        ours, theirs = f"blocks.{number}", f"blocks.{number}.0"
        rules += [(f"{ours}.norm{n}", f"{theirs}.bn{n}", bn) for n in (1, 2)]
        parts = (("conv1", "conv1"), ("conv2", "conv2"), ("skip", "conv_sc"))
        rules += [(f"{ours}.{mine}", f"{theirs}.{name}", layer) for mine, name in parts]
        if source.has(f"blocks.{number}.1."):
            side = 8 << number
            places.append(side)
            rules += attention(f"attention.{side}", f"blocks.{number}.1", gamma=GATE)
    rules += [("norm", "output_layer.0", norm("gain", *STATISTICS, eps=eps)), ("output", "output_layer.2", layer)]
    options = {
        "resolution": resolution,
        "z_dim": z_dim,
        "g_ch": width // shape_of("residual", resolution, LAYOUT).generator_maps(Size(4, blocks))[-1][1],
        "g_attn": tuple(places),
        "layout": LAYOUT,
    }
    return Plan(options, classes, rules, ["linear.weight", "output_layer.0.gain", *tables])


def discriminator(source: Source, resolution: int) -> Plan:
    """resolution: of the generator."""
    width = source.dimensions(["blocks.0.0.conv1.weight"], 4)[0]
    classes, _ = source.dimensions(["embed.weight"], 2)
    second = source.dimensions(["blocks.2.0.conv1.weight"], 4)
    doubled = source.dimensions(["blocks.2.0.conv2.weight"], 4)[0]
    maps = shape_of("residual", resolution, LAYOUT).discriminator_maps(Size(4, resolution.bit_length() - 3))
    rules: list[Rule] = []
    places = []
    for number in range(_count(source)):
        ours, theirs = f"blocks.{number}", f"blocks.{number}.0"
        rules += [(f"{ours}.conv{n}", f"{theirs}.conv{n}", layer) for n in (1, 2)]
        if source.has(f"{theirs}.conv_sc."):
            rules.append((f"{ours}.skip", f"{theirs}.conv_sc", layer))
        if source.has(f"blocks.{number}.1.") and number < len(maps):
            side = maps[number][0]
            if side in places:
                raise source.refusal(f"blocks.{number}.1 is a second attention on a map of {side}x{side}")
            places.append(side)
            rules += attention(f"attention.{side}", f"blocks.{number}.1", gamma=GATE)
    rules += [("linear", "linear", layer), ("embedding", "embed", bare)]
    thin = second[0] == second[1] != doubled
    options = {"d_ch": width, "d_attn": tuple(places), "d_hidden": "thin" if thin else "wide", "layout": LAYOUT}
    anchors = ["blocks.0.0.conv1.weight", "embed.weight", "blocks.2.0.conv1.weight", "blocks.2.0.conv2.weight"]
    return Plan(options, classes, rules, anchors)


def _count(source: Source) -> int:
    return len({name.split(".")[1] for name in source.tensors if name.startswith("blocks.") and ".0.conv" in name})


def _tables(source: Source, name: str) -> tuple[Tensor, Tensor, dict[str, str]]:
    names = {"gain": f"{name}.gain.weight", "bias": f"{name}.bias.weight"}
    return 1 + source.take(names["gain"]), source.take(names["bias"]), names
