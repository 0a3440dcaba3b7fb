"""The choice of `auto` is a function of facts: a table of facts, and what must come out."""

from __future__ import annotations

import itertools

import pytest

from sagan.config import build, flatten, loosely
from sagan.errors import ConfigError
from sagan.presets import Facts, choose, preset
from sagan.presets.facts import FEW, HANDFUL, MIDDLE

GIB = 1 << 30
LAPTOP = {"cores": 2}
GPU = {"device": "cuda", "memory": 24 * GIB, "bf16": True, "cores": 8}
SHOWN = (
    *("resolution", "g_ch", "d_ch", "g_attn", "d_attn", "augment", "lecam", "cr", "batch_size", "g_lr", "d_lr"),
    *("ema", "ema_start", "steps", "patience"),
)
SLOW, FAST = (2e-4, 8e-4, 0.999, 1000), (1e-4, 4e-4, 0.999, 1000)
# (pictures, machine) -> the options above. Every size differs from the next in what fights learning by heart, and in length.
TABLE = {
    (100, "laptop"): (32, 64, 32, (16,), (16,), "diffaugment", 0.3, 0.0, 16, *SLOW, 5_000, 0),
    (1_000, "laptop"): (32, 64, 48, (16,), (16,), "diffaugment", 0.3, 0.0, 32, *SLOW, 20_000, 20),
    (10_000, "laptop"): (32, 64, 64, (16,), (16,), "adaptive", 0.0, 0.0, 32, *SLOW, 40_000, 20),
    (50_000, "laptop"): (32, 64, 64, (16,), (16,), "none", 0.0, 0.0, 32, *SLOW, 100_000, 20),
    (100, "gpu"): (64, 32, 32, (32,), (32,), "diffaugment", 0.3, 0.0, 32, *FAST, 10_000, 0),
    (1_000, "gpu"): (128, 48, 48, (32,), (32,), "diffaugment", 0.3, 0.0, 64, *FAST, 30_000, 20),
    (10_000, "gpu"): (128, 64, 64, (32,), (32,), "adaptive", 0.0, 0.0, 64, *FAST, 60_000, 20),
    (50_000, "gpu"): (128, 64, 64, (32,), (32,), "none", 0.0, 10.0, 64, *FAST, 100_000, 20),
}


def facts(pictures=1_000, machine="laptop", **others) -> Facts:
    return Facts(**{"pictures": pictures, "side": 400, **{"laptop": LAPTOP, "gpu": GPU}[machine], **others})


def record(some: Facts, **said):
    return build({**choose(some, said).options, **said, "preset": "auto"})


@pytest.mark.parametrize(("pictures", "machine"), TABLE)
def test_the_table_of_choices(pictures, machine):
    options = flatten(record(facts(pictures, machine)))
    assert {name: options[name] for name in SHOWN} == dict(zip(SHOWN, TABLE[pictures, machine], strict=True))
    assert (options["loss"], options["beta2"], options["mirror"], options["r1"]) == ("hinge", 0.999, False, 0.0)


@pytest.mark.parametrize("machine", ["laptop", "gpu"])
def test_each_bound_between_sizes_is_where_it_says(machine):
    for limit in (HANDFUL, FEW, MIDDLE):
        below, at = (choose(facts(count, machine)).options for count in (limit - 1, limit))
        assert below != at
        assert choose(facts(limit + 1, machine)).options == at


@pytest.mark.parametrize(
    ("some", "side"),
    [
        (facts(side=400), 32), (facts(side=20), 16), (facts(side=23), 16), (facts(side=24), 32),
        (facts(side=400, cores=8), 64), (facts(side=400, cores=7), 32), (facts(side=40, cores=8), 32),
        (facts(machine="gpu", side=47), 32), (facts(machine="gpu", side=48), 64), (facts(machine="gpu", side=95), 64),
        (facts(machine="gpu", side=96), 128), (facts(499, "gpu"), 64), (facts(500, "gpu"), 128),
        (facts(machine="gpu", memory=11 * GIB), 64), (facts(machine="gpu", memory=12 * GIB), 128),
        (facts(machine="gpu", memory=12 * GIB, bf16=False), 64), (facts(machine="gpu", memory=2 * GIB), 32),
        (facts(device="mps"), 64),
        (facts(side=28, square=28), 28), (facts(side=48, square=48, cores=8), 48), (facts(side=50, square=50, cores=8), 64),
        (facts(side=64, square=64), 32), (facts(side=96, square=96, machine="gpu"), 96), (facts(packed=64, side=400), 64),
        (facts(side=0), 32),
    ],
)  # fmt: skip
def test_the_resolution_follows_the_pictures_and_the_machine(some, side):
    chosen = record(some).model
    assert chosen.resolution == side
    most = 32 if some.device != "cpu" else 16
    assert chosen.g_attn == chosen.d_attn and max(chosen.g_attn) <= most and max(chosen.g_attn) >= 8


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_the_pictures_own(channels):
    chosen = record(facts(channels=channels))
    assert chosen.model.channels == channels
    assert chosen.output.patience == (20 if channels == 3 else 0), "without scores there is nothing to be patient about"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((), ("auto", False, "uniform")),
        ((500, 500), ("auto", False, "uniform")),
        ((500, 100), ("auto", False, "uniform")),
        ((501, 100), ("auto", True, "uniform")),
        ((500, 49), ("auto", False, "data")),
        ((9,) * 111, ("off", False, "uniform")),
        ((10,) * 100, ("auto", False, "uniform")),
    ],
)
def test_classes_that_are_uneven_or_tiny(counts, expected):
    chosen = record(facts(sum(counts) or 1_000, classes=counts))
    assert (chosen.data.cond, chosen.data.balance, chosen.training.fake_labels) == expected


