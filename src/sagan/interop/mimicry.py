"""kwotsin/mimicry: the residual networks of its SNGAN, SAGAN, conditional GAN, WGAN-GP and DCGAN, 32, 48, 64, 128 pixels.

What changes the numbers: the generator enlarges bilinearly; the discriminator's ReLU works in place, so its shortcuts read
relu(x); hidden widths are the input's. DCGAN's and WGAN-GP's discriminators have the same tensors, yet the latter pools by
the mean: the file cannot tell, so the caller has to. The DCGAN for CIFAR ends in a sigmoid, which no tensor tells either.
"""

from __future__ import annotations

import re

from torch import Tensor

from sagan.interop.convert import Plan
from sagan.interop.kinds import Rule, attention, bare, class_norm, gate, layer, norm
from sagan.interop.source import Source
from sagan.models.architecture import Size, shape_of, size_of

LAYOUT = "chainer"
WEIGHTS = ("weight_orig", "weight", "parametrizations.weight.original")
GATE = gate("gamma", ())
GENERATOR_ATTENTION = {32: 16, 128: 32}
DISCRIMINATOR_ATTENTION = {32: 8, 128: 32}


def is_generator(source: Source) -> bool:
    return source.has("block2.c1.") and source.has("l1.")


def is_discriminator(source: Source) -> bool:
    return source.has("block1.c1.") and not source.has("l1.")


def generator(source: Source) -> Plan:
    """Blocks are numbered from 2, and the last norm and convolution after them: b5 and c5, or up to b7 and c7."""
    conditional = any(".embed." in name for name in source.tensors)
    numbers = _numbers(source)
    end = numbers[-1] + 1
    stem_names = [f"l1.{word}" for word in WEIGHTS]
    rows, z_dim = source.dimensions(stem_names, 2)
    first = [f"block2.c1.{word}" for word in WEIGHTS]
    widest = source.dimensions(first, 4)[1]
    base = {16: 4, 36: 6}.get(rows // widest)
    resolution = (base or 0) << len(numbers)
    if base is None or size_of(resolution) is None:
        raise source.refusal(f"{stem_names[0]} has {rows} rows, and {first[0]} {widest} channels")
    (width,) = source.dimensions([f"b{end}.running_mean", f"b{end}.running_var"], 1)
    tables = ["block2.b1.embed.weight", "block2.b2.embed.weight"]
    classes = source.dimensions(tables, 2)[0] if conditional else 0
    bn = class_norm(_tables, ".bn") if conditional else norm()
    rules: list[Rule] = [("stem", "l1", layer)]
    for number, block in enumerate(numbers):
        ours, theirs = f"blocks.{number}", f"block{block}"
        rules += [(f"{ours}.norm{n}", f"{theirs}.b{n}", bn) for n in (1, 2)]
        rules += [(f"{ours}.{mine}", f"{theirs}.{name}", layer) for mine, name in CONVOLUTIONS]
    places = _attention(source, GENERATOR_ATTENTION.get(resolution), rules)
    rules += [("norm", f"b{end}", norm()), ("output", f"c{end}", layer)]
    options = {"resolution": resolution, "z_dim": z_dim, "g_ch": width, "g_attn": places}
    options |= {"g_up": "bilinear", "layout": LAYOUT}
    return Plan(options, classes, rules, [*stem_names, *first, f"b{end}.running_mean", *tables])


def discriminator(source: Source, resolution: int) -> Plan:
    """resolution: of the generator; 48 and 64 cannot be told apart here."""
    conditional = source.has("l_y.")
    names = [f"block1.c1.{word}" for word in WEIGHTS]
    width = source.dimensions(names, 4)[0]
    tables = [f"l_y.{word}" for word in WEIGHTS]
    classes = source.dimensions(tables, 2)[0] if conditional else 0
    size = size_of(resolution)
    assert size is not None
    blocks = len(shape_of("residual", resolution, LAYOUT).discriminator_maps(Size(*size)))
    rules: list[Rule] = []
    for number in range(blocks):
        theirs = f"block{number + 1}"
        keep = [pair for pair in CONVOLUTIONS if pair[0] != "skip" or source.has(f"{theirs}.c_sc.")]
        rules += [(f"blocks.{number}.{mine}", f"{theirs}.{name}", layer) for mine, name in keep]
    places = _attention(source, DISCRIMINATOR_ATTENTION.get(resolution), rules)
    heads = sorted({match[1] for name in source.tensors if (match := re.match(r"(l\d+)\.", name))})
    rules.append(("linear", heads[0] if heads else f"l{blocks + 1}", layer))
    rules += [("embedding", "l_y", bare)] if conditional else []
    options = {"d_ch": width, "d_attn": places, "d_hidden": "thin", "d_shortcut": "rectified", "layout": LAYOUT}
    plain = not any(name.endswith(("_orig", "original", "sn_u")) for name in source.tensors)
    notes = ["DCGAN's discriminator, or WGAN-GP's: for the latter add --d-pool mean"] if plain else []
    return Plan(options, classes, rules, [*names, *tables], notes)


CONVOLUTIONS = (("conv1", "c1"), ("conv2", "c2"), ("skip", "c_sc"))


def _numbers(source: Source) -> list[int]:
    found = {int(match[1]) for name in source.tensors if (match := re.match(r"block(\d{1,2})\.", name))}
    return list(range(2, 2 + len(found)))


def _attention(source: Source, side: int | None, rules: list[Rule]) -> tuple[int, ...]:
    """Its one block, which stands where that size of its networks has it."""
    if side is None or not source.has("attn_block."):
        return ()
    rules += attention(f"attention.{side}", "attn_block", gamma=GATE)
    return (side,)


def _tables(source: Source, name: str) -> tuple[Tensor, Tensor, dict[str, str]]:
    """One table of gains, then biases."""
    table = source.take(f"{name}.embed.weight")
    if table.ndim != 2 or table.shape[1] % 2:
        source.misshapen.append(f"{name}.embed.weight is no table of gains and biases")
        raise KeyError(name)
    gain, bias = table.chunk(2, dim=1)
    return gain, bias, {"gain": f"{name}.embed.weight", "bias": f"{name}.embed.weight"}
