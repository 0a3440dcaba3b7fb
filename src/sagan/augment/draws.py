"""The random numbers of an augmentation, taken one after the other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOST = 28  # numbers that any augmentation takes for a picture
LARGEST = 1 - 2**-24  # below 1 in float32 too, so that neither a floor nor a normal number overflows


class Draws:
    """Uniform numbers (B, MOST) in (0, 1), a column at a time: each call takes the next one or two for every picture.

    probability: of each change that `chosen` decides about; a scalar, which may be a tensor.
    """

    def __init__(self, numbers: Tensor, probability: Tensor | float = 1.0) -> None:
        self._columns = iter(numbers.clamp(max=LARGEST).unbind(1))
        self._probability = probability

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(B,) between low and high."""
        return low + (high - low) * next(self._columns)

    def whole(self, low: int, high: int) -> Tensor:
        """(B,) whole numbers from low to high, both among them."""
        return (next(self._columns) * (high - low + 1)).floor() + low

    def normal(self, deviation: float) -> Tensor:
        """(B,) around 0."""
        return torch.erfinv(self.uniform(-1.0, 1.0)) * (deviation * math.sqrt(2))

    def power_of_two(self, deviation: float) -> Tensor:
        """(B,) factors around 1: two to the power of a normal number."""
        return torch.exp2(self.normal(deviation))

    def chosen(self, probability: Tensor | float | None = None) -> Tensor:
        """(B,) bool: where a change takes place. probability: None for the usual one."""
        return next(self._columns) < (self._probability if probability is None else probability)

    @property
    def half_probability(self) -> Tensor | float:
        """Of each of two like changes, so that one or the other takes place with the usual probability."""
        return 1 - (1 - self._probability) ** 0.5


def sometimes(chosen: Tensor, value: Tensor, neutral: float) -> Tensor:
    """(B,) the value where it is chosen, else the neutral one."""
    return torch.where(chosen, value, torch.full_like(value, neutral))
