"""How one layer of theirs becomes one of ours. A rule is (our layer, their layer, one of these functions).

Spectral norm is stored in five ways. The original weight, u and v come over wherever our matrix is theirs; else the weight
comes divided by its sigma, which draws the same pictures.

    torch's older      weight_orig, weight_u, weight_v                     sigma = u' W v as stored
    torch's newer      parametrizations.weight.original, .0._u, .0._v      the same
    BigGAN-PyTorch     weight, u0, sv0                                     one iteration from u0 at every pass, also in eval
    mimicry's own      weight, sn_u, sn_sigma                              the same
    heykeetae          weight_bar, weight_u, weight_v                      the same, with in x ... rows of transposed kernels
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sagan.interop.source import COUNTER, Source

EPS = 1e-5  # of our batch norms; another one of theirs goes into the variance, to the same effect in eval mode


@dataclass(frozen=True)
class Layer:
    """A weight, with the vectors of its spectral norm or without. names: ours under the layer -> theirs."""

    weight: Tensor
    u: Tensor | None
    v: Tensor | None
    rest: dict[str, Tensor]
    names: dict[str, str]

    @property
    def effective(self) -> Tensor:
        """The weight that multiplies: divided by sigma where there is a norm."""
        if self.u is None or self.v is None:
            return self.weight
        sigma = self.u.double() @ self.weight.flatten(1).double() @ self.v.double()
        return (self.weight.double() / sigma).float()


@dataclass(frozen=True)
class Values:
    """Tensors of a layer without a weight to normalise."""

    values: dict[str, Tensor]
    names: dict[str, str]


Kind = Callable[[Source, str], Layer | Values]
Rule = tuple[str, str, Kind]


def layer(source: Source, name: str) -> Layer:
    """A convolution or matrix with a bias, in any style of spectral norm or without."""
    found = bare(source, name)
    bias = source.take(f"{name}.bias", (len(found.weight),), found.names["weight"])
    return Layer(found.weight, found.u, found.v, {"bias": bias}, found.names | {"bias": f"{name}.bias"})


def bare(source: Source, name: str) -> Layer:
    """The same without a bias; a table of classes too."""
    newer = f"{name}.parametrizations.weight"
    if any(f"{name}.{word}" in source.tensors for word in ("weight_orig", "weight_u", "weight_v")):
        return _stored(source, f"{name}.weight_orig", f"{name}.weight_u", f"{name}.weight_v")
    if source.has(f"{newer}."):
        return _stored(source, f"{newer}.original", f"{newer}.0._u", f"{newer}.0._v")
    for u, counter in (("u0", "sv0"), ("sn_u", "sn_sigma")):
        if any(f"{name}.{word}" in source.tensors for word in (u, counter)):
            source.drop(f"{name}.{counter}", (1,))
            weight = source.take(f"{name}.weight")
            start = source.take(f"{name}.{u}", (1, len(weight)), f"{name}.weight")
            return Layer(weight, *_iterate(weight, start[0]), {}, {"weight": f"{name}.weight", "u": f"{name}.{u}"})
    return Layer(source.take(f"{name}.weight"), None, None, {}, {"weight": f"{name}.weight"})


def heykeetae_layer(source: Source, name: str) -> Layer:
    """Its SpectralNorm over a convolution. Of a transposed one the matrix is another than ours: divided at once."""
    inner = f"{name}.module"
    weight = source.take(f"{inner}.weight_bar")
    rows, columns = weight.flatten(1).shape
    source.take(f"{inner}.weight_v", (columns,), f"{inner}.weight_bar")  # which its iteration makes anew from u
    u, v = _iterate(weight, source.take(f"{inner}.weight_u", (rows,), f"{inner}.weight_bar"))
    bias = source.take(f"{inner}.bias")
    names = {"weight": f"{inner}.weight_bar", "u": f"{inner}.weight_u", "bias": f"{inner}.bias"}
    return Layer(weight, u, v, {"bias": bias}, names)


def heykeetae_transposed(source: Source, name: str) -> Layer:
    """See `heykeetae_layer`."""
    found = heykeetae_layer(source, name)
    return Layer(found.effective, None, None, found.rest, found.names)


def _stored(source: Source, weight_name: str, u_name: str, v_name: str) -> Layer:
    weight = source.take(weight_name)
    rows, columns = weight.flatten(1).shape if weight.ndim > 1 else (len(weight) if weight.ndim else 1, 1)
    u, v = source.take(u_name), source.take(v_name)
    if tuple(u.shape) != (rows,) or tuple(v.shape) != (columns,):
        shapes = ", ".join(
            f"{n} {'x'.join(map(str, t.shape))}" for n, t in ((weight_name, weight), (u_name, u), (v_name, v))
        )
        source.misshapen.append(f"these do not fit together: {shapes}")
        raise KeyError(weight_name)
    return Layer(weight, u, v, {}, {"weight": weight_name, "u": u_name, "v": v_name})


def _iterate(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """(u, v) after the iteration that theirs makes before it reads the weight."""
    matrix = weight.flatten(1)
    v = F.normalize(matrix.mT @ u, dim=0)
    return F.normalize(matrix @ v, dim=0), v


def norm(gain: str = "weight", mean: str = "running_mean", var: str = "running_var", *, eps: float = EPS) -> Kind:
    """Batch norm with one gain and bias a channel, under their names."""

    def read(source: Source, name: str) -> Values:
        _drop_counter(source, name)
        names = {"gain": gain, "bias": "bias", "running_mean": mean, "running_var": var}
        names = {ours: f"{name}.{theirs}" for ours, theirs in names.items()}
        values = {ours: source.take(theirs) for ours, theirs in names.items()}
        return Values(_with_eps(values, eps), names)

    return read


def class_norm(
    tables: Callable[[Source, str], tuple[Tensor, Tensor, dict[str, str]]],
    statistics: str,
    mean: str = "running_mean",
    var: str = "running_var",
    *,
    eps: float = EPS,
) -> Kind:
    """Batch norm with tables of classes.

    tables: (gains (K, C), biases (K, C), names), complete: with the 1 added where theirs adds it.
    statistics: what stands between the layer's name and its running mean and variance, such as '.bn'.
    """

    def read(source: Source, name: str) -> Values:
        _drop_counter(source, name + statistics)
        names = {"running_mean": f"{name}{statistics}.{mean}", "running_var": f"{name}{statistics}.{var}"}
        values = {ours: source.take(theirs) for ours, theirs in names.items()}
        gain, bias, of_tables = tables(source, name)
        return Values(_with_eps({"gain": gain, "bias": bias, **values}, eps), names | of_tables)

    return read


def gate(name: str, shape: tuple[int, ...]) -> Kind:
    """The attention's gamma, a number on its own or an array of one."""

    def read(source: Source, prefix: str) -> Values:
        value = source.take(f"{prefix}.{name}", shape)
        return Values({"gamma": value.reshape(())}, {"gamma": f"{prefix}.{name}"})

    return read


