from __future__ import annotations

import pytest
from pydantic import ValidationError

from sagan.errors import ConfigError
from sagan.training.config import OutputConfig, TrainingConfig, seconds


@pytest.mark.parametrize(
    ("words", "expected"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("1d2h3m4s", 93784), ("0.5s", 0.5)],
)
def test_durations(words, expected):
    assert seconds(words) == expected


@pytest.mark.parametrize("words", ["", "90", "1h30", "h", "1 h", "-5m", "1w", "1h x", "1e3s", "10min", "m10"])
def test_what_is_no_duration(words):
    with pytest.raises(ConfigError, match=f"^time is '{words}'. Write it like 90s, 10m, 1h30m or 2d.$"):
        seconds(words)


def test_a_record_refuses_a_time_that_cannot_be_read():
    assert TrainingConfig(time="10m").time == "10m"
    with pytest.raises((ConfigError, ValidationError), match="time is '10'"):
        TrainingConfig(time="10")


def test_parts_must_divide_the_batch():
    assert TrainingConfig(batch_size=12, grad_accum=4).grad_accum == 4
    with pytest.raises((ConfigError, ValidationError), match="grad_accum 5 does not divide batch_size 12"):
        TrainingConfig(batch_size=12, grad_accum=5)


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (TrainingConfig, "g_lr", 0), (TrainingConfig, "g_lr", float("inf")), (TrainingConfig, "beta2", 1),
        (TrainingConfig, "ema", 1.0), (TrainingConfig, "ema", -0.1), (TrainingConfig, "batch_size", 1),
        (TrainingConfig, "n_dis", 0), (TrainingConfig, "seed", -1), (TrainingConfig, "seed", 2**63),
        (TrainingConfig, "loss", "wgam"), (TrainingConfig, "precision", "fp16"), (OutputConfig, "keep", 1),
        (OutputConfig, "log_every", 0), (OutputConfig, "save_every", -1), (OutputConfig, "colour", "red"),
    ],
)  # fmt: skip
def test_impossible_values_are_refused(record, name, value):
    with pytest.raises(ValidationError, match=name):
        record(**{name: value})


def test_the_published_recipe_is_the_default():
    recipe = TrainingConfig()
    assert (recipe.g_lr, recipe.d_lr, recipe.beta1, recipe.beta2, recipe.n_dis) == (1e-4, 4e-4, 0.0, 0.999, 1)
