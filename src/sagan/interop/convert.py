"""A table of rules to one of our networks, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sagan.errors import ConfigError
from sagan.interop.kinds import Layer, Rule, Values
from sagan.interop.source import Source, size
from sagan.models.config import ModelConfig
from sagan.models.network import Discriminator, Generator

Outline = Callable[[ModelConfig, int], Generator | Discriminator]


@dataclass(frozen=True)
class Plan:
    """What an adapter makes of one network.

    options: of our record, as the tensors' shapes tell them.  classes: 0 for none.  rules: one for each layer.
    anchors: the tensors that sizes were read off.  notes: what does not come over as it was.
    """

    options: dict[str, Any]
    classes: int
    rules: list[Rule]
    anchors: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Converted:
    """tensors: of our network, by our names.  names: ours -> theirs.  spectral: whether norms came over as such."""

    tensors: dict[str, Tensor]
    names: dict[str, str]
    spectral: bool


def read_layers(source: Source, rules: list[Rule]) -> list[tuple[str, Layer | Values]]:
    """Every rule followed; what is wrong is noted in `source`."""
    found: list[tuple[str, Layer | Values]] = []
    source.check_finite()
    for ours, theirs, kind in rules:
        with source.rule(theirs):
            found.append((ours, kind(source, theirs)))
    return found


def keeps_spectral_norm(layers: list[tuple[str, Layer | Values]], never: tuple[str, ...] = ()) -> bool:
    """Whether every weight that ours would normalise has the vectors for it. never: layers that ours leaves plain."""
    weights = [part for name, part in layers if isinstance(part, Layer) and not name.startswith(never)]
    return all(part.u is not None for part in weights)


def assemble(
    source: Source,
    layers: list[tuple[str, Layer | Values]],
    *,
    spectral: bool,
    never: tuple[str, ...] = (),
) -> Converted:
    """Our names for everything. spectral, never: see `keeps_spectral_norm`."""
    tensors: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    for name, part in layers:
        if isinstance(part, Values):
            tensors |= {f"{name}.{key}": value for key, value in part.values.items()}
            names |= {f"{name}.{key}": theirs for key, theirs in part.names.items()}
            continue
        tensors |= {f"{name}.{key}": value for key, value in part.rest.items()}
        names |= {f"{name}.{key}": part.names.get(key, "") for key in part.rest}
        if spectral and not name.startswith(never):
            assert part.u is not None and part.v is not None
            place = f"{name}.parametrizations.weight"
            tensors |= {f"{place}.original": part.weight, f"{place}.0.u": part.u, f"{place}.0.v": part.v}
            keys = {f"{place}.original": "weight", f"{place}.0.u": "u", f"{place}.0.v": "v"}
            names |= {ours: part.names.get(key, part.names["u"]) for ours, key in keys.items()}
        else:
            tensors[f"{name}.weight"] = part.effective
            names[f"{name}.weight"] = part.names["weight"]
    return Converted(tensors, names, spectral)


def compared(source: Source, found: Converted, outline: Outline, model: ModelConfig, plan: Plan) -> Converted:
    """`found` with every name and shape that our network of that record has. Raises CheckpointIncompatible with theirs."""
    try:
        expected: Mapping[str, Tensor] = outline(model, plan.classes).state_dict()
    except ConfigError as error:
        raise source.refusal(error.what) from None
    wrong = [
        f"{found.names[name]} is {size(source.tensors[found.names[name]])}, and as our {name} would be {size(tensor)}"
        f" where {size(expected[name])} is needed"
        for name, tensor in found.tensors.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if wrong or source.missing or source.misshapen:
        shapes = ", ".join(f"{name} {size(source.tensors[name])}" for name in plan.anchors if name in source.tensors)
        wrong.append(f"sizes were read off {shapes}")
    source.check(wrong)
    strays = sorted(found.tensors.keys() ^ expected.keys())
    if strays:
        raise source.refusal(f"no network of ours has its layers: they differ in {', '.join(strays[:8])}")
    return found
