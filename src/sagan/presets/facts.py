"""What `auto` chooses by: the pictures and the machine, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HANDFUL, FEW, MIDDLE = 500, 5_000, 20_000  # pictures below which a set is called so
GIB = 1 << 30

Device = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The pictures and the machine.

    pictures: usable ones, of equal files only one.  copies: the files that this leaves aside.  side: the median of the
    shorter sides in pixels, 0 when unknown.  square: the side, when all pictures are squares of one size, else 0.
    classes: pictures of each; () without.  channels: 1, 3 or 4, as the pictures have them.  packed: the resolution that a
    pack has baked in, else 0.
    cores: of the processor.  device: what trains.  memory: of an accelerator in bytes, 0 when unknown.  bf16: whether the
    device multiplies it natively.
    """

    pictures: int
    copies: int = 0
    side: int = 0
    square: int = 0
    classes: tuple[int, ...] = ()
    channels: int = 3
    packed: int = 0
    cores: int = 2
    device: Device = "cpu"
    memory: int = 0
    bf16: bool = False

    @property
    def band(self) -> int:
        """How many pictures there are, roughly: 0 a handful, 1 few, 2 a middling number, 3 many."""
        return [self.pictures >= limit for limit in (HANDFUL, FEW, MIDDLE)].count(True)

    @property
    def fast(self) -> bool:
        """Whether something faster than the processor trains."""
        return self.device != "cpu"

    @property
    def count(self) -> str:
        """'1,000 pictures'"""
        return f"{self.pictures:,} picture{'s' * (self.pictures != 1)}"

    @property
    def machine(self) -> str:
        """'2 cores', 'a GPU of 24 GiB'"""
        if self.device == "cuda":
            return f"a GPU of {self.memory / GIB:.0f} GiB"
        return "Apple's GPU" if self.device == "mps" else f"{self.cores} core{'s' * (self.cores != 1)}"
