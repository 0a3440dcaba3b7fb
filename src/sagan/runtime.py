"""The machine: device, threads, precision and allocator. The only room that knows about them."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, UntypedStorage, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sagan.errors import ConfigError, ResourceError
from sagan.ranks import Launch

Network = TypeVar("Network", bound=nn.Module)

CGROUPS = Path("/sys/fs/cgroup")  # where Linux says how much processor time a container may use
MEMORY = Path("/proc/meminfo")  # where it says how much memory is left
OWN_GROUP = Path("/proc/self/cgroup")  # and which container's limits are this process's
SMALLER_BATCH = "Use a smaller --batch-size, or --grad-accum 2 to work through it in parts."
OUT_OF_MEMORY = ("defaultcpuallocator: can't allocate memory", "not enough memory", "out of memory")  # in small letters


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

    def compile(self, *networks: nn.Module) -> None:
        """Let torch.compile make the forward passes of plain modules, in place; their names and tensors stay.

        Compiling waits until a network is called with a batch of a new size, and takes a minute or more then. What is
        called by `network.forward` stays as it was: derivatives of second order do not pass through compiled code.
        Raises ConfigError where the compiler does not work, before anything depends on it.
        """
        try:
            probe = torch.compile(torch.neg)(torch.zeros(8, device=self.device))
        except Exception as error:  # a missing C++ compiler, Triton or header: each raises something of its own
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ConfigError(
                f"torch.compile does not work here: {reason}",
                remedy="Leave out --compile, or install what is missing (on a processor, a C++ compiler).",
            ) from error
        assert not probe.any()
        for network in networks:
            network.compile(dynamic=False)

    def free_memory(self) -> int | None:
        """Bytes that tensors may still take here; None where nobody says."""
        if self.device.type == "cuda":
            cached = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
            return torch.cuda.mem_get_info(self.device)[0] + cached
        return free_memory()

    def peak_memory(self, work: Callable[[], object]) -> int:
        """Bytes that tensors took at most while `work()` ran, beyond those that were there before."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            before = torch.cuda.memory_allocated(self.device)
            work()
            return torch.cuda.max_memory_allocated(self.device) - before
        with _Tally() as tally:
            work()
        return tally.most

    def synchronise(self) -> None:
        """Wait until the device has done all that it was asked, so that a clock read now is right."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def choose_runtime(device: str = "auto", threads: int = 0, launch: Launch | None = None) -> Runtime:
    """The runtime that the options name. device: auto (cuda, then mps, then cpu), cpu, cuda, cuda:N or mps.

    threads: of the processor; 0 means all cores this process may use.  launch: by torchrun; its processes on one machine
    share out the cores, and auto and cuda mean a device for each. Raises ConfigError when the device is not there.
    """
    tune_allocator()
    sharing = launch.local_size if launch else 1
    torch.set_num_threads(threads or max(1, available_cores() // sharing))
    if device == "auto":
        device = "cpu" if not has_accelerator() else "cuda" if torch.cuda.is_available() else "mps"
    if device == "cuda" and launch:
        device = f"cuda:{launch.local_rank}"
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


def read_launch() -> Launch | None:
    """What torchrun told this process, or None when nothing did. Raises ConfigError for words that make no sense."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        return Launch(
            rank=rank,
            size=size,
            local_rank=int(os.environ.get("LOCAL_RANK", rank)),
            local_size=int(os.environ.get("LOCAL_WORLD_SIZE", size)),
            host=os.environ["MASTER_ADDR"],
            port=int(os.environ["MASTER_PORT"]),
            attempt=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
            shared_store=os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        )
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"RANK and WORLD_SIZE are set, and {error} is missing or no number",
            remedy="Start with torchrun, or unset RANK to train in one process.",
        ) from None


