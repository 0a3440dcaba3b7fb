"""Drawing from a finished generator, fast: other programs for the same pictures.

choose         which engine draws; what one is, says `sampling.Engine`
fold           a generator with everything worked out beforehand that does not change from picture to picture
plain          the layers that are left then
recipe         a folded generator as data, for programs that know nothing of torch
interpret      what such data computes, in torch's plainest functions
export         a folded generator as an ONNX model, for
onnx_runtime   ONNX Runtime (extra `onnx`), and
open_vino      OpenVINO (extra `openvino`)

The generator knows none of them, and stays what training, attention figures and the frozen pictures of the tests use.
"""

from __future__ import annotations

from sagan.engines.choose import EngineName, Precision, engine_runtime, open_engine
from sagan.engines.fold import Folded, fold

__all__ = ["EngineName", "Folded", "Precision", "engine_runtime", "fold", "open_engine"]
