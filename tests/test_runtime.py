from __future__ import annotations

import os
import sys

import pytest
import torch

from sagan import runtime
from sagan.errors import ConfigError
from sagan.runtime import Runtime, available_cores, choose_runtime, environment, tune_allocator


@pytest.fixture(autouse=True)
def threads_put_back():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def on(kind):
    return Runtime(torch.device(kind), 1)


def test_threads_are_set_and_zero_takes_every_core():
    assert choose_runtime("cpu", 1).threads == torch.get_num_threads() == 1
    assert choose_runtime("cpu", 0).threads == available_cores() >= 1
    if hasattr(os, "sched_getaffinity"):
        assert available_cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_cuda_then_mps_then_cpu(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_runtime("auto", 1).device.type == chosen


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "meta"])
def test_a_device_that_is_not_here_is_refused(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=f"^device {device} is not available here. Use --device auto or --device cpu.$"
    ):
        choose_runtime(device, 1)


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_runtime("cuda:1", 1).device.index == 1
    with pytest.raises(ConfigError, match="device cuda:2 is not available"):
        choose_runtime("cuda:2", 1)


@pytest.mark.parametrize("device", ["gpu0", "", "cpu cpu"])
def test_a_device_that_is_none_is_refused(device):
    with pytest.raises(ConfigError, match="^device is '.*'. Use auto, cpu, cuda, cuda:N or mps.$"):
        choose_runtime(device, 1)


@pytest.mark.parametrize(("units", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_asks_the_hardware(monkeypatch, units, expected):
    monkeypatch.setattr(runtime, "cpu_multiplies_bf16", lambda: units)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: units and not including_emulation)
    assert on("cpu").precision("auto") == expected
    assert on("cuda").precision("auto") == expected
    assert on("mps").precision("auto") == "fp32"
    assert (on("cpu").precision("fp32"), on("cpu").precision("bf16")) == ("fp32", "bf16")


def test_bf16_is_refused_where_there_is_no_autocast_for_it():
    with pytest.raises(ConfigError, match="bf16 training is not supported on mps. Use --precision fp32."):
        on("mps").precision("bf16")


@pytest.mark.parametrize(("asked", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_arithmetic_is_entered_again_and_again(asked, dtype):
    context = on("cpu").arithmetic(asked)
    for _ in range(2):
        with context():
            assert torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == dtype
    assert torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == torch.float32


def test_place_moves_a_module_and_returns_it():
    layer = torch.nn.Linear(2, 2)
    moved = Runtime(torch.device("meta"), 1).place(layer)
    assert moved is layer and layer.weight.device.type == "meta"


def test_what_a_result_depends_on():
    facts = environment(on("cpu"), "bf16")
    assert facts["torch"] == torch.__version__ and facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (facts["device"], facts["threads"], facts["precision"]) == ("cpu", 1, "bf16")
    assert {"sagan", "numpy", "pillow", "system", "processor"} <= facts.keys()
    assert all(isinstance(value, (str, int)) and value != "" for value in facts.values())


def test_tuning_the_allocator_twice_does_no_harm(monkeypatch):
    assert tune_allocator() is tune_allocator()
    tune_allocator.cache_clear()
    monkeypatch.setattr(sys, "platform", "win32")
    assert tune_allocator() is False
    tune_allocator.cache_clear()