class _Tally(TorchDispatchMode):
    """Inside, the bytes of every tensor that an operation makes are counted for as long as it lives.

    What kernels take for themselves is not seen. The storages of results that share one are counted once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's has no types
        self._held: dict[int, tuple[int, weakref.ref[UntypedStorage]]] = {}
        self._now = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        known = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                if id(storage) not in known and id(storage) not in self._held:
                    self._hold(storage)
        return result

    def _hold(self, storage: UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()

        def freed(_: object) -> None:
            self._now -= size
            del self._held[key]

        self._held[key] = size, weakref.ref(storage, freed)
        self._now += size
        self.most = max(self.most, self._now)


def has_accelerator() -> bool:
    """Whether `auto` would find something faster than the processor."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def device_memory(device: torch.device) -> int:
    """Bytes of an accelerator's memory; 0 for a processor, and where the system does not say."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else 0


@contextmanager
def memory_errors(remedy: str | Callable[[], str] = SMALLER_BATCH) -> Iterator[None]:
    """Inside, running out of memory, the device's or the machine's, is a ResourceError of one line.

    remedy: what to do about it, or what says so then. Other errors pass unchanged, also other RuntimeErrors.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        known = any(words in text.lower() for words in OUT_OF_MEMORY)
        if not (known or isinstance(error, (MemoryError, torch.OutOfMemoryError))):
            raise
        asked = re.search(r"tried to allocate ([\d.]+ \w+)", text, re.IGNORECASE)
        raise ResourceError(
            "out of memory" + (f" when {asked[1]} more were needed" if asked else ""),
            remedy=remedy if isinstance(remedy, str) else remedy(),
        ) from error


def free_memory() -> int | None:
    """Bytes of memory that this process can still get without swapping; None where the system does not say.

    The least of what the machine has left and what a container's limit leaves.
    """
    left = list(_left_in_groups())
    with suppress(OSError, UnicodeDecodeError):
        if found := re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text(encoding="utf-8")):
            left.append(int(found[1]) << 10)
    return min(left, default=None)


def _left_in_groups() -> Iterator[int]:
    """What the limits on this process's memory leave, in either version of cgroups; nothing where there is no limit.

    What the system holds of files and gives back when asked (inactive_file) does not count as used.
    """
    groups = {CGROUPS, CGROUPS / "memory"}
    with suppress(OSError, UnicodeDecodeError):
        own = re.findall(r"^\d+:(?:|.*\bmemory\b.*):/(.+)$", OWN_GROUP.read_text(encoding="utf-8"), re.MULTILINE)
        paths = {path for name in own for path in (Path(name), *Path(name).parents)}
        groups |= {root / path for root in tuple(groups) for path in paths}
    for folder in groups:
        for limit, usage in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            with suppress(OSError, ValueError):  # "max" stands for no limit
                most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
                held = re.search(
                    r"^(?:total_)?inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE
                )
                if most < 1 << 60:  # version 1 says so that there is no limit
                    yield max(0, most - used + (int(held[1]) if held else 0))


def require_memory(count: int, what: str) -> None:
    """Refuse, before anything is allocated, what cannot fit. Raises ResourceError.

    count: bytes.  what: the start of the message, such as 'opening this generator'.
    """
    free = free_memory()
    if free is not None and count > free:
        raise ResourceError(
            f"{what} takes {count / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} GiB are free",
            remedy="Choose smaller networks, or a machine with more memory.",
        )


def available_cores() -> int:
    """Cores this process may keep busy: those it may run on, or fewer where a container's quota allows less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([cores, *filter(None, map(cores_of_quota, _quotas()))])


def cores_of_quota(text: str) -> int | None:
    """Whole cores, at least 1, that a quota such as "200000 100000" (microseconds, of every so many) allows.

    None where there is no limit ("max 100000" in version 2 of cgroups, "-1 100000" in version 1) or no sense.
    """
    numbers = re.fullmatch(r"(\d+)\s+(\d+)\s*", text)
    if numbers is None or int(numbers[1]) == 0 or int(numbers[2]) == 0:
        return None
    return max(1, int(numbers[1]) // int(numbers[2]))  # rounded down: threads that wait for a halted one are no gain


def _quotas() -> Iterator[str]:
    """The quotas on this process's processor time, "quota period" in either version of cgroups."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            yield " ".join((CGROUPS / name).read_text(encoding="utf-8") for name in names)
        except (OSError, UnicodeDecodeError):
            continue


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

    def accepted(what: int, value: int) -> bool:
        return libc.mallopt(what, value) == 1

    largest = 32 << 20  # that older versions accept as the size from which blocks are mapped on their own
    return all(
        [  # a list: every setting is tried
            accepted(mmap_threshold, 1 << 30) or accepted(mmap_threshold, largest),
            accepted(trim_threshold, 2**31 - 1),
            accepted(top_pad, 1 << 28),
        ]
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


def cache_folder() -> Path | None:
    """Where files lie that are only kept to save time: the system's place for them, in a folder of ours; not made here.

    XDG_CACHE_HOME (an absolute path) names another parent everywhere. None where the system knows no home.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute():
        return Path(named) / "sagan"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "sagan" / "cache"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "sagan"


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
