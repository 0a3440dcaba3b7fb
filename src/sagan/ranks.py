"""Several processes that train one game together: `torchrun ... -m sagan train`. The only room that knows torch.distributed.

Each process (a rank) works through its share of one and the same global batch, and gradients are averaged once after each
backward pass. Everything else is computed by every rank alike: noise, order and spectral vectors are pure functions of
counters, so weights, averages and optimisers stay equal bit for bit without being sent around. Files are the first rank's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from sagan.errors import ConfigError, PeerError

MEETING = timedelta(seconds=300)  # for all processes to start
LOST = "Start the same command again, or let torchrun do it with --max-restarts; it goes on from the last checkpoint."


@dataclass(frozen=True)
class Launch:
    """What torchrun tells a process. host, port: of the store where ranks meet.  attempt: restarts before this one.

    shared_store: torchrun itself keeps the store, so no rank has to.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    host: str
    port: int
    attempt: int
    shared_store: bool


class Ranks:
    """One process alone: number 0 of 1. What would go over the network does nothing."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this rank writes the files and talks to the user."""
        return self.rank == 0

    def rows(self, count: int, parts: int = 1) -> NDArray[np.int64]:
        """This rank's places in a global batch of `count`, in the order in which it works through them.

        parts: of gradient accumulation. Part k of all ranks together is part k of one process alone.
        """
        each = count // (parts * self.size)
        return np.arange(count, dtype=np.int64).reshape(parts, self.size, each)[:, self.rank].reshape(-1)

    def require_division(self, count: int, parts: int, name: str) -> None:
        """Refuse a batch that cannot be shared out equally. Raises ConfigError."""
        if count % (parts * self.size):
            split = f"{self.size} processes" + (f" in {parts} parts each" if parts > 1 else "")
            raise ConfigError(
                f"{name} {count} cannot be shared out among {split}",
                remedy=f"Use a multiple of {parts * self.size}.",
            )

    def average(self, gradients: Sequence[Tensor], report: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Replace gradients by their mean over all ranks, in place; returns the means of a report's scalars."""
        return report

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks, differentiable any number of times."""
        return tensor

    def greatest(self, *values: float) -> tuple[float, ...]:
        """The greatest of each value over all ranks."""
        return values

    def decided(self, work: Callable[[], Any]) -> Any:
        """What `work()` returns on the first rank, a JSON value, on all. Where it raises, the others raise PeerError."""
        return work()

    def require_agreement(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse to go on when ranks differ in these tensors. Raises PeerError."""


ALONE = Ranks()


class Group(Ranks):
    """One of several processes of a process group."""

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank, self.size, self.device = rank, size, device

    @torch.no_grad()
    def average(self, gradients: Sequence[Tensor], report: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        names = list(report)
        kind = gradients[0].dtype
        scalars = torch.stack([report[name].detach().to(kind) for name in names])
        flat = torch.cat([scalars, *(gradient.reshape(-1) for gradient in gradients)])
        self._sum(flat)
        flat /= self.size
        means, *parts = flat.split([len(names), *(gradient.numel() for gradient in gradients)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))
        return dict(zip(names, means.unbind(), strict=True))

    def total(self, tensor: Tensor) -> Tensor:
        result: Tensor = _Total.apply(tensor, self)  # type: ignore[no-untyped-call]  # torch's apply has no types
        return result

    def greatest(self, *values: float) -> tuple[float, ...]:
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        with _peers():
            dist.all_reduce(shared, dist.ReduceOp.MAX)
        return tuple(shared.tolist())

    def decided(self, work: Callable[[], Any]) -> Any:
        if not self.first:
            return self._hear()
        try:
            value = work()
        except BaseException:
            self._tell({"failed": True})
            raise
        self._tell({"value": value})
        return value

    def require_agreement(self, tensors: Mapping[str, Tensor]) -> None:
        """Compares digests, so that a few bytes a tensor travel."""
        with torch.no_grad():
            digests = torch.stack([_digest(tensor) for tensor in tensors.values()]).to(self.device)
        least, most = digests.clone(), digests.clone()
        with _peers():
            dist.all_reduce(least, dist.ReduceOp.MIN)
            dist.all_reduce(most, dist.ReduceOp.MAX)
        if bool((least != most).any()):
            place = int((least != most).nonzero()[0])
            raise PeerError(
                f"the processes no longer agree on {list(tensors)[place]}",
                remedy=f"A processor or its memory may be faulty. {LOST}",
            )

    def _sum(self, tensor: Tensor) -> None:
        with _peers():
            dist.all_reduce(tensor)

    def _tell(self, value: Any) -> None:
        payload = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8, device=self.device)
        with _peers():
            dist.broadcast(torch.tensor([len(payload)], device=self.device), 0)
            dist.broadcast(payload, 0)

    def _hear(self) -> Any:
        length = torch.zeros(1, dtype=torch.int64, device=self.device)
        with _peers():
            dist.broadcast(length, 0)
            payload = torch.zeros(int(length), dtype=torch.uint8, device=self.device)
            dist.broadcast(payload, 0)
        answer = json.loads(bytes(payload.tolist()))
        if "failed" in answer:
            raise PeerError("the first process stopped; it has said why", remedy=LOST)
        return answer["value"]


class _Total(torch.autograd.Function):
    """The sum over all ranks; its derivative is the sum over all ranks of the derivatives."""

    @staticmethod
    def forward(context: Any, tensor: Tensor, group: Group) -> Tensor:
        context.group = group
        result = tensor.clone()
        group._sum(result)
        return result

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.group.total(gradients[0]), None


def _digest(tensor: Tensor) -> Tensor:
    """A whole number that any changed bit changes, all but surely: the sum, modulo 2^64, of its 32-bit words weighed by place.

    No number of a game is narrower than that.
    """
    words = tensor.detach().contiguous().reshape(-1).view(torch.int32).to(torch.int64)
    weights = torch.arange(1, len(words) + 1, device=words.device) * 0x9E3779B1 % 0x7FFFFFFF
    return (words * weights).sum()


@contextmanager
def join(launch: Launch | None, device: torch.device, patience: float = 300.0) -> Iterator[Ranks]:
    """The ranks of a launch, for as long as the context lasts; ALONE without one. Raises PeerError when they do not meet.

    patience: seconds that one waits for the others, who may be writing a large checkpoint, before it takes them for lost.

    Each attempt of torchrun has its own part of the store, or the processes of a restart would read the addresses of
    those before them (torch 2.13 with gloo does).
    """
    if launch is None:
        yield ALONE
        return
    with _peers():
        keeper = launch.rank == 0 and not launch.shared_store
        store = dist.TCPStore(  # type: ignore[attr-defined]  # exported, though not by name
            launch.host, launch.port, launch.size, keeper, timeout=MEETING, multi_tenant=True
        )
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=dist.PrefixStore(f"attempt-{launch.attempt}", store),  # type: ignore[attr-defined]
            rank=launch.rank,
            world_size=launch.size,
            timeout=timedelta(seconds=patience),
        )
    try:
        yield Group(launch.rank, launch.size, device)
    finally:
        dist.destroy_process_group()


@contextmanager
def _peers() -> Iterator[None]:
    """Inside, what torch.distributed raises when a peer is gone is a PeerError."""
    try:
        yield
    except RuntimeError as error:  # torch.distributed's own errors are its children
        text = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise PeerError(f"a process of the group was lost ({text[:200]})", remedy=LOST) from error
