"""`auto`: what to train with, from what is known of the pictures and of the machine. Facts in, options and reasons out.

Nothing is looked up here, so the same facts give the same choice, and a table of facts can be a test. What somebody named
stays as it was named, and what follows from it is chosen accordingly: another resolution has other widths.

Where the numbers come from: the published recipe (`sagan-32` and its sisters) is the floor, and what is changed of it is
what papers on few pictures say (docs/small-sets.md) and what runs on two cores showed (docs/lab-notes.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sagan.errors import ConfigError
from sagan.models.config import ModelConfig
from sagan.presets.facts import FEW, GIB, HANDFUL, MIDDLE, Facts
from sagan.presets.making import Choice, Making, written
from sagan.training.config import AUGMENT_ALIASES, AUGMENT_KINDS, LOSS_ALIASES, LOSS_NAMES, seconds

AUTO = "auto"

FEWEST_OF_A_CLASS = 10  # pictures on average below which classes say more about the folders than about the pictures
SKEW, RARE = 5, 50  # largest class over the smallest that counts as unbalanced; pictures below which a class is rare
SCORED = 1000  # pictures from which a run scores its checkpoints

CORE_PACE = 25  # pictures of 32x32 a second and core through networks 64 wide: docs/results.md#sagan-32-small
SHORT = 50_000  # pictures shown, below which a run is short: at the demo's batch of 16, some 3,000 updates
SMALL = 48  # the largest side whose networks are as wide at every map, and so have other base widths
# (on an accelerator, small pictures) -> base widths of G and D for a handful of pictures, few, a middling number, many
WIDTHS = {
    (True, True): ((64, 32), (128, 64), (256, 128), (256, 128)),
    (True, False): ((32, 32), (48, 48), (64, 64), (64, 64)),
    (False, True): ((64, 32), (64, 48), (64, 64), (64, 64)),
    (False, False): ((32, 32), (32, 32), (32, 32), (32, 32)),
}
STEPS = {True: (10_000, 30_000, 60_000, 100_000), False: (5_000, 20_000, 40_000, 100_000)}  # the same way
LOOKS = 50  # times that each picture must be shown before there is anything to be learned by heart
WITH_A_SIGN = set(LOSS_NAMES) - {"wasserstein"}  # losses whose logits tell overfitting
MANY_CORES = 8  # from which a processor is trusted with 64x64


def choose(facts: Facts, said: Mapping[str, Any] = {}) -> Choice:
    """What suits these pictures on this machine.

    said: the options that somebody named, by flat name; those that cannot be read are passed over, for the record to refuse.
    """
    nicknames = {"augment": AUGMENT_ALIASES, "loss": LOSS_ALIASES}
    making = Making(facts, {name: nicknames.get(name, {}).get(str(value), value) for name, value in said.items()})
    for part in (resolution, networks, against_memorising, classes, pace, length):
        part(making)
    return making.made()


def resolution(making: Making) -> None:
    """The side of the squares, and the channels."""
    facts = making.facts
    most, limit = largest(facts)
    fitting = 16 if facts.side < 24 else 32 if facts.side < 48 else 64 if facts.side < 96 else 128
    if facts.packed:
        side, why = facts.packed, "the pack was made so"
    elif 0 < facts.square <= most and _possible(facts.square):
        side, why = facts.square, f"all pictures are {facts.square}x{facts.square}"
    elif not facts.side:
        side, why = 32, "no picture could be read to choose by"
    elif fitting > most:
        side, why = most, limit
    else:
        side, why = fitting, f"the pictures are about {facts.side} pixels wide or high"
    making.pick(why, resolution=side)
    kinds = {1: "all of them are grey", 3: "they have colours", 4: "most of them have transparency"}
    making.pick(kinds[facts.channels], channels=facts.channels)


def largest(facts: Facts) -> tuple[int, str]:
    """The largest side that is worth while, and what stands in the way of more."""
    who = facts.machine
    if facts.device == "cpu":
        most = 64 if facts.cores >= MANY_CORES else 32
        why = f"twice the side is four times the work, and there {'is' if facts.cores == 1 else 'are'} {who}"
    elif facts.device == "mps":
        most, why = 64, f"its memory is not known, and this is safe on {who}"
    else:
        room = facts.memory * (2 if facts.bf16 else 1)  # what is kept for the backward pass has half the bytes then
        most = 128 if room >= 24 * GIB else 64 if room >= 6 * GIB else 32
        why = (
            f"as much as fits into {facts.memory / GIB:.0f} GiB" if most < 128 else "the largest of the published sizes"
        )
    if facts.pictures < HANDFUL and most > 64:
        return 64, f"{facts.pictures:,} pictures tell too little of anything larger"
    return most, why


def networks(making: Making) -> None:
    """Widths, and where attention stands."""
    facts, side = making.facts, making.value("resolution", 0)
    if making.value("architecture", "residual") != "residual" or not _possible(side):
        return
    generator, discriminator = WIDTHS[facts.fast, side <= SMALL][facts.band]
    if facts.band < 2:
        why = f"a narrow discriminator is slower to learn {facts.count} by heart"
    else:
        why = "the published widths" if facts.fast else f"as narrow as {facts.machine} asks"
    making.pick(why, g_ch=generator, d_ch=discriminator)
    published = (ModelConfig(resolution=side).g_attn or (0,))[0]
    place, most = published, 32 if facts.fast else 16
    while place > most:
        place //= 2
    if place:
        if place == published:
            why = "where the paper's networks have it"
        elif facts.fast:
            why = f"as good as at {published} in the paper's table 1, for a sixteenth of the work"
        else:
            why = f"work grows with the fourth power of the place, and {published} is much for {facts.machine}"
        making.pick(why, g_attn=(place,), d_attn=(place,))


def against_memorising(making: Making) -> None:
    """What keeps the discriminator from learning the pictures by heart."""
    facts, shown = making.facts, expected(making)
    looks = shown / max(1, facts.pictures)
    usual = making.value("loss") in WITH_A_SIGN
    if looks < LOOKS and facts.pictures < MIDDLE:
        why = f"each picture is shown about {looks:.0f} times, too seldom to be learned by heart"
        making.pick(why, augment="none", lecam=0.0)
    elif facts.pictures < FEW:
        kind = _kind_for(making, "diffaugment")
        making.pick(f"below {FEW:,} pictures a discriminator learns them by heart", augment=kind)
        if usual:
            making.pick("it adds to augmentation where pictures are few, and costs next to nothing", lecam=0.3)
    elif facts.pictures < MIDDLE:
        kind = _kind_for(making, "adaptive" if usual else "diffaugment")
        making.pick(
            f"{facts.count} are learned by heart late, if at all: changes come as often as the need shows",
            augment=kind,
        )
        if making.value("augment") == "adaptive":
            making.pick("a fifth of the run", aug_kimg=round(max(1.0, shown / 5000), 1))
    else:
        making.pick(f"{facts.count} are too many to learn by heart in such a run", augment="none")
        if facts.fast and usual:
            making.pick(
                "what its paper used on large sets (arXiv:1910.12027), and an accelerator has the time", cr=10.0
            )
    if not making.value("mirror", False) and facts.pictures < MIDDLE:
        making.remark(
            "no mirror: it doubles the set, and only you know whether left and right may be changed (--mirror)"
        )


def _kind_for(making: Making, kind: str) -> str:
    """The policy, or the other one if somebody named changes that only that one has."""
    named = set(filter(None, str(making.value("aug_kinds", "")).split(",")))
    fits = [policy for policy, kinds in AUGMENT_KINDS.items() if named <= set(kinds)]
    return kind if kind in fits or not fits else fits[0]


def classes(making: Making) -> None:
    """Whether classes are used, and what is done about rare ones."""
    counts = making.facts.classes
    if not counts or making.value("cond", "auto") == "off":
        return
    if sum(counts) < FEWEST_OF_A_CLASS * len(counts) and "cond" not in making.named:
        each = sum(counts) / len(counts)
        making.pick(f"{len(counts):,} classes of {each:.1f} pictures each are too small to learn from", cond="off")
    elif max(counts) > SKEW * min(counts):
        words = f"classes have {min(counts):,} to {max(counts):,} pictures"
        if min(counts) >= RARE:
            making.pick(f"{words}, and the rare ones should be drawn as well", balance=True)
        elif not making.value("balance", False):
            making.pick(f"{words}, and the rarest are too few to be shown more often", fake_labels="data")


def pace(making: Making) -> None:
    """Batch, rates and the average."""
    facts, short = making.facts, expected(making) < SHORT
    handful = facts.pictures < HANDFUL
    batch = (64, 32)[handful] if facts.fast else 16 if short or handful else 32
    why = f"{facts.count}, {facts.machine}"
    if short and not facts.fast:
        why = "a short run needs many small updates; to train on for long, begin anew with another --out"
    making.pick(why, batch_size=_divisible(making, batch))
    rates(making, short)
    if short and not facts.fast:
        why = (
            "in a short run what the stem alone hears of the latent is soon lost, and pictures grow alike (the demo's)"
        )
        used = bool(facts.classes) and making.value("cond", "auto") != "off"
        making.pick(why, g_latent="norms", **({"g_class_spread": 0.3} if used else {}))
    if short:
        making.pick("short memory for a short run", ema=0.99, ema_start=100)
        making.pick("a short run should be seen growing", sample_every=100, save_every=250)
    else:
        making.pick("the published average, once the first steps are over", ema=0.999, ema_start=1000)


def rates(making: Making, short: bool) -> None:
    """The learning rates; when one was named, the other keeps the ratio."""
    facts = making.facts
    if making.value("n_dis", 1) > 1:
        generator, ratio, why = 2e-4, 1.0, "several discriminator updates a step need no faster rate"
    elif short and not facts.fast:
        generator, ratio, why = 3e-4, 4.0, "a short run needs larger updates (the demo's)"
    elif facts.fast:
        generator, ratio, why = 1e-4, 4.0, "the published ones"
    else:
        generator, ratio, why = 2e-4, 4.0, f"twice the published ones for the few updates of {facts.machine}"
    generator = making.said.get("g_lr", making.said["d_lr"] / ratio if "d_lr" in making.said else generator)
    making.pick(why, g_lr=generator, d_lr=float(f"{generator * ratio:.6g}"))
    if short and not facts.fast:
        making.pick("Adam forgets faster, for the same reason", beta2=0.99)


def length(making: Making) -> None:
    """How long, unless somebody said so."""
    facts = making.facts
    named = [name for name in ("steps", "kimg", "time") if making.said.get(name)]
    if named:
        making.options |= {name: 0 for name in ("steps", "kimg") if name not in making.named}
        making.remark(f"{' and '.join(written(name, making.said[name]) for name in named)}: you named the length")
        return
    steps = STEPS[facts.fast][facts.band]
    shown = steps * making.value("batch_size", 32) * making.value("n_dis", 1)
    looks = f"each picture is shown about {shown / max(1, facts.pictures):,.0f} times"
    more = "; more only copies them" if facts.pictures < HANDFUL else "; stop it whenever you like, and go on later"
    making.pick(looks + more, steps=steps)
    if facts.pictures >= SCORED and making.value("channels") == 3 and making.value("score", "auto") == "auto":
        making.pick("it also ends after so many scores without a gain", patience=20)


def expected(making: Making) -> float:
    """Pictures that the run will show, about: from the length that somebody named, else from the one that is chosen."""
    facts, said = making.facts, making.said
    usual = 64 if facts.fast else 16 if facts.pictures < HANDFUL else 32
    batch = said.get("batch_size", usual) * making.value("n_dis", 1)
    limits = [1000.0 * said["kimg"]] if said.get("kimg") else []
    limits += [float(said["steps"] * batch)] if said.get("steps") else []
    if said.get("time"):
        side = making.value("resolution", 32)
        speed = CORE_PACE * facts.cores if not facts.fast else 40.0 * CORE_PACE  # a guess; no accelerator was measured
        limits.append(_seconds(said["time"]) * speed * (32 / max(1, side)) ** 2)
    return min(limits, default=float(STEPS[facts.fast][facts.band] * batch))


def _possible(side: Any) -> bool:
    """Whether networks of that resolution can be built."""
    try:
        ModelConfig(resolution=side)
    except ValidationError:
        return False
    return True


def _divisible(making: Making, batch: int) -> int:
    """`batch`, or the next larger one that the named parts and groups divide."""
    unit = making.value("grad_accum", 1) * (making.value("bn_group", 0) or 1)
    return -(-batch // unit) * unit


def _seconds(words: str) -> float:
    try:
        return seconds(words)
    except ConfigError:  # for the record to refuse
        return float("inf")
