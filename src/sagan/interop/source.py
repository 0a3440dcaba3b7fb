"""A foreign state dict, taken tensor by tensor, so that what is missing and what has no rule are both known at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from sagan.errors import CheckpointIncompatible

SHOWN = 100  # names in one message
COUNTER = "num_batches_tracked"


class Source:
    """The tensors of one network.  where: its file, for messages.

    `missing` and `misshapen` collect what the rules found wrong; `check` tells all of it at once.
    """

    def __init__(self, tensors: Mapping[str, Tensor], where: object) -> None:
        self.tensors, self.where = dict(tensors), where
        self.missing: list[str] = []
        self.misshapen: list[str] = []
        self.counted = any(name.endswith(COUNTER) for name in tensors)  # torch before 0.4.1 did not count batches
        self._taken: set[str] = set()

    def has(self, start: str) -> bool:
        """Whether any name begins so."""
        return any(name.startswith(start) for name in self.tensors)

    def take(self, name: str, shape: tuple[int, ...] | None = None, beside: str = "") -> Tensor:
        """A tensor, as float32. shape: which it must have.  beside: the tensor that says so.

        Raises KeyError, having noted what is wrong.
        """
        tensor = self.tensors.get(name)
        self._taken.add(name)
        if tensor is None:
            self.missing.append(name)
            raise KeyError(name)
        if shape is not None and tuple(tensor.shape) != shape:
            other = f" beside {beside}, {size(self.tensors[beside])}" if beside else ""
            self.misshapen.append(f"{name} is {size(tensor)} where {words(shape)} is needed{other}")
            raise KeyError(name)
        if not tensor.is_floating_point():
            self.misshapen.append(f"{name} is of {tensor.dtype}")
            raise KeyError(name)
        return tensor.float()

    def drop(self, name: str, shape: tuple[int, ...]) -> None:
        """A tensor that must be there and that nothing here needs."""
        if name not in self.tensors:
            self.missing.append(name)
        elif tuple(self.tensors[name].shape) != shape:
            self.misshapen.append(f"{name} is {size(self.tensors[name])} where {words(shape)} is needed")
        self._taken.add(name)

    @contextmanager
    def rule(self, layer: str) -> Iterator[None]:
        """Inside, what is missing ends the rule but not the reading: the next rule may find more.

        layer: theirs. What the broken rule did not come to is no stranger.
        """
        try:
            yield
        except KeyError:
            if not (self.missing or self.misshapen):
                raise
            self._taken |= {name for name in self.tensors if name.startswith(f"{layer}.")}

    def dimensions(self, names: Collection[str], count: int) -> tuple[int, ...]:
        """The shape of the first of `names` that is there: sizes are read off it. Raises CheckpointIncompatible."""
        for name in names:
            if name in self.tensors:
                shape = tuple(self.tensors[name].shape)
                if len(shape) != count or not all(shape):
                    raise self.refusal(f"{name} is {size(self.tensors[name])}, which has not {count} dimensions")
                return shape
        raise self.refusal(f"missing {' or '.join(names)}")

    def check_finite(self) -> None:
        """Raises CheckpointIncompatible naming every tensor with NaN or infinity."""
        broken = [name for name, tensor in self.tensors.items() if not torch.isfinite(tensor).all()]
        if broken:
            raise self.refusal(f"values that are not finite in {listed(broken)}", "Take an older checkpoint.")

    def check(self, further: Collection[str] = ()) -> None:
        """Raises CheckpointIncompatible naming everything that is missing, misshapen or without a rule.

        further: what the comparison with our network found.
        """
        unknown = sorted(self.tensors.keys() - self._taken)
        told = [
            f"missing {listed(self.missing)}" if self.missing else "",
            f"without a rule {listed(unknown)}" if unknown else "",
            "; ".join([*self.misshapen, *further][:SHOWN]),
        ]
        if any(told):
            raise self.refusal("; ".join(filter(None, told)))

    def refusal(self, what: str, remedy: str = "docs/interop.md lists the networks that can be opened.") -> Exception:
        return CheckpointIncompatible(what, where=self.where, remedy=remedy)


def size(tensor: Tensor) -> str:
    """'64x3x3x3'"""
    return words(tuple(tensor.shape))


def words(shape: tuple[int, ...]) -> str:
    """(64, 3, 3, 3) -> '64x3x3x3'"""
    return "x".join(map(str, shape)) or "a single number"


def listed(names: Collection[str]) -> str:
    shown = list(names)[:SHOWN]
    return ", ".join(shown) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
