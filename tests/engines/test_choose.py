"""Which engine, where and in which precision; and what is said when it cannot be."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from sagan.engines import choose
from sagan.engines.choose import engine_runtime, open_engine
from sagan.engines.fold import Folded
from sagan.engines.plain import ScaleShift
from sagan.errors import ConfigError
from sagan.models.config import ModelConfig
from sagan.runtime import Runtime
from sagan.sampling import draw

SMALL = ModelConfig(resolution=16, g_ch=16, z_dim=12)
CPU = Runtime(torch.device("cpu"), 1)


class Quick(Runtime):
    """A machine that multiplies bf16."""

    def precision(self, asked):
        return "bf16" if asked == "auto" else asked


FAST = Quick(torch.device("cpu"), 1)


@pytest.fixture
def generator(like_trained):
    return like_trained(SMALL, 3)


def precision_of(engine: Folded) -> torch.dtype:
    return next(module.table.dtype for module in engine.modules() if isinstance(module, ScaleShift))


def test_live_is_the_generator_itself_in_float32_everywhere(generator):
    assert open_engine("live", generator, FAST) is generator
    assert np.array_equal(draw(generator, range(3)), draw(generator, range(3), engine=generator))


@pytest.mark.parametrize(
    ("runtime", "asked", "expected"),
    [
        (CPU, "fp32", torch.float32),
        (CPU, "bf16", torch.bfloat16),
        (FAST, "auto", torch.bfloat16),
        (FAST, "fp32", torch.float32),
    ],
)
def test_torch_folds_in_the_precision_of_the_machine(generator, runtime, asked, expected):
    engine = open_engine("torch", generator, runtime, asked)
    assert isinstance(engine, Folded) and precision_of(engine) == expected


@pytest.mark.parametrize("name", ["live", "onnxruntime"])
def test_float32_alone(generator, name):
    with pytest.raises(
        ConfigError, match=f"^the engine {name} computes in fp32. Leave out --precision, or use --engine"
    ):
        open_engine(name, generator, FAST, "bf16")


@pytest.mark.parametrize(
    ("able", "runtime", "asked", "expected"),
    [
        (False, FAST, "auto", "fp32"),
        (True, FAST, "auto", "bf16"),
        (True, CPU, "fp32", "fp32"),
        (True, CPU, "bf16", "bf16"),
        (True, FAST, "fp32", "fp32"),
    ],
)
def test_openvino_takes_bf16_where_both_it_and_the_processor_can(monkeypatch, able, runtime, asked, expected):
    monkeypatch.setattr(choose, "has_bf16", lambda: able)
    assert choose._precision("openvino", runtime, asked) == expected


def test_openvino_without_bf16(monkeypatch):
    monkeypatch.setattr(choose, "has_bf16", lambda: False)
    with pytest.raises(ConfigError, match="^OpenVINO has no bf16 on this processor. Use --precision fp32.$"):
        choose._precision("openvino", FAST, "bf16")


@pytest.mark.parametrize(
    ("engine", "absent", "extra"),
    [
        ("onnxruntime", "onnxruntime", "onnx"),
        ("onnxruntime", "onnxscript", "onnx"),
        ("openvino", "openvino", "openvino"),
        ("openvino", "onnx", "openvino"),
    ],
)
def test_what_is_not_installed_is_told_in_a_line(monkeypatch, engine, absent, extra):
    for name in ("onnx", "onnxruntime", "onnxscript", "openvino"):
        monkeypatch.setitem(sys.modules, name, None if name == absent else sys)
    with pytest.raises(ConfigError) as info:
        engine_runtime(engine)
    assert str(info.value) == (f"{absent} is not installed. pip install 'sagan-torch[{extra}]', or use --engine torch.")


def test_a_compiled_engine_draws_on_the_processor(monkeypatch):
    monkeypatch.setitem(choose.REQUIRED, "openvino", lambda: None)
    with pytest.raises(ConfigError, match="^the engine openvino draws on the processor, not on cuda. Use --device cpu"):
        engine_runtime("openvino", "cuda")
    assert engine_runtime("openvino", "auto").device == torch.device("cpu")
    with pytest.raises(ConfigError, match="^device is 'warp'"):
        engine_runtime("torch", "warp")


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_an_engine_that_draws_something_else_is_refused(generator, monkeypatch, wrong):
    """As a compiler with a fault would."""

    class Faulty:
        def __init__(self, folded, z_dim, threads):
            self.folded = folded

        def __call__(self, latents, labels=None):
            pictures = self.folded(latents, labels)
            pictures[-1, 0, 5, 5] += wrong
            return pictures

    monkeypatch.setattr(choose, "OnnxRuntime", Faulty)
    with pytest.raises(
        ConfigError, match="^onnxruntime draws other pictures than the network, .* Use --engine torch.$"
    ):
        open_engine("onnxruntime", generator, CPU)
    wrong = 1e-5
    assert isinstance(open_engine("onnxruntime", generator, CPU), Faulty)
