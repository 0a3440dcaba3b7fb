"""OpenVINO as an engine (the extra `openvino`): on the processor, in float32 or bf16.

Its precision is always said: left alone it computes in bf16 wherever the processor can, which is no choice of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sagan.engines.export import arrays, to_onnx
from sagan.engines.fold import Folded
from sagan.errors import ConfigError

HINTS = {"fp32": "f32", "bf16": "bf16"}


def require_openvino() -> Any:
    """The package. Raises ConfigError naming the extra when it, or what the export needs, is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import openvino
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed", remedy="pip install 'sagan-torch[openvino]', or use --engine torch."
        ) from None
    return openvino


def has_bf16() -> bool:
    """Whether OpenVINO can compute in bf16 here."""
    return "BF16" in require_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def write_ir(model: bytes, graph: Path, numbers: Path) -> None:
    """Write an ONNX model as OpenVINO's own form, its IR: an .xml and a .bin file. It can write to no memory."""
    package = require_openvino()
    from openvino.passes import Serialize

    Serialize(graph, numbers).run_on_model(package.Core().read_model(model))


def compile_model(*model: bytes, precision: str, threads: int) -> Any:
    """A model compiled for the processor.

    model: an ONNX model, or the two files of an IR.  precision: fp32 or bf16.  threads: of the processor.
    """
    core = require_openvino().Core()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, with every thread
    }
    return core.compile_model(core.read_model(*model), "CPU", settings)


class OpenVino:
    """A folded generator compiled by OpenVINO.  precision: fp32 or bf16.  threads: of the processor."""

    def __init__(self, folded: Folded, z_dim: int, precision: str, threads: int) -> None:
        require_openvino()  # before the seconds that making the model takes
        self._model = compile_model(to_onnx(folded, z_dim), precision=precision, threads=threads)
        self._classes = folded.classes

    def __call__(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """See `sampling.Engine`."""
        return torch.from_numpy(self._model(arrays(latents, labels, self._classes))[0])
