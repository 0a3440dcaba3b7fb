"""ONNX Runtime as an engine (the extra `onnx`): on the processor, in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sagan.engines.export import arrays, to_onnx
from sagan.engines.fold import Folded
from sagan.errors import ConfigError


def require_onnxruntime() -> Any:
    """The package. Raises ConfigError naming the extra when it, or what the export needs, is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed", remedy="pip install 'sagan-torch[onnx]', or use --engine torch."
        ) from None
    return onnxruntime


def open_session(model: bytes, threads: int) -> Any:
    """A model compiled by ONNX Runtime: its `InferenceSession`.  threads: of the processor."""
    package = require_onnxruntime()
    options = package.SessionOptions()
    options.intra_op_num_threads = threads
    return package.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    """A folded generator compiled by ONNX Runtime.  threads: of the processor."""

    def __init__(self, folded: Folded, z_dim: int, threads: int) -> None:
        require_onnxruntime()  # before the seconds that making the model takes
        self._session = open_session(to_onnx(folded, z_dim), threads)
        self._classes = folded.classes

    def __call__(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """See `sampling.Engine`."""
        (pictures,) = self._session.run(None, arrays(latents, labels, self._classes))
        return torch.from_numpy(pictures)
