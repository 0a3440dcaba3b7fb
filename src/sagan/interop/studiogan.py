"""POSTECH-CVLab/PyTorch-StudioGAN, its residual backbone (`src/models/resnet.py`): SAGAN, SNGAN, WGAN-GP, 32 to 512 pixels.

What changes the numbers: batch norm's epsilon is 1e-4; tables of classes are matrices on one-hot labels, plus 1, and under
spectral normalisation where the generator is; the discriminator's ReLU works in place, so its shortcuts read relu(x); a
discriminator without spectral norm has batch norm, also in its shortcuts. Those in the shortcuts and in the first block
come over inside the convolution beside them; a table comes over divided by its sigma.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sagan.interop.convert import Plan
from sagan.interop.kinds import (
    Kind,
    Layer,
    Rule,
    Values,
    attention,
    bare,
    class_norm,
    gate,
    layer,
    norm,
    with_norm_behind,
    with_norm_in_front,
)
from sagan.interop.source import Source
from sagan.models.architecture import Size, shape_of

EPS = 1e-4
ATTENTION = "conv1x1_theta conv1x1_phi conv1x1_g conv1x1_attn"
WEIGHTS = ("weight_orig", "weight", "parametrizations.weight.original")


def is_generator(source: Source) -> bool:
    return source.has("linear0.") and source.has("conv2d5.")


def is_discriminator(source: Source) -> bool:
    return source.has("linear1.") and source.has("blocks.0.0.conv2d")


def generator(source: Source) -> Plan:
    """Blocks and attention stand in one list, in the order of the data."""
    conditional = any(".gain." in name for name in source.tensors)
    z_names = [f"linear0.{word}" for word in WEIGHTS]
    _, z_dim = source.dimensions(z_names, 2)
    (width,) = source.dimensions(["bn4.running_mean", "bn4.running_var"], 1)
    tables = [f"blocks.0.0.bn{n}.{part}.{word}" for n in (1, 2) for part in ("gain", "bias") for word in WEIGHTS]
    classes = source.dimensions(tables, 2)[1] if conditional else 0
    rules: list[Rule] = [("stem", "linear0", layer)]
    places, count = [], 0
    bn = class_norm(_tables, ".bn", eps=EPS) if conditional else norm(eps=EPS)
    for theirs in _blocks(source):
        if _is_attention(source, theirs):
            places.append(4 << count)
            rules += attention(f"attention.{4 << count}", theirs, ATTENTION, gamma=gate("sigma", (1,)))
            continue
        ours = f"blocks.{count}"
        convolutions = (("conv1", "conv2d1"), ("conv2", "conv2d2"), ("skip", "conv2d0"))
        rules += [(f"{ours}.norm{n}", f"{theirs}.bn{n}", bn) for n in (1, 2)]
        rules += [(f"{ours}.{mine}", f"{theirs}.{name}", layer) for mine, name in convolutions]
        count += 1
    rules += [("norm", "bn4", norm(eps=EPS)), ("output", "conv2d5", layer)]
    options = {"resolution": 4 << count, "z_dim": z_dim, "g_ch": width, "g_attn": tuple(places)}
    notes = (
        ["the tables of classes were spectrally normalised; they come divided by their sigma"] if conditional else []
    )
    return Plan(options, classes, rules, [*z_names, "bn4.running_mean", *tables], notes)


def discriminator(source: Source, resolution: int) -> Plan:
    """resolution: of the generator, which this one's list of blocks has to agree with."""
    normed = any(".bn" in name for name in source.tensors)
    conditional = source.has("embedding.")
    names = [f"blocks.0.0.conv2d1.{word}" for word in WEIGHTS]
    width = source.dimensions(names, 4)[0]
    tables = [f"embedding.{word}" for word in WEIGHTS]
    classes = source.dimensions(tables, 2)[0] if conditional else 0
    shape = shape_of("residual", resolution)
    sides = [side for side, _ in shape.discriminator_maps(Size(4, resolution.bit_length() - 3))]
    rules: list[Rule] = []
    places, count = [], 0
    for theirs in _blocks(source):
        if _is_attention(source, theirs):
            side = sides[min(count, len(sides)) - 1]
            places.append(side)
            rules += attention(f"attention.{side}", theirs, ATTENTION, gamma=gate("sigma", (1,)))
            continue
        ours = f"blocks.{count}"
        rules.append((f"{ours}.conv1", f"{theirs}.conv2d1", _first if normed and count == 0 else layer))
        rules.append((f"{ours}.conv2", f"{theirs}.conv2d2", layer))
        if source.has(f"{theirs}.conv2d0."):
            rules.append((f"{ours}.skip", f"{theirs}.conv2d0", _shortcut if normed else layer))
        if normed and count > 0:
            rules += [(f"{ours}.norm{n}", f"{theirs}.bn{n}", norm(eps=EPS)) for n in (1, 2)]
        count += 1
    rules.append(("linear", "linear1", layer))
    rules += [("embedding", "embedding", bare)] if conditional else []
    options = {
        "d_ch": width,
        "d_attn": tuple(places),
        "d_norm": "batch" if normed else "none",
        "d_shortcut": "plain" if normed else "rectified",
    }
    notes = ["batch norms of the discriminator's shortcuts and first block are part of their convolutions now"]
    return Plan(options, classes, rules, [*names, *tables], notes if normed else [])


def _blocks(source: Source) -> list[str]:
    numbers = {name.split(".")[1] for name in source.tensors if name.startswith("blocks.")}
    return [f"blocks.{number}.0" for number in sorted((n for n in numbers if n.isdecimal()), key=int)]


def _is_attention(source: Source, block: str) -> bool:
    return source.has(f"{block}.conv1x1_")


def _tables(source: Source, name: str) -> tuple[Tensor, Tensor, dict[str, str]]:
    gain, bias = bare(source, f"{name}.gain"), bare(source, f"{name}.bias")
    names = {"gain": gain.names["weight"], "bias": bias.names["weight"]}
    return 1 + gain.effective.T, bias.effective.T, names


def _first(source: Source, name: str) -> Layer:
    """The first block's convolution with the batch norm behind it."""
    return _folded(source, name, "bn1", 0, with_norm_behind)


def _shortcut(source: Source, name: str) -> Layer:
    """A shortcut's convolution with the batch norm in front of it."""
    return _folded(source, name, "bn0", 1, with_norm_in_front)


def _folded(source: Source, name: str, beside: str, axis: int, join: Callable[[Layer, Values], Layer]) -> Layer:
    """beside: the batch norm's name.  axis: of the kernel, along which it works: 0 behind, 1 in front."""
    convolution = layer(source, name)
    normalised = BN(source, f"{name.rpartition('.')[0]}.{beside}")
    assert isinstance(normalised, Values)
    channels = (convolution.weight.shape[axis],)
    if any(value.shape != channels for value in normalised.values.values()):
        source.misshapen.append(f"{', '.join(normalised.names.values())} do not fit {convolution.names['weight']}")
        raise KeyError(name)
    return join(convolution, normalised)


BN: Kind = norm(eps=EPS)
