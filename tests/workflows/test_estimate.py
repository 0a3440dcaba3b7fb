from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from sagan.checkpoint.folder import step_folder
from sagan.errors import ResourceError
from sagan.models.build import build_discriminator, build_generator, parameter_count
from sagan.runtime import Runtime
from sagan.workflows import estimate as estimate_module
from sagan.workflows.estimate import duration, estimate, size

HERE = Runtime(torch.device("cpu"), 1)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"), (0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (720, "12 min"), (5399, "1 h 30 min"),
        (12000, "3 h 20 min"), (3600 * 47, "47 h 00 min"), (86400 * 5, "5.0 days"),
        (float("inf"), "for ever (no length was set)"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 MiB"), (5 << 20, "5 MiB"), (3 << 29, "1.5 GiB")])
def test_sizes_in_words(count, words):
    assert size(count) == words


def test_an_estimate_counts_parameters_and_the_bytes_of_a_checkpoint(tiny, trained, photos, tmp_path):
    config = tiny(photos, tmp_path / "run")
    cost = estimate(config, 2, HERE)
    assert cost.generator_parameters == parameter_count(build_generator(config.model, 2))
    assert cost.discriminator_parameters == parameter_count(build_discriminator(config.model, 2))
    really = sum(path.stat().st_size for path in step_folder(trained, 5).glob("*.safetensors"))
    assert cost.checkpoint_bytes == pytest.approx(really, rel=0.25), "headers weigh something in so small a file"
    assert cost.checkpoint_bytes < really
    assert cost.seconds_a_step > 0
    assert cost.memory_bytes > cost.checkpoint_bytes + 4 * (cost.generator_parameters + cost.discriminator_parameters)


def test_memory_grows_with_the_part_and_not_with_the_batch(tiny, photos, tmp_path):
    def memory(**options):
        return estimate(tiny(photos, tmp_path / "run", **options), 2, HERE).memory_bytes

    small, large = memory(batch_size=8), memory(batch_size=64)
    assert large > 3 * small
    assert memory(batch_size=64, grad_accum=8) == pytest.approx(small, rel=0.2)


def test_the_clock_is_read_when_the_device_is_done(tiny, photos, tmp_path, monkeypatch):
    events = []
    step, clock = estimate_module.train_step, estimate_module.time.perf_counter
    monkeypatch.setattr(estimate_module, "train_step", lambda *words: (events.append("step"), step(*words)))
    monkeypatch.setattr(Runtime, "synchronise", lambda self: events.append("wait"))
    monkeypatch.setattr(
        estimate_module, "time", SimpleNamespace(perf_counter=lambda: (events.append("clock"), clock())[1])
    )
    estimate(tiny(photos, tmp_path / "run"), 2, HERE)
    assert events == ["step", "wait", "clock", "step", "wait", "clock", "step", "step"], (
        "the last two are for the memory"
    )


def test_a_probe_that_does_not_fit_is_one_line(tiny, photos, tmp_path, monkeypatch):
    def step(*_):
        torch.empty(1 << 60, dtype=torch.uint8)

    monkeypatch.setattr(estimate_module, "train_step", step)
    with pytest.raises(ResourceError, match="^out of memory .*Use a smaller --batch-size"):
        estimate(tiny(photos, tmp_path / "run"), 2, HERE)


def test_an_estimate_leaves_the_global_random_state_alone(tiny, photos, tmp_path):
    before = torch.get_rng_state()
    estimate(tiny(photos, tmp_path / "run"), 2, HERE)
    assert torch.equal(before, torch.get_rng_state())
