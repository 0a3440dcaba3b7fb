"""What a number was measured under. Numbers may be compared when their protocols agree; else the difference is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sagan.errors import ConfigError
from sagan.records import Record

Text = Annotated[str, Field(max_length=512)]
Count = Annotated[int, Field(ge=0)]


class Protocol(Record):
    """Everything beside the generator that moves a metric."""

    backbone: Text = Field(description="Name of the feature network.")
    weights: Text = Field(description="SHA-256 of its weights.")
    resize: Text = Field(description="How pictures come to its input.")
    data: Text = Field(description="Fingerprint of the real pictures.")
    resolution: Count = Field(description="Side of the squares, real and drawn, before that.")
    channels: Count = 3
    fit: Text = Field(default="crop", description="How the real pictures became square.")
    background: Text = "#ffffff"
    split: Text = Field(default="all", description="Which of the real pictures.")
    real: Count = Field(description="How many real pictures.")
    drawn: Count = Field(description="How many drawn pictures.")
    labels: Text = Field(default="uniform", description="Classes of the drawn pictures; none without classes.")
    truncation: float = Field(default=0.0, ge=0)
    statistics: Text = Field(default="running", description="Of the drawing network's batch norms.")
    ema: bool | None = Field(
        default=None, description="Whether the generator is the averaged one; null for pictures in files."
    )
    precision: Text = Field(default="fp32", description="In which the pictures were drawn.")
    library: Text = Field(default="", description="Version of sagan; does not bar a comparison.")
    seed: Count = Field(default=0, description="Of the drawn pictures and of subsets; does not bar a comparison.")


FREE = {"library", "seed"}  # another seed is another sample under the same protocol


class Number(Record):
    """One figure with what it was measured under.

    settings: what the metric itself was told, such as '100 subsets of 1000'.  higher: whether more is better, None for a
    spread.
    """

    metric: Text
    value: float
    settings: Text = ""
    higher: bool | None = None
    protocol: Protocol


def differences(a: Protocol, b: Protocol) -> list[str]:
    """Where two protocols differ in what bars a comparison: ['drawn: 10000 and 50000', ...]."""
    return [
        f"{name}: {getattr(a, name)} and {getattr(b, name)}"
        for name in Protocol.model_fields
        if name not in FREE and getattr(a, name) != getattr(b, name)
    ]


def difference(a: Number, b: Number) -> float:
    """a - b, for numbers of one metric under one protocol. Raises ConfigError that names every difference otherwise."""
    require_alike(a, b)
    return a.value - b.value


def require_alike(a: Number, b: Number) -> None:
    """Raise ConfigError naming every difference unless the numbers may be compared."""
    own = [
        f"{name}: {getattr(a, name)} and {getattr(b, name)}"
        for name in ("metric", "settings")
        if getattr(a, name) != getattr(b, name)
    ]
    _refuse([*own, *differences(a.protocol, b.protocol)])


def require_same(a: Protocol, b: Protocol) -> None:
    """The same of protocols alone, before there are numbers."""
    _refuse(differences(a, b))


def _refuse(apart: list[str]) -> None:
    if apart:
        raise ConfigError(
            f"these numbers may not be compared: {'; '.join(apart)}", remedy="Measure both under one protocol."
        )
