"""The labels that a class-conditional layer or network cannot do without."""

from __future__ import annotations

from torch import Tensor

from sagan.errors import ConfigError


def required_labels(labels: Tensor | None, classes: int) -> Tensor:
    """The labels, (B,) int64, as they are. Raises ConfigError when there are none.  classes: K, for the message."""
    if labels is None:
        raise ConfigError(
            f"this network has {classes} {'class' if classes == 1 else 'classes'} and was called without labels",
            remedy=f"Pass labels: one whole number from 0 to {classes - 1} for each picture.",
        )
    return labels
