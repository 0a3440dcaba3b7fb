"""Why a run may be failing, and which option to change."""

from __future__ import annotations

from dataclasses import dataclass

from sagan.health.judge import Judgement
from sagan.health.signs import Verdict

HIGH_RATE = 2e-3  # above it, networks of this kind are known to break
FEW_PICTURES = 1000  # a discriminator learns so many by heart within minutes
FAST, SLOW = 5.0, 0.9  # learning rate of the discriminator over the generator's: at most and at least what is usual

WORDS: dict[Verdict, str] = {
    "healthy": "nothing here speaks against it",
    "watch": "something to keep an eye on",
    "collapsed": "the generator draws only a few kinds of pictures",
    "saturated": "the discriminator tells all pictures apart, and the generator learns nothing more from it",
    "diverged": "the pictures move away from the real ones, or the numbers grow without end",
}


@dataclass(frozen=True)
class Setup:
    """What of a run's record matters here. bounded: spectral norm, clipping or a gradient penalty holds D's slope.

    pictures: in the set; 0 when it is not known.
    """

    loss: str
    g_lr: float
    d_lr: float
    n_dis: int
    batch_size: int
    bounded: bool
    mirror: bool
    pictures: int = 0
    augmented: bool = False


@dataclass(frozen=True)
class Advice:
    """cause: the likely one, a sentence. now: options of `sagan train` to go on with (--override). anew: of a new run."""

    cause: str
    now: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()


def advise(judgement: Judgement, setup: Setup) -> Advice | None:
    """The likeliest cause of a verdict, and what to do about it; None for a healthy run.

    Causes are asked for in the order of how sure they are: what breaks any run first, what breaks some runs last.
    """
    if judgement.verdict == "healthy":
        return None
    if judgement.verdict == "watch":
        return Advice("It is too early to say: look again after some hundred steps, and look at the pictures.")
    slower = (f"--g-lr {_half(setup.g_lr)}", f"--d-lr {_half(setup.d_lr)}")
    if max(setup.g_lr, setup.d_lr) > HIGH_RATE:
        return Advice(
            f"Learning rates of {setup.g_lr:g} (G) and {setup.d_lr:g} (D) are high: the updates overshoot.",
            tuple(
                f"--{name} {_usual(rate):g}"
                for name, rate in (("g-lr", setup.g_lr), ("d-lr", setup.d_lr))
                if rate > HIGH_RATE
            ),
        )
    if setup.n_dis * setup.d_lr < SLOW * setup.g_lr:
        return Advice(
            f"The discriminator learns more slowly ({setup.d_lr:g}) than the generator ({setup.g_lr:g}), which then "
            "pleases it with a few pictures.",
            (f"--g-lr {setup.d_lr / 2:g}",),
            ("--n-dis 2",),
        )
    if not setup.bounded:
        penalty = "--gp 10" if setup.loss == "wasserstein" else "--d-sn"
        return Advice(
            "Nothing bounds the discriminator: no spectral normalisation, no gradient penalty, no clipping.",
            slower[1:],
            (penalty, "--r1 1") if setup.loss != "wasserstein" else (penalty,),
        )
    if 0 < setup.pictures < FEW_PICTURES:
        augment = () if setup.augmented else ("--augment diffaugment",)
        mirror = () if setup.mirror else ("--mirror",)
        return Advice(
            f"{setup.pictures:,} pictures are so few that the discriminator learns them by heart.",
            slower[1:],
            (*augment, *mirror, "more pictures", "a narrower discriminator: --d-ch"),
        )
    ahead = judgement.verdict == "saturated"
    if setup.n_dis * setup.d_lr > FAST * setup.g_lr or ahead:
        return Advice(
            f"The discriminator is too far ahead: {setup.n_dis} update{'s' * (setup.n_dis > 1)} a step at {setup.d_lr:g}, "
            f"against one of the generator at {setup.g_lr:g}.",
            slower[1:],
            ("--n-dis 1",) if setup.n_dis > 1 else ("--r1 1",),
        )
    return Advice(
        "The options are usual ones; GANs end like this after long training too, and larger batches put it off.",
        slower,
        (f"--batch-size {2 * setup.batch_size}",),
    )


def _half(rate: float) -> str:
    return f"{rate / 2:g}"


def _usual(rate: float) -> float:
    """A tenth, again and again, until it is no longer high."""
    while rate > HIGH_RATE / 2:
        rate /= 10
    return rate
