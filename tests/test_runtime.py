from __future__ import annotations

import ctypes
import os
import platform
import sys
from types import SimpleNamespace

import pytest
import torch

from sagan import runtime
from sagan.errors import ConfigError, ResourceError
from sagan.runtime import (
    Runtime,
    available_cores,
    cache_folder,
    choose_runtime,
    cores_of_quota,
    environment,
    free_memory,
    has_accelerator,
    memory_errors,
    require_memory,
    tune_allocator,
)


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


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None), ("200000 100000\n", 2), ("250000 100000", 2), ("50000 100000", 1), ("100000 50000", 2),
        ("-1\n 100000\n", None), ("400000\n 100000\n", 4),  # version 1: two files
        ("", None), ("100000", None), ("100000 0", None), ("0 100000", None), ("two 100000", None), ("1 2 3", None),
    ],
)  # fmt: skip
def test_cores_of_a_quota(text, cores):
    assert cores_of_quota(text) == cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 6),
        ({"cpu.max": b"max 100000\n"}, 6),
        ({"cpu.max": b"300000 100000\n"}, 3),
        ({"cpu.max": b"900000 100000\n"}, 6),  # more than there are
        ({"cpu/cpu.cfs_quota_us": b"200000\n", "cpu/cpu.cfs_period_us": b"100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": b"-1\n", "cpu/cpu.cfs_period_us": b"100000\n"}, 6),
        ({"cpu/cpu.cfs_quota_us": b"200000\n"}, 6),
        ({"cpu.max": b"\xff\xfe"}, 6),
    ],
)
def test_available_cores_are_those_of_the_affinity_and_the_quota(files, cores, tmp_path, monkeypatch):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(runtime, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    assert available_cores() == cores


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


@pytest.mark.parametrize(
    ("kind", "waits"),
    [("cuda:1", [("cuda", torch.device("cuda:1"))]), ("mps", [("mps",)]), ("cpu", [])],
)
def test_synchronise_waits_for_the_device(kind, waits, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: seen.append(("cuda", device)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: seen.append(("mps",)))
    on(kind).synchronise()
    assert seen == waits


@pytest.mark.parametrize(("cuda", "mps"), [(True, False), (False, True), (False, False)])
def test_an_accelerator_is_either(cuda, mps, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert has_accelerator() is (cuda or mps)


REMEDY = "Use a smaller --batch-size, or --grad-accum 2 to work through it in parts."


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory."),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has\na total of 80 GiB"),
            "out of memory when 20.00 MiB more were needed.",
        ),
        (torch.OutOfMemoryError("Allocation on device"), "out of memory."),
        (
            RuntimeError(
                "[alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."
            ),
            "out of memory when 64 bytes more were needed.",
        ),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 7 bytes."),
            "out of memory when 7 bytes more were needed.",
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), "out of memory."),
    ],
)
def test_running_out_of_memory_is_one_line_with_a_remedy(error, line):
    with pytest.raises(ResourceError) as caught, memory_errors():
        raise error
    assert str(caught.value) == f"{line} {REMEDY}"
    assert caught.value.exit_code == 5 and caught.value.__cause__ is error


def test_the_processors_own_allocator_is_understood():
    with pytest.raises(ResourceError, match=r"^out of memory when 1152921504606846976 bytes more were needed\."):
        with memory_errors():
            torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyboardInterrupt()])
def test_other_errors_pass_unchanged(error):
    with pytest.raises(type(error)) as caught, memory_errors():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("limit", "refused", "result"),
    [
        (1 << 40, None, True),  # today's glibc takes all
        (32 << 20, None, True),  # an older one
        (0, None, False),
        (1 << 40, -1, False),
    ],
)
def test_every_setting_of_the_allocator_is_tried(limit, refused, result, monkeypatch):
    settings = {}

    def mallopt(what, value):
        if what == refused or (what == -3 and value > limit):
            return 0
        settings[what] = value
        return 1

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.28"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    tune_allocator.cache_clear()
    assert tune_allocator() is result
    tune_allocator.cache_clear()
    expected = {-3: min(limit, 1 << 30), -1: 2**31 - 1, -2: 1 << 28}
    for what in (-3 if limit == 0 else None, refused):
        expected.pop(what, None)
    assert settings == expected


def test_tuning_the_allocator_twice_does_no_harm(monkeypatch):
    assert tune_allocator() is tune_allocator()
    tune_allocator.cache_clear()
    monkeypatch.setattr(sys, "platform", "win32")
    assert tune_allocator() is False
    tune_allocator.cache_clear()


def test_a_containers_limit_bounds_free_memory(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemAvailable:    8388608 kB\n")
    (tmp_path / "own").write_text("4:memory:/job/7\n0::/job/7\n")
    monkeypatch.setattr(runtime, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(runtime, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(runtime, "CGROUPS", tmp_path)
    assert free_memory() == 8 << 30
    group = tmp_path / "job" / "7"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text(f"{3 << 30}\n")
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {1 << 30}\n")
    assert free_memory() == 8 << 30
    (group / "memory.max").write_text(f"{4 << 30}\n")
    assert free_memory() == 2 << 30, "what files hold is given back when asked"
    old = tmp_path / "memory" / "job" / "7"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("1000")
    (old / "memory.usage_in_bytes").write_text("2000")
    (old / "memory.stat").write_text("total_inactive_file 100\n")
    assert free_memory() == 0
    (old / "memory.limit_in_bytes").write_text(str(0x7FFFFFFFFFFFF000))
    (tmp_path / "memory" / "job" / "memory.limit_in_bytes").write_text("4096")  # that of a group above
    (tmp_path / "memory" / "job" / "memory.usage_in_bytes").write_text("96")
    (tmp_path / "memory" / "job" / "memory.stat").write_text("")
    assert free_memory() == 4000


def test_the_most_that_tensors_held():
    here = Runtime(torch.device("cpu"), 1)

    def work():
        first = torch.zeros(1000, 1000)
        second = first + 1
        del first
        third = second * 2
        return third.view(-1).sum(), second

    assert here.peak_memory(work) == pytest.approx(8e6, abs=100)
    weight = torch.ones(250_000, requires_grad=True)
    assert here.peak_memory(lambda: weight.exp().exp().exp()) == 3e6, "kept for a backward pass"
    assert here.peak_memory(lambda: weight.exp().exp().exp().sum().backward()) >= 4e6, "what that makes counts too"
    assert here.peak_memory(lambda: weight.view(-1)[:10]) == 0, "a view takes nothing"


def test_free_memory_is_what_the_system_says(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "CGROUPS", tmp_path / "none")
    said = tmp_path / "meminfo"
    monkeypatch.setattr(runtime, "MEMORY", said)
    assert free_memory() is None
    require_memory(2**60, "anything")  # nobody says that it is too much
    said.write_text("MemTotal:       9000000 kB\nMemAvailable:    3145728 kB\n")
    assert free_memory() == 3 * 2**30
    require_memory(3 * 2**30, "just this")
    with pytest.raises(
        ResourceError, match=r"^all of this takes 3\.5 GiB of memory, and 3\.0 GiB are free\. Choose"
    ) as caught:
        require_memory(7 * 2**29, "all of this")
    assert caught.value.exit_code == 5


def test_the_cache_lies_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    for system, expected in (("linux", ".cache/sagan"), ("darwin", "Library/Caches/sagan"), ("win32", ".cache/sagan")):
        monkeypatch.setattr(sys, "platform", system)
        assert cache_folder() == tmp_path / expected
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "sagan" / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "sagan"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard says to ignore such a one
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "sagan"


def test_without_a_home_there_is_no_cache(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", nobody)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() is None
