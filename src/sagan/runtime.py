"""The machine: device, threads, precision and allocator. The only room that knows about them."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import torch
from torch import nn

from sagan.errors import ConfigError

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Runtime:
    """Where and how a run computes."""

    device: torch.device
    threads: int

    def place(self, network: Network) -> Network:
        """Put a plain module where it will run. Nothing else in the library may move a model."""
        return network.to(self.device)

    def precision(self, asked: str) -> str:
        """'fp32' or 'bf16'. auto takes bf16 where the hardware multiplies it natively.

        Raises ConfigError when bf16 is asked of a device that has no autocast for it.
        """
        if asked != "auto":
            if asked == "bf16" and self.device.type == "mps":
                raise ConfigError("bf16 training is not supported on mps", remedy="Use --precision fp32.")
            return asked
        if self.device.type == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        return "bf16" if self.device.type == "cpu" and cpu_multiplies_bf16() else "fp32"

    def arithmetic(self, asked: str) -> Callable[[], AbstractContextManager[None]]:
        """A context in which forward passes run: bf16 autocast, or nothing for fp32."""
        if self.precision(asked) == "fp32":
            return nullcontext
        return lambda: torch.autocast(self.device.type, dtype=torch.bfloat16)


def choose_runtime(device: str = "auto", threads: int = 0) -> Runtime:
    """The runtime that the options name. device: auto (cuda, then mps, then cpu), cpu, cuda, cuda:N or mps.

    threads: of the processor; 0 means all cores this process may use. Raises ConfigError when the device is not there.
    """
    tune_allocator()
    torch.set_num_threads(threads or available_cores())
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device is {device!r}", remedy="Use auto, cpu, cuda, cuda:N or mps.") from None
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(chosen.type, False):
        raise ConfigError(f"device {device} is not available here", remedy="Use --device auto or --device cpu.")
    return Runtime(chosen, torch.get_num_threads())


def available_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache
def cpu_multiplies_bf16() -> bool:
    """Whether the processor has bf16 matrix or dot-product units (AMX or AVX512-BF16); emulation is slower than fp32."""
    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in probes)


@lru_cache
def tune_allocator() -> bool:
    """Keep glibc from returning large blocks to the system after each use: fewer page faults, about a tenth of a step.

    Does nothing, and says False, where there is no glibc.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # mallopt(3)
    libc = ctypes.CDLL(None)
    return all(
        libc.mallopt(what, value) == 1
        for what, value in ((mmap_threshold, 1 << 30), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28))
    )


def environment(runtime: Runtime, precision: str) -> dict[str, str | int]:
    """What a result depends on beside the record: compared when a run is resumed, stored with every figure."""
    device = runtime.device
    return {
        "sagan": _version("sagan-torch"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "pillow": _version("pillow"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": runtime.threads,
        "precision": precision,
    }


def processor_name() -> str:
    """The processor's model as the system names it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
