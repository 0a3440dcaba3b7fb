"""The record of the optimisation and of what a run writes while it goes on."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator, model_validator

from sagan.errors import ConfigError
from sagan.records import Record, option

LOSS_NAMES = ("hinge", "non-saturating", "minimax", "least-squares", "wasserstein", "relativistic")
AUGMENT_KINDS = {
    "none": (),
    "diffaugment": ("colour", "translation", "cutout"),
    "adaptive": ("blit", "geometry", "colour"),
}
AUGMENT_ALIASES = {"diffaug": "diffaugment", "ada": "adaptive", "off": "none"}
LOSS_ALIASES = {"ns": "non-saturating", "lsgan": "least-squares", "wgan": "wasserstein", "rpgan": "relativistic"}

AUTO = "auto"  # the word for a batch that memory decides about
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(words: str) -> float:
    """'90s', '10m', '1h', '1h30m', '2d' -> seconds. A bare number is refused: nobody agrees on its unit."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", words)
    if not parts or "".join(number + unit for number, unit in parts) != words:
        raise ConfigError(f"time is {words!r}", remedy="Write it like 90s, 10m, 1h30m or 2d.")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


class TrainingConfig(Record):
    """The two-player game: losses, two learning rates, averaging, length."""

    loss: str = option(
        "hinge", "Adversarial loss: hinge, non-saturating, minimax, least-squares, wasserstein or relativistic."
    )
    gp: float = option(0.0, "Weight of WGAN-GP's gradient penalty, between real and fake; 10 is usual.", ge=0)
    r1: float = option(0.0, "Weight of the gradient penalty on real pictures.", ge=0)
    r2: float = option(0.0, "Weight of the gradient penalty on fakes.", ge=0)
    penalty_every: int = option(
        1, "Discriminator updates from one penalty to the next; its weight grows with them.", ge=1, le=1000
    )
    clip: float = option(0.0, "Clip the discriminator's weights to this bound after each update; 0 for not.", ge=0)
    augment: Literal["none", "diffaugment", "adaptive"] = option(
        "none",
        "Change pictures before the discriminator sees them: all of them (diffaugment), or as often as it needs (adaptive).",
    )
    aug_kinds: str = option(
        "", "Which changes: some of colour,translation,cutout or of blit,geometry,colour (adaptive); empty for all."
    )
    aug_p: float = option(0.0, "Probability of each change of adaptive augmentation at the start.", ge=0, le=0.8)
    aug_target: float = option(
        0.6,
        "Adaptive: the mean sign of D's logits of real pictures to keep; above it, changes become more frequent.",
        resume="schedule",
        ge=-1,
        le=1,
    )
    aug_kimg: float = option(
        100.0,
        "Adaptive: thousand real pictures in which the probability can go from 0 to 1; 0 keeps it at aug_p.",
        resume="schedule",
        ge=0,
    )
    lecam: float = option(0.0, "Weight of LeCam, which holds D's logits near the averages of the other kind's.", ge=0)
    lecam_decay: float = option(0.99, "Decay of LeCam's averages of the logits.", resume="schedule", ge=0, lt=1)
    cr: float = option(0.0, "Weight of D's consistency when real pictures move by some pixels; 10 is usual.", ge=0)
    cr_fake: float = option(0.0, "The same for fakes; with cr it is balanced consistency (bCR).", ge=0)
    topk: float = option(
        0.0, "Share of the fakes, those D likes best, that G learns from in the end; 0 for all of them.", ge=0, lt=1
    )
    topk_kimg: float = option(
        100.0, "Thousand real pictures in which that share falls from 1 to topk.", resume="schedule", ge=0
    )
    batch_size: int = option(
        64,
        "Real pictures in one discriminator update; auto: the preset's, in parts that fit into memory.",
        word=AUTO,
        ge=2,
        le=65536,
    )
    g_batch: int = option(0, "Fakes in one generator update; 0 means as many as batch_size.", ge=0, le=65536)
    grad_accum: int = option(1, "Split each batch into this many parts and add up their gradients.", ge=1)
    n_dis: int = option(1, "Discriminator updates in a step, before its generator update.", ge=1, le=100)
    g_lr: float = option(1e-4, "Learning rate of the generator.", resume="schedule", gt=0)
    d_lr: float = option(4e-4, "Learning rate of the discriminator.", resume="schedule", gt=0)
    decay_steps: int = option(
        0, "Learning rates fall linearly to 0 at this step; 0 keeps them constant.", resume="schedule", ge=0
    )
    optimiser: Literal["adam", "rmsprop"] = option("adam", "Optimiser of both networks.")
    beta1: float = option(0.0, "Adam's beta1, both networks; RMSProp has none.", ge=0, lt=1)
    beta2: float = option(0.999, "Adam's beta2, both networks; RMSProp's smoothing.", ge=0, lt=1)
    fake_labels: Literal["uniform", "data"] = option(
        "uniform", "Classes of fakes: all alike, or as often as in the data."
    )
    ema: float = option(
        0.999, "Decay of the averaged generator that pictures are drawn from; 0 turns it off.", ge=0, lt=1
    )
    ema_start: int = option(1000, "Until this step the averaged generator is a plain copy.", ge=0)
    init_from: str = option(
        "", "Start from the weights of a run, a checkpoint, a generator file, an imported one, or hf:user/name."
    )
    freeze_d: int = option(
        0, "Keep the weights of the discriminator's first blocks, so many, as they are.", ge=0, le=16
    )
    steps: int = option(100_000, "End after this many steps; 0 for no such limit.", resume="free", ge=0)
    kimg: float = option(
        0.0, "End after this many thousand real pictures shown; 0 for no such limit.", resume="free", ge=0
    )
    time: str = option(
        "", "End after this much training time, such as 10m or 1h30m; empty for no such limit.", resume="free"
    )
    health: Literal["warn", "stop", "rollback", "off"] = option(
        "warn",
        "When a run fails for a while: warn, stop with code 6, go back to a sound checkpoint (rollback), or do not look.",
        resume="schedule",
    )
    health_every: int = option(100, "Steps between looks at the health of the run.", resume="schedule", ge=1)
    seed: int = option(0, "The number that every draw of the run depends on.", ge=0, lt=2**63)
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "Arithmetic of the networks: auto takes bf16 where the hardware computes it natively."
    )

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, value: str) -> str:
        name = LOSS_ALIASES.get(value, value)
        if name not in LOSS_NAMES:
            from sagan.losses.adversarial import LOSSES  # loads torch, which the command line's help does not need

            if name not in LOSSES:
                remedy = (
                    f"Choose one of {', '.join(LOSSES)}, or import what adds it. WGAN-GP is wasserstein with gp 10."
                )
                raise ConfigError(f"loss is {value!r}", remedy=remedy)
        return name

    @field_validator("augment", mode="before")
    @classmethod
    def _usual_names(cls, value: object) -> object:
        return AUGMENT_ALIASES.get(value, value) if isinstance(value, str) else value

    @field_validator("time")
    @classmethod
    def _readable_time(cls, value: str) -> str:
        if value and seconds(value) <= 0:
            raise ConfigError(f"time is {value!r}", remedy="Write a time above zero, or leave it out for no limit.")
        return value

    @property
    def fakes(self) -> int:
        """Fakes in one generator update."""
        return self.g_batch or self.batch_size

    @property
    def penalised(self) -> bool:
        """Whether the discriminator's loss has a penalty on its gradient."""
        return max(self.gp, self.r1, self.r2) > 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The changes that augmentation makes."""
        return tuple(filter(None, self.aug_kinds.split(","))) or AUGMENT_KINDS[self.augment]

    @property
    def adapts(self) -> bool:
        """Whether the probability of augmentation follows the discriminator."""
        return self.augment == "adaptive" and self.aug_kimg > 0

    @model_validator(mode="after")
    def _changes_exist(self) -> TrainingConfig:
        allowed = AUGMENT_KINDS[self.augment] or sorted({kind for kinds in AUGMENT_KINDS.values() for kind in kinds})
        if self.aug_kinds and not set(self.aug_kinds.split(",")) <= set(allowed):
            raise ConfigError(
                f"aug_kinds is {self.aug_kinds!r}",
                remedy=f"With augment {self.augment}, write some of {','.join(allowed)}, with commas and without spaces.",
            )
        return self

    @model_validator(mode="after")
    def _loss_has_a_sign(self) -> TrainingConfig:
        if self.adapts:
            from sagan.losses.adversarial import LOSSES  # loads torch, which other records do not need

            if not LOSSES[self.loss].paired and LOSSES[self.loss].middle is None:
                raise ConfigError(
                    f"augment is adaptive, and the logits of the {self.loss} loss have no middle whose sides would show "
                    "overfitting",
                    remedy="Use --augment diffaugment, or a fixed probability: --aug-p 0.2 --aug-kimg 0.",
                )
        return self

    @model_validator(mode="after")
    def _batches_fit(self) -> TrainingConfig:
        for name, batch in (("batch_size", self.batch_size), ("g_batch", self.fakes)):
            if batch % self.grad_accum:
                raise ConfigError(
                    f"grad_accum {self.grad_accum} does not divide {name} {batch}", remedy="Choose a divisor."
                )
        if self.loss == "relativistic" and self.fakes != self.batch_size:
            raise ConfigError(
                f"g_batch is {self.g_batch}, and the relativistic loss pairs every fake with a real picture",
                remedy="Leave g_batch out: it is then batch_size.",
            )
        return self


class OutputConfig(Record):
    """What a run writes, and how often."""

    out: str = option("", "The run's folder; empty means runs/<data>-<preset>.", resume="free")
    log_every: int = option(10, "Steps between lines of the log.", resume="free", ge=1)
    sample_every: int = option(500, "Steps between picture grids; 0 for none.", resume="free", ge=0)
    save_every: int = option(500, "Steps between checkpoints; 0 for only the last.", resume="free", ge=0)
    keep: int = option(
        2,
        "Newest checkpoints to keep, at least 2; the best and the last sound one are kept besides.",
        resume="free",
        ge=2,
    )
    failed_saves: int = option(
        3, "Saves in a row that may fail before the run stops; 0 stops at the first.", resume="free", ge=0
    )
    score: Literal["auto", "off"] = option(
        "auto", "Score each checkpoint and keep the best: emblems, or 1,000 colour pictures or more.", resume="free"
    )
    patience: int = option(
        0, "End when so many scores in a row were no better than the best; 0 for never.", resume="free", ge=0
    )
    tensorboard: bool = option(False, "Write TensorBoard events too (needs the extra 'track').", resume="free")
    threads: int = option(0, "Processor threads; 0 means all cores.", resume="schedule", ge=0, le=1024)
    peer_timeout: int = option(
        300, "Seconds without a word after which another process of the run counts as lost.", resume="free", ge=1
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.", resume="free")
    compile: bool = option(
        False,
        "Compile both networks with torch.compile: minutes at the start, some per cent a step.",
        resume="schedule",
    )
