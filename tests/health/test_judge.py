"""From look to look: when a verdict stands, since when, and when it is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sagan.health.judge import Judgement, Watcher, judge, patience_of
from sagan.health.signs import UNDECIDED, Past, looks, read_signs
from sagan.losses.adversarial import LOSSES

SOUND = {"health/features": 0.9, "health/nearest": 0.8, "health/distance": 0.5, "loss/discriminator": 1.6}
SOUND |= {"spectrum/generator": 2.0, "logit/real": 0.4, "logit/fake": -0.2}
ALIKE = SOUND | {"health/nearest": 0.1}
GOING = Past(late=True, varied=True, distances=(0.6, 0.5), nearest=0.5)


def watch(rows, loss="hinge", patience=400):
    watcher = Watcher(loss, patience)
    return watcher, [watcher.look({"step": 100 * (number + 1)} | row) for number, row in enumerate(rows)]


def test_a_verdict_stands_from_the_second_look_and_names_the_first():
    _, found = watch([SOUND, SOUND, ALIKE, ALIKE, ALIKE])
    assert [one.verdict for one in found] == ["healthy", "healthy", "watch", "collapsed", "collapsed"]
    assert [one.since for one in found[2:]] == [300, 300, 300]
    assert found[-1] == Judgement("collapsed", 500, 300, ("generated pictures vary 10% as much as real ones",))
    assert [one.failing for one in found] == [False, False, False, True, True]


def test_one_bad_look_is_no_verdict_and_one_good_look_takes_none_back():
    watcher, found = watch([SOUND, ALIKE, SOUND, ALIKE, ALIKE, SOUND, ALIKE, SOUND, SOUND])
    said = [one.verdict for one in found]
    assert said[:5] == ["healthy", "watch", "healthy", "watch", "collapsed"]
    assert said[5:] == ["collapsed", "collapsed", "collapsed", "healthy"]
    assert watcher.sound_until == 900


def test_what_is_sound_ends_before_the_first_bad_look():
    watcher, _ = watch([SOUND, SOUND, ALIKE, ALIKE])
    assert watcher.sound_until == 200


def test_a_run_that_has_not_got_going_is_given_time():
    _, found = watch([ALIKE] * 6, patience=400)
    assert [one.verdict for one in found] == ["healthy"] * 3 + ["watch", "collapsed", "collapsed"]
    assert found[-1].since == 400


def test_a_run_that_got_going_once_is_not():
    _, found = watch([SOUND, ALIKE, ALIKE], patience=10_000)
    assert found[-1].verdict == "collapsed"


def test_patience_is_what_adam_needs_and_the_average_besides():
    assert patience_of(rate=1e-4, ema=0.999) == 500 + 2000
    assert patience_of(rate=1e-3, ema=0.0) == 50 + 2


@pytest.mark.parametrize("name", UNDECIDED)
def test_a_discriminator_that_cannot_tell_has_this_loss(name):
    """It answers every picture alike: by the best answer there is, found by trying."""
    losses = [
        float(LOSSES[name].discriminator(real=torch.full((2,), value), fake=torch.full((2,), value)))
        for value in torch.linspace(-1, 1, 201).tolist()
    ]
    assert UNDECIDED[name] == pytest.approx(min(losses), abs=1e-4)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({}, "healthy"),
        ({"loss/discriminator": 0.03}, "saturated"),
        ({"loss/discriminator": 0.15}, "watch"),
        ({"logit/real": 900.0, "logit/fake": -900.0}, "diverged"),
        ({"health/features": 0.25}, "collapsed"),
        ({"health/nearest": 0.4}, "watch"),
        ({"loss/discriminator": 3.2}, "diverged"),
        ({"loss/discriminator": 2.001, "logit/fake": 0.401}, "watch"),
        ({"health/distance": 2.5}, "diverged"),
        ({"health/distance": 0.8}, "healthy"),
        ({"health/nearest": 0.1, "loss/discriminator": 0.0}, "collapsed"),
        ({"health/nearest": 0.9, "logit/real": 5000.0, "loss/discriminator": 0.0}, "diverged"),
        ({"attention/G.attention@16/branch_ratio": 50.0}, "watch"),
        ({"score/structure": 0.02}, "watch"),
    ],
)
def test_what_one_look_shows(row, verdict):
    past = replace(GOING, best_score=0.3)
    assert read_signs(SOUND | row, past, "hinge").verdict == verdict


@pytest.mark.parametrize(
    ("past", "verdict"),
    [
        (Past(late=True, distances=(3.0, 3.0), nearest=3.0), "diverged"),
        (Past(late=True, distances=(6.0, 4.0), nearest=4.0), "watch"),  # half of two looks before: on its way
        (Past(late=False, distances=(3.0, 3.0), nearest=2.9), "watch"),  # it has not had the time
        (Past(varied=True, distances=(2.0, 2.5), nearest=2.0), "diverged"),  # but it was nearer before
        (Past(varied=False, distances=(2.0, 2.5), nearest=2.0), "watch"),  # when it still drew nothing
        (Past(late=True, distances=(3.0,), nearest=3.0), "healthy"),  # nothing to compare with
    ],
)
def test_far_from_the_real_pictures_is_a_sign_when_it_comes_no_nearer(past, verdict):
    assert read_signs({"step": 9, "health/distance": 2.9}, past, "hinge").verdict == verdict


def test_a_dead_discriminator_far_from_the_real_pictures_is_one_at_once():
    past = Past(varied=True, distances=(6.0, 4.0), nearest=2.9)
    dead = {"step": 9, "health/distance": 2.9, "loss/discriminator": 1.999, "logit/real": 0.3, "logit/fake": 0.3}
    assert read_signs(dead, past, "hinge").verdict == "diverged"
    assert read_signs(dead | {"logit/fake": 0.1}, past, "hinge").verdict == "watch"
    assert read_signs(dead, replace(past, varied=False), "hinge").verdict == "watch"


def test_a_loss_without_a_bound_does_not_saturate():
    assert read_signs(SOUND | {"loss/discriminator": -40.0}, GOING, "wasserstein").verdict == "healthy"


def test_numbers_that_a_log_lacks_are_not_asked_for():
    assert read_signs({"step": 5}, GOING, "hinge").verdict == "healthy"


def test_a_log_of_the_watch_is_looked_at_where_the_watch_looked():
    rows = [
        {"step": 10, "loss/discriminator": 1.0, "a": 1.0},
        {"step": 20, "spectrum/generator": 1.0, "loss/discriminator": 2.0},
        {"step": 20, "score/structure": 0.5},
        {"step": 30, "loss/discriminator": 3.0},
        {"step": 40, "spectrum/generator": 2.0},
    ]
    assert looks(rows) == [
        {"step": 20, "spectrum/generator": 1.0, "loss/discriminator": 2.0, "a": 1.0},
        {"step": 40, "spectrum/generator": 2.0, "loss/discriminator": 3.0, "a": 1.0, "score/structure": 0.5},
    ]


def test_another_log_is_looked_at_every_hundred_steps():
    rows = [{"step": step, "loss/discriminator": 1.0} for step in range(10, 360, 10)]
    assert [row["step"] for row in looks(rows)] == [100, 200, 300]
    rows = [{"step": step, "loss/discriminator": 1.0} for step in (70, 140, 210, 280, 350)]
    assert [row["step"] for row in looks(rows)] == [140, 210, 350]


def test_a_whole_log_is_judged_as_it_was_look_by_look():
    rows = [{"step": 100 * number} | row for number, row in enumerate([SOUND, SOUND, ALIKE, ALIKE], 1)]
    watcher = Watcher("hinge", 400)
    for row in rows:
        watcher.look(row)
    assert judge(rows, "hinge", 400).judgement == watcher.judgement
    assert judge([], "hinge", 400).judgement == Judgement("healthy")
