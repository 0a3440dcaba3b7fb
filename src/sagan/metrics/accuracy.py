"""Classification accuracy score (Ravuri & Vinyals 2019, arXiv:1905.10887): learn classes from drawn pictures, name real ones.

The paper trains a residual network on pixels; here a linear classifier learns on the same features as the other metrics. That
is a convex problem, solved to its end in float64 from zero: there is no luck in it, and no seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sagan.errors import ConfigError

DECAY = 1e-4  # of the weights; keeps the problem bounded where classes can be told apart without a mistake
STEPS = 100

Features = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def classification_accuracy(
    train: Features, train_labels: Labels, test: Features, test_labels: Labels, classes: int
) -> float:
    """Share of `test` (m, d) that a classifier fitted on `train` (n, d) names right; labels in 0..classes-1.

    Raises ConfigError when a class has nothing to learn from.
    """
    missing = np.flatnonzero(np.bincount(train_labels, minlength=classes) == 0)
    if len(missing):
        raise ConfigError(f"class number {missing[0]} has no picture to learn from", remedy="Draw more with -n.")
    mean, scale = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-9 * max(1.0, float(scale.max())), scale, 1.0)

    def ready(features: Features) -> torch.Tensor:
        return torch.from_numpy((features - mean) / scale)

    weight, bias = _fit(ready(train), torch.from_numpy(train_labels), classes)
    named = (ready(test) @ weight + bias).argmax(1).numpy()
    return float((named == test_labels).mean())


def _fit(x: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Multinomial logistic regression on x (n, d) in float64 -> weight (d, classes), bias (classes,)."""
    weight = torch.zeros(x.shape[1], classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, history_size=20, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = F.cross_entropy(x @ weight + bias, labels) + DECAY * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
    return weight.detach(), bias.detach()
