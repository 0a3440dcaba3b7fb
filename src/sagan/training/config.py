"""The record of the optimisation and of what a run writes while it goes on."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator

from sagan.errors import ConfigError
from sagan.records import Record, option

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(words: str) -> float:
    """'90s', '10m', '1h', '1h30m', '2d' -> seconds. A bare number is refused: nobody agrees on its unit."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", words)
    if not parts or "".join(number + unit for number, unit in parts) != words:
        raise ConfigError(f"time is {words!r}", remedy="Write it like 90s, 10m, 1h30m or 2d.")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


class TrainingConfig(Record):
    """The two-player game: losses, two learning rates, averaging, length."""

    loss: Literal["hinge"] = option("hinge", "Adversarial loss.")
    batch_size: int = option(64, "Real pictures in one discriminator update.", ge=2, le=65536)
    grad_accum: int = option(1, "Split each batch into this many parts and add up their gradients.", ge=1)
    n_dis: int = option(1, "Discriminator updates in a step, before its generator update.", ge=1, le=100)
    g_lr: float = option(1e-4, "Learning rate of the generator.", resume="schedule", gt=0)
    d_lr: float = option(4e-4, "Learning rate of the discriminator.", resume="schedule", gt=0)
    beta1: float = option(0.0, "Adam's beta1, both networks.", ge=0, lt=1)
    beta2: float = option(0.999, "Adam's beta2, both networks.", ge=0, lt=1)
    ema: float = option(
        0.999, "Decay of the averaged generator that pictures are drawn from; 0 turns it off.", ge=0, lt=1
    )
    ema_start: int = option(1000, "Until this step the averaged generator is a plain copy.", ge=0)
    steps: int = option(100_000, "End after this many steps; 0 for no such limit.", resume="free", ge=0)
    kimg: float = option(
        0.0, "End after this many thousand real pictures shown; 0 for no such limit.", resume="free", ge=0
    )
    time: str = option(
        "", "End after this much training time, such as 10m or 1h30m; empty for no such limit.", resume="free"
    )
    seed: int = option(0, "The number that every draw of the run depends on.", ge=0, lt=2**63)
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "Arithmetic of the networks: auto takes bf16 where the hardware computes it natively."
    )

    @field_validator("time")
    @classmethod
    def _readable_time(cls, value: str) -> str:
        if value and seconds(value) <= 0:
            raise ConfigError(f"time is {value!r}", remedy="Write a time above zero, or leave it out for no limit.")
        return value

    @field_validator("grad_accum")
    @classmethod
    def _divides(cls, value: int, info: object) -> int:
        batch = getattr(info, "data", {}).get("batch_size")
        if batch is not None and batch % value:
            raise ConfigError(f"grad_accum {value} does not divide batch_size {batch}", remedy="Choose a divisor.")
        return value


class OutputConfig(Record):
    """What a run writes, and how often."""

    out: str = option("", "The run's folder; empty means runs/<data>-<preset>.", resume="free")
    log_every: int = option(10, "Steps between lines of the log.", resume="free", ge=1)
    sample_every: int = option(500, "Steps between picture grids; 0 for none.", resume="free", ge=0)
    save_every: int = option(500, "Steps between checkpoints; 0 for only the last.", resume="free", ge=0)
    keep: int = option(2, "Newest checkpoints to keep, at least 2; the best is kept besides.", resume="free", ge=2)
    tensorboard: bool = option(False, "Write TensorBoard events too (needs the extra 'track').", resume="free")
    threads: int = option(0, "Processor threads; 0 means all cores.", resume="schedule", ge=0, le=1024)
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.", resume="free")
