"""The likely cause of a verdict, and the option to change."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sagan.config import SLOTS
from sagan.health.advice import Setup, advise
from sagan.health.judge import Judgement

USUAL = Setup(
    loss="hinge", g_lr=1e-4, d_lr=4e-4, n_dis=1, batch_size=64, bounded=True, mirror=False, pictures=50_000
)  # fmt: skip
COLLAPSED, SATURATED = Judgement("collapsed", 500, 300), Judgement("saturated", 500, 300)

CASES = {
    "high rates": ({"g_lr": 2e-2, "d_lr": 1e-3}, COLLAPSED, "the updates overshoot", ("--g-lr 0.0002",)),
    "a slow discriminator": ({"g_lr": 1e-3, "d_lr": 1e-4}, COLLAPSED, "learns more slowly", ("--g-lr 5e-05",)),
    "nothing bounds it": ({"bounded": False}, SATURATED, "Nothing bounds", ("--d-lr 0.0002",)),
    "few pictures": ({"pictures": 200}, COLLAPSED, "200 pictures are so few", ("--d-lr 0.0002",)),
    "a fast discriminator": ({"n_dis": 5}, COLLAPSED, "too far ahead: 5 updates a step", ("--d-lr 0.0002",)),
    "far ahead": ({}, SATURATED, "too far ahead: 1 update a step", ("--d-lr 0.0002",)),
    "nothing unusual": ({}, COLLAPSED, "usual ones", ("--g-lr 5e-05", "--d-lr 0.0002")),
}


@pytest.mark.parametrize("name", CASES)
def test_each_cause_is_named_with_its_option(name):
    changes, judgement, words, now = CASES[name]
    advice = advise(judgement, replace(USUAL, **changes))
    assert words in advice.cause
    assert advice.now == now


@pytest.mark.parametrize("name", CASES)
def test_every_option_that_is_named_exists(name):
    changes, judgement, _, _ = CASES[name]
    advice = advise(judgement, replace(USUAL, **changes))
    named = re.findall(r"--([a-z0-9-]+)", " ".join([*advice.now, *advice.anew]))
    assert named and {option.replace("-", "_") for option in named} <= set(SLOTS)


def test_a_penalty_is_the_bound_of_wasserstein():
    advice = advise(SATURATED, replace(USUAL, loss="wasserstein", bounded=False))
    assert advice.anew == ("--gp 10",)


def test_mirroring_is_not_advised_to_whom_mirrors():
    few = replace(USUAL, pictures=200)
    assert "--mirror" in advise(COLLAPSED, few).anew
    assert "--mirror" not in advise(COLLAPSED, replace(few, mirror=True)).anew


def test_augmentation_is_advised_for_few_pictures_unless_it_is_there():
    few = replace(USUAL, pictures=200)
    assert "--augment diffaugment" in advise(COLLAPSED, few).anew
    assert "--augment diffaugment" not in advise(COLLAPSED, replace(few, augmented=True)).anew


def test_an_unknown_number_of_pictures_is_not_few():
    assert "usual" in advise(COLLAPSED, replace(USUAL, pictures=0)).cause


def test_a_healthy_run_needs_no_advice_and_a_doubtful_one_time():
    assert advise(Judgement("healthy"), USUAL) is None
    assert advise(Judgement("watch", 100, 100), USUAL).now == ()
