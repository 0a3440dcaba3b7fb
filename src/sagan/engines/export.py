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
from torch import Tensor, nn

from sagan.engines.fold import Folded
from sagan.engines.plain import Attention
from sagan.errors import ConfigError
from sagan.layers.labels import required_labels

LATENTS, LABELS, PICTURES = "latents", "labels", "pictures"
LARGEST = 2**31 - 2**20  # bytes: protobuf's own bound on a message, with room for the graph


def to_onnx(folded: Folded, z_dim: int, *, attention: bool = False) -> bytes:
    """The model. Inputs: latents (B, z_dim) float32 and, with classes, labels (B,) int64; B is any. Output: pictures.

    folded: in float32, on the processor.  attention: each attention map is an output too, (B, H, W, H_k, W_k), under the
    layer's public name. Raises ConfigError where it is larger than such a file may be.
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
            Watched(folded) if attention else folded,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[PICTURES, *(attention_names(folded) if attention else ())],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) * len(inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: bytes = program.model_proto.SerializeToString()
    return model


def attention_names(folded: Folded) -> list[str]:
    """The attention layers whose maps can be had, in the order of the data."""
    return [stage.name for stage in folded.stages if isinstance(stage, Attention)]


class Watched(nn.Module):
    """A folded generator that gives its attention maps too."""

    def __init__(self, folded: Folded) -> None:
        super().__init__()
        self.folded = folded

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> tuple[Tensor, ...]:
        """As `Folded.forward` -> (pictures, the map of every attention layer in the order of `attention_names`)."""
        h, maps = latents, []
        for stage in self.folded.stages:
            if isinstance(stage, Attention):
                maps.append(stage.weights(h))
            h = stage(h, labels, latents)
        return h, *maps


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