def attention(ours: str, theirs: str, names: str = "theta phi g o", suffix: str = "", *, gamma: Kind) -> list[Rule]:
    """The rules of the released code's block. names: theirs of query, key, value and output.  suffix: behind each."""
    parts = zip(("query", "key", "value", "output"), names.split(), strict=True)
    return [(ours, theirs, gamma), *((f"{ours}.{mine}", f"{theirs}.{name}{suffix}", bare) for mine, name in parts)]


def epsilon(found: object, usual: float) -> float:
    """A batch norm's epsilon as a file says it, or the usual one where that cannot be one."""
    return found if isinstance(found, float) and 0 < found < 1 else usual


def _with_eps(values: dict[str, Tensor], eps: float) -> dict[str, Tensor]:
    return values | {"running_var": (values["running_var"].double() + (eps - EPS)).float()}


def _drop_counter(source: Source, name: str) -> None:
    if source.counted:
        source.drop(f"{name}.{COUNTER}", ())


def with_norm_behind(convolution: Layer, normalised: Values) -> Layer:
    """A convolution with a batch norm behind it, in eval mode, as one."""
    scale, shift = _scale_shift(normalised)
    weight = convolution.effective.double() * scale.reshape(-1, *[1] * (convolution.weight.ndim - 1))
    bias = convolution.rest["bias"].double() * scale + shift
    return Layer(weight.float(), None, None, {"bias": bias.float()}, convolution.names)


def with_norm_in_front(convolution: Layer, normalised: Values) -> Layer:
    """A 1x1 convolution with a batch norm in front, in eval mode, as one."""
    scale, shift = _scale_shift(normalised)
    weight = convolution.effective.double()
    bias = convolution.rest["bias"].double() + torch.einsum("oihw,i->o", weight, shift)
    return Layer((weight * scale[:, None, None]).float(), None, None, {"bias": bias.float()}, convolution.names)


def _scale_shift(normalised: Values) -> tuple[Tensor, Tensor]:
    gain, bias, mean, var = (
        normalised.values[name].double() for name in ("gain", "bias", "running_mean", "running_var")
    )
    scale = gain / (var + EPS).sqrt()
    return scale, bias - mean * scale