def test_what_was_named_stays_and_the_reasons_say_so():
    choice = choose(facts(), {"resolution": "64", "augment": "ada", "batch_size": 8, "lecam": 0.0})
    assert not {"resolution", "augment", "batch_size", "lecam"} & choice.options.keys()
    for line in ("resolution 64: you named it", "batch-size 8: you named it", "lecam 0: you named it"):
        assert line in choice.lines
    chosen = record(facts(), resolution="64", augment="ada", batch_size=8, lecam=0.0)
    assert (chosen.model.resolution, chosen.model.g_attn, chosen.training.augment) == (64, (16,), "adaptive")


def test_what_follows_from_what_was_named():
    assert record(facts(), g_lr=1e-3).training.d_lr == 4e-3, "the ratio stays"
    assert record(facts(), d_lr=1e-3).training.g_lr == 2.5e-4
    assert record(facts(), n_dis=5).training.d_lr == record(facts(), n_dis=5).training.g_lr
    assert record(facts(), grad_accum=3).training.batch_size == 33
    assert record(facts(), bn_group=12).training.batch_size == 36
    assert record(facts(10_000), loss="wgan").training.augment == "diffaugment", "its logits have no sign"
    assert record(facts(10_000), aug_kinds="cutout").training.augment == "diffaugment"
    assert record(facts(), aug_kinds="blit").training.augment == "adaptive"
    assert record(facts(), architecture="dcgan").model.g_attn == ()
    assert record(facts(classes=(900, 100)), cond="off").data.balance is False
    assert record(facts(classes=(900, 100)), balance=False).data.balance is False
    assert record(facts(), channels=1).output.patience == 0


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ({"time": "10m"}, True), ({"time": "20m"}, False), ({"steps": 1_000}, True), ({"steps": 2_000}, False),
        ({"kimg": 40}, True), ({"kimg": 60}, False), ({"steps": 90_000, "time": "5m"}, True), ({}, False),
    ],
)  # fmt: skip
def test_a_short_run_has_the_rates_of_one(said, short):
    """On two cores some 50 pictures of 32x32 a second: ten minutes show 30,000, twenty 60,000."""
    training = record(facts(), **said).training
    assert (training.batch_size, training.g_lr, training.ema) == ((16, 3e-4, 0.99) if short else (32, 2e-4, 0.999))
    for classes, spread in ((), 0.0), ((500, 500), 0.3):
        model = record(facts(classes=classes), **said).model
        assert (model.g_latent, model.g_class_spread) == (("norms", spread) if short else ("stem", 0.0))
    for name in ("steps", "kimg", "time"):
        assert getattr(training, name) == (
            said.get(name) or (20_000 if name == "steps" and not said else type(getattr(training, name))())
        )


def test_nothing_is_augmented_that_is_seldom_shown():
    assert record(facts(1_000), time="10m").training.augment == "none", "30 looks"
    assert record(facts(400), time="10m").training.augment == "diffaugment", "75 looks"


def test_every_choice_has_its_reason_in_one_line():
    plain = flatten(preset("sagan-32"))
    for some in (facts(100), facts(50_000, "gpu", classes=(9_000, 1_000)), facts(200, classes=(3,) * 66)):
        choice = choose(some)
        text = "\n".join(choice.lines)
        for name, value in choice.options.items():
            if plain[name] != value:
                assert f"{name.replace('_', '-')} " in text or f"\n{name.replace('_', '-')}:" in text, name
        assert all("\n" not in line and len(line) < 160 for line in (*choice.lines, choice.summary))
        assert "1 cores" not in text


def test_every_choice_makes_a_record():
    """Over facts and named options at once: whatever was named, the choice beside it never stands in its way."""
    said = [
        {}, {"time": "10m"}, {"loss": "wasserstein"}, {"loss": "relativistic"}, {"architecture": "dcgan"}, {"d_norm": "batch"},
        {"resolution": 48}, {"resolution": 16}, {"resolution": 256}, {"grad_accum": 4}, {"aug_kinds": "colour"}, {"r1": 1.0},
    ]  # fmt: skip
    machines = [LAPTOP, {"cores": 64}, GPU, {"device": "mps"}, {"device": "cuda", "memory": 2 * GIB}]
    kinds = [{}, {"channels": 4}, {"square": 28, "side": 28}, {"side": 10, "classes": (40, 9)}, {"packed": 20}]
    for count, machine, kind, words in itertools.product((1, 70, 1_000, 10_000, 10**6), machines, kinds, said):
        chosen = record(Facts(pictures=count, **{"side": 200, **machine, **kind}), **words)
        assert chosen.training.steps or chosen.training.time
        assert {name: flatten(chosen)[name] for name in words} == words


def test_words_that_mean_nothing_are_left_to_the_record():
    choice = choose(facts(), {"resolution": "50", "time": "soon", "g_lr": "fast", "batch_size": "0", "stepz": 3})
    assert choice.options["d_lr"] == 8e-4 and not {"g_lr", "batch_size", "stepz"} & choice.options.keys()
    for said in ({"resolution": "50"}, {"resolution": 0}, {"time": "soon"}, {"g_lr": "fast"}):
        with pytest.raises(ConfigError, match=f"^{next(iter(said))} is"):
            record(facts(), **said)


def test_options_by_themselves():
    found = loosely(
        {"resolution": "64", "g_lr": "2e-4", "mirror": "yes", "g_attn": (16,), "steps": -1, "zzz": 1, "seed": "x"}
    )
    assert found == {"resolution": 64, "g_lr": 2e-4, "mirror": True, "g_attn": (16,)}
    assert loosely({"augment": "diffaug"}) == {}, "a nickname is the record's to know"
