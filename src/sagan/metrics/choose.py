"""Which feature network the words of `--features` mean."""

from __future__ import annotations

from pathlib import Path

import torch

from sagan.errors import ConfigError
from sagan.metrics import offline
from sagan.metrics.features import FeatureNetwork
from sagan.metrics.foreign import function_features, onnx_features
from sagan.metrics.inception import inception_features
from sagan.metrics.offline import offline_features

DEFAULT = offline.NAME


def open_features(words: str = DEFAULT, device: torch.device | str = "cpu") -> FeatureNetwork:
    """sagan-32, inception:FILE, onnx:FILE or MODULE:FUNCTION.  device: for Inception; the others use the processor.

    Raises ConfigError, CheckpointError's children.
    """
    if words == DEFAULT:
        return offline_features()
    kind, colon, rest = words.partition(":")
    if colon and rest and kind == "inception":
        return inception_features(Path(rest), device)
    if colon and rest and kind == "onnx":
        return onnx_features(Path(rest))
    if colon and rest and all(part.isidentifier() for part in [*kind.split("."), rest]):
        return function_features(words)
    raise ConfigError(f"features are {words!r}", remedy=f"Use {DEFAULT}, inception:FILE, onnx:FILE or MODULE:FUNCTION.")
