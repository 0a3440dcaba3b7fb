"""Which engine draws, where and in which precision.

    live          the generator itself, in float32: what training's grids and attention figures show
    torch         the generator folded (`engines.fold`): the default of `sagan sample`
    onnxruntime   the folded generator, compiled; on the processor
    openvino      the same, and in bf16 where the processor has units for it

A seed is the same latent for all of them, and the same pixels each time from one engine, in one precision, on one machine.
Between them pixels differ by rounding: in float32 by one level of 255 on rare pixels. In bf16 the differences are of half a
level in the mean and of some levels on rare pixels, more than between two machines and less than anybody sees.

Folding is the default because it costs less than the first batch takes and nothing in exactness. The compiled engines are not:
they are not installed with the package, and take seconds to start.
"""

from __future__ import annotations

from typing import Literal

import torch

from sagan.engines.fold import Folded, fold
from sagan.engines.onnx_runtime import OnnxRuntime, require_onnxruntime
from sagan.engines.open_vino import OpenVino, has_bf16, require_openvino
from sagan.errors import ConfigError
from sagan.models.network import Generator
from sagan.runtime import Runtime, choose_runtime
from sagan.sampling import Engine

EngineName = Literal["torch", "live", "onnxruntime", "openvino"]
Precision = Literal["auto", "fp32", "bf16"]

REQUIRED = {"onnxruntime": require_onnxruntime, "openvino": require_openvino}  # the compiled engines
TOLERANCE = {"fp32": 1e-3, "bf16": 0.25}  # of [-1, 1]: rounding stays far below, other pictures far above


def engine_runtime(name: EngineName, device: str = "auto") -> Runtime:
    """Where an engine computes; asked before a generator is opened, so that what is missing is told at once.

    device: as in `runtime.choose_runtime`. Raises ConfigError when the engine is not installed, or not for that device.
    """
    if name not in REQUIRED:
        return choose_runtime(device)
    REQUIRED[name]()
    if device not in ("auto", "cpu"):
        raise ConfigError(
            f"the engine {name} draws on the processor, not on {device}", remedy="Use --device cpu, or --engine torch."
        )
    return choose_runtime("cpu")


def open_engine(name: EngineName, generator: Generator, runtime: Runtime, precision: Precision = "auto") -> Engine:
    """An engine that draws what the generator draws now.

    generator: in eval mode, on the device of `runtime`.  precision: auto takes bf16 where the hardware multiplies it
    natively and the engine can use it. Raises ConfigError for a precision that the engine or the machine has not.
    """
    chosen = _precision(name, runtime, precision)
    if name == "live":
        return generator
    if name == "torch":
        return fold(generator, torch.bfloat16 if chosen == "bf16" else torch.float32)
    folded = fold(generator)
    engine: Engine
    if name == "onnxruntime":
        engine = OnnxRuntime(folded, generator.z_dim, runtime.threads)
    else:
        engine = OpenVino(folded, generator.z_dim, chosen, runtime.threads)
    _compare(name, engine, folded, generator.z_dim, TOLERANCE[chosen])
    return engine


def _precision(name: EngineName, runtime: Runtime, asked: Precision) -> str:
    """'fp32' or 'bf16'."""
    if name in ("live", "onnxruntime"):
        if asked == "bf16":
            raise ConfigError(
                f"the engine {name} computes in fp32", remedy="Leave out --precision, or use --engine torch."
            )
        return "fp32"
    if name == "openvino" and not has_bf16():
        if asked == "bf16":
            raise ConfigError("OpenVINO has no bf16 on this processor", remedy="Use --precision fp32.")
        return "fp32"
    return runtime.precision(asked)


def _compare(name: str, engine: Engine, folded: Folded, z_dim: int, tolerance: float) -> None:
    """A few pictures of a compiled engine beside torch's: compilers are large programs of others, and have faults."""
    latents = torch.randn(4, z_dim, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(4) % folded.classes if folded.classes else None
    with torch.no_grad():
        apart = float((engine(latents, labels) - folded(latents, labels)).abs().max())
    if not apart <= tolerance:
        raise ConfigError(
            f"{name} draws other pictures than the network, {apart:.2g} apart", remedy="Use --engine torch."
        )
