"""What training will take of the memory that is free, what would fit, and what is chosen by `--batch-size auto`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sagan.cli.main import main
from sagan.config import from_toml, override
from sagan.errors import ConfigError, ResourceError
from sagan.presets import asks_for_auto, assemble
from sagan.runtime import Runtime
from sagan.training import step as step_module
from sagan.training.reporting import Note
from sagan.workflows import fit as module
from sagan.workflows.estimate import Estimate, Memory
from sagan.workflows.fit import Fit, fit, in_parts, parts_that_fit
from sagan.workflows.train import train

MIB = 1 << 20
HERE = Runtime(torch.device("cpu"), 1)
COST = Estimate(1, 1, 1.0, Memory(fixed=100 * MIB, a_picture=10 * MIB), 0, 0)


def found(tiny, free, processes=1, **options):
    config = tiny("emblems", "run", **{"batch_size": 64, **options})
    return Fit(config, COST, None if free is None else free * MIB, processes)


def test_a_batch_that_fits_is_told_with_the_room_there_is(tiny):
    assert found(tiny, 2000).fits
    assert found(tiny, 2000).words() == "batch 64: 740 MiB of 2.0 GiB free; up to 150 pictures at once would fit"
    assert found(tiny, None).words() == "batch 64: 740 MiB" and found(tiny, None).fits


@pytest.mark.parametrize(
    ("free", "processes", "options", "parts", "offer"),
    [
        (700, 1, {}, 2, "--grad-accum 2 for the same batch or --batch-size 32."),
        (400, 1, {}, 4, "--grad-accum 4 for the same batch or --batch-size 16."),
        (400, 2, {}, 2, "--grad-accum 2 for the same batch or --batch-size 32."),
        (400, 1, {"batch_size": 60}, 3, "--grad-accum 3 for the same batch or --batch-size 16."),
        (400, 1, {"g_batch": 40}, 4, "--grad-accum 4 for the same batch or --batch-size 16."),
        (400, 1, {"bn_group": 16}, 4, "--grad-accum 4 for the same batch or --batch-size 16."),
        (500, 1, {"bn_group": 12, "batch_size": 48}, 2, "--grad-accum 2 for the same batch or --batch-size 16."),
    ],
)  # fmt: skip
def test_a_batch_that_does_not_fit_is_offered_in_parts(tiny, free, processes, options, parts, offer):
    one = found(tiny, free, processes, **options)
    assert not one.fits and one.offer() == f"What fits: {offer}"
    chosen = in_parts(one)
    assert chosen.training.grad_accum == parts and chosen.training.batch_size == one.config.training.batch_size
    assert Fit(chosen, COST, one.free, processes).fits


def test_nothing_fits(tiny):
    with pytest.raises(ResourceError, match=r"no batch fits .*Not even the smallest batch fits") as caught:
        in_parts(found(tiny, 100))
    assert caught.value.exit_code == 5


def test_what_was_found_too_large_is_not_offered_again(tiny):
    """Whatever was predicted: it did not fit."""
    assert found(tiny, None).after_all() == "What fits: --grad-accum 2 for the same batch or --batch-size 32."
    assert (
        found(tiny, 2000, grad_accum=4).after_all() == "What fits: --grad-accum 8 for the same batch or --batch-size 8."
    )


def test_parts_are_of_two_pictures_at_least(tiny):
    config = tiny("emblems", "run", batch_size=64)
    assert parts_that_fit(config, 2) == 32 and parts_that_fit(config, 1) is None
    assert parts_that_fit(config, 64) == 1 and parts_that_fit(override(config, grad_accum=4), 64) == 4


def test_the_prediction_is_near_what_a_step_takes(tiny, tmp_path):
    """Of a batch that no probe had."""
    config = tiny("emblems", tmp_path / "run", batch_size=40)
    cost = fit(config, 2, HERE).cost
    from sagan.training.game import new_game
    from sagan.workflows.estimate import blank_batches

    game = new_game(config.model, config.training, 2, HERE)
    batches = blank_batches(16, 3, 40)
    step_module.train_step(game, batches)
    peak = HERE.peak_memory(lambda: step_module.train_step(game, batches))
    assert cost.memory.a_picture * 40 == pytest.approx(peak, rel=0.15)


def test_auto_is_resolved_once_and_stays(tiny, photos, tmp_path, monkeypatch):
    """The record says what was chosen; a run that goes on does not choose again, however much memory there is then."""
    run = tmp_path / "run"
    cost = fit(tiny(photos, run), 2, HERE).cost
    free = int((cost.memory.of(2) + 1) / module.SHARE) + 1
    monkeypatch.setattr(Runtime, "free_memory", lambda self: free)
    told = []
    train(tiny(photos, run, steps=1), fit_batch=True, watch=told.append)
    assert from_toml(run / "run.toml").training.grad_accum == 4
    assert any("batch 8 in 4 parts: " in one.text and "free" in one.text for one in told if isinstance(one, Note))
    monkeypatch.setattr(Runtime, "free_memory", lambda self: 1 << 40)
    words = {"data": str(photos), "out": str(run), "batch_size": "auto", "steps": 2}
    again = assemble(words, auto_batch=True)
    assert (again.training.batch_size, again.training.grad_accum) == (8, 4)
    train(again, fit_batch=True)
    assert from_toml(run / "run.toml").training.grad_accum == 4


def test_a_batch_that_is_said_is_kept_with_a_warning(tiny, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(Runtime, "free_memory", lambda self: 1000)
    told = []
    train(tiny(photos, tmp_path / "run", steps=1), watch=told.append)
    said = " ".join(one.text for one in told if isinstance(one, Note))
    assert "batch 8: " in said and "Warning: that may be too much. Not even the smallest batch fits" in said
    assert from_toml(tmp_path / "run" / "run.toml").training.grad_accum == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has\na total of 4 GiB"),
    ],
)
def test_running_out_of_memory_names_what_would_fit(tiny, photos, tmp_path, monkeypatch, error):
    def update(game, batch):
        if game.step == 1 and len(batch.pixels) == 8 and game.config.g_lr > 1e-7:  # a probe's is less
            raise error
        return update_generator(game, batch)

    update_generator = step_module.update_generator
    monkeypatch.setattr(step_module, "update_generator", update)
    with pytest.raises(ResourceError, match=r"^out of memory.* What fits: --grad-accum 2 for the same batch") as caught:
        train(tiny(photos, tmp_path / "run", steps=3))
    assert caught.value.exit_code == 5 and "\n" not in str(caught.value)


def test_the_word_auto(tmp_path, photos, capsys, monkeypatch):
    file = tmp_path / "a.toml"
    file.write_text('[training]\nbatch_size = "auto"\n')
    assert (
        asks_for_auto({"batch_size": "auto"})
        and asks_for_auto({}, file)
        and not asks_for_auto({"batch_size": "8"}, file)
    )
    assert assemble({"batch_size": "AUTO"}, preset="sagan-32", auto_batch=True).training.batch_size == 64
    with pytest.raises(ConfigError, match="batch_size is 'auto'. It must be a whole number"):
        assemble({"batch_size": "auto"}, preset="sagan-32")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Runtime, "free_memory", lambda self: 1 << 40)
    words = (
        "--preset sagan-32-small --resolution 16 --g-ch 16 --d-ch 16 --batch-size auto --dry-run --threads 1".split()
    )
    assert main(["train", str(photos), *words]) == 0
    shown = capsys.readouterr().out
    assert "batch_size = 32" in shown and "grad_accum = 1" in shown and "GiB free" in shown
    assert list(Path().iterdir()) == [file.relative_to(tmp_path)]
