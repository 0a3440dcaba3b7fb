"""A folded generator as an ONNX model: the form in which the compiled engines take it. Needs onnx and onnxscript.

torch's exporter through torch.export (`dynamo=True`) made the same pictures as torch on every network tried, with any batch
size; the older one is deprecated. It takes some seconds, whatever the network's size.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sagan.engines.fold import Folded
from sagan.errors import ConfigError
from sagan.layers.labels import required_labels

LATENTS, LABELS = "latents", "labels"
LARGEST = 2**31 - 2**20  # bytes: protobuf's own bound on a message, with room for the graph


def to_onnx(folded: Folded, z_dim: int) -> bytes:
    """The model. Inputs: latents (B, z_dim) float32 and, with classes, labels (B,) int64; B is any.

    folded: in float32, on the processor. Raises ConfigError where it is larger than such a file may be.
    """
    count = sum(tensor.numel() * tensor.element_size() for tensor in folded.state_dict().values())
    if count > LARGEST:
        raise ConfigError(
            f"this generator has {count / 2**30:.1f} GiB of weights, too many for an ONNX model in one piece",
            remedy="Use --engine torch.",
        )
    inputs = {LATENTS: torch.zeros(2, z_dim)}
    if folded.classes:
        inputs[LABELS] = torch.zeros(2, dtype=torch.int64)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            folded,
            tuple(inputs.values()),
            input_names=list(inputs),
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) * len(inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model


def arrays(latents: Tensor, labels: Tensor | None, classes: int) -> dict[str, NDArray[Any]]:
    """The inputs by name, as such a model takes them. Raises ConfigError when there are classes and no labels."""
    given = {LATENTS: latents.numpy()}
    if classes:
        given[LABELS] = required_labels(labels, classes).numpy()
    return given


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, neither warnings nor log lines: the exporter tells of torchvision's absence and of its own old habits."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
