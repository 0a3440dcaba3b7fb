"""The whole verb on networks of 16 channels: cells are runs, nothing finished is run again, failures are rows too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sagan.config import override
from sagan.errors import CheckpointCorrupt, ConfigError, Interrupted, NumericError
from sagan.training.reporting import Note
from sagan.workflows.ablate import ablate
from sagan.workflows.ablation import cells as cells_module
from sagan.workflows.ablation.cells import CELL
from sagan.workflows.ablation.measures import ON_OTHERS, Measure
from sagan.workflows.ablation.plan import budget, plan, set_up
from sagan.workflows.openers import open_generator
from sagan.workflows.train import train


def first_weight(generator, images):
    """A stand-in that tells runs apart and needs no drawing."""
    return {"weight": float(next(generator.parameters()).double().abs().sum()), "pictures": float(len(images))}


MEASURE = Measure(first_weight, "weight", "higher", "first weight, for tests")


@pytest.fixture(autouse=True)
def no_reports(monkeypatch):
    """Cells are runs, and a run's pages are tested elsewhere: drawing them takes longer than these cells train."""
    monkeypatch.setattr("sagan.workflows.chores.write_report", lambda folder: folder.report)


@pytest.fixture
def base(tiny, photos):
    return override(tiny(photos, "", steps=3), log_every=1, sample_every=0, save_every=0, out="")


def small(base, out, **options):
    return set_up(base, Path(out), **{"rows": ["spectral"], "seeds": 2, "jobs": 1} | options)


def trained_in(run, monkeypatch):
    """The folders that `train` is called for while `run` runs."""
    seen = []

    def noted(config, **options):
        seen.append(Path(config.output.out).name)
        return train(config, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cells_module, "train", noted)
        return seen, run()


def test_every_cell_is_a_run_and_all_numbers_stand_in_the_files(base, tmp_path, monkeypatch):
    asked = small(base, tmp_path / "a", rows=["attention", "spectral"])
    seen, result = trained_in(lambda: ablate(asked, measure=MEASURE), monkeypatch)
    rows = [
        "attention-none",
        "attention-attention-8",
        "attention-residual-8",
        "spectral-d",
        "spectral-g",
        "spectral-none",
    ]
    assert seen == [f"{row}-seed{seed}" for seed in (0, 1) for row in rows]  # `both` has the record of attention at 8
    facts = json.loads((tmp_path / "a" / "ablation.json").read_text())
    (attention, spectral) = facts["groups"]
    by_row = {row["name"]: row for row in attention["rows"] + spectral["rows"]}
    assert by_row["both"]["cells"] == by_row["attention-8"]["cells"]
    for name, row in by_row.items():
        assert set(row["cells"]) == {"0", "1"}, name
        numbers = [row["cells"][seed]["values"]["weight"] for seed in ("0", "1")]
        assert row["values"]["weight"]["mean"] == pytest.approx(sum(numbers) / 2)
        assert all(cell["step"] == 3 and cell["images"] == 48 and cell["seconds"] > 0 for cell in row["cells"].values())
    own = tmp_path / "a" / "cells" / "attention-attention-8-seed1"
    assert (
        first_weight(open_generator(own).generator, range(18))["weight"]
        == by_row["both"]["cells"]["1"]["values"]["weight"]
    )
    assert [path.name for path in result.paths] == [f"ablation.{kind}" for kind in ("json", "md", "png", "html")]
    page = (tmp_path / "a" / "ablation.html").read_text()
    assert "42.13" in page and "another metric" in page and "12 of 12 cells are finished" in page
    assert not any(word in page for word in ("http://", "https://", "<script"))
    table = (tmp_path / "a" / "ablation.md").read_text()
    assert "| residual block at 8 |" in table and "| attention at 64 | 18.65 | 52.52 |" in table


def test_what_is_finished_is_not_run_again_and_what_is_not_goes_on_exactly(base, tmp_path, monkeypatch):
    whole = small(base, tmp_path / "whole", seeds=1)
    ablate(whole, measure=MEASURE)
    asked = small(base, tmp_path / "cut", seeds=1)

    def interrupted(config, **options):
        if Path(config.output.out).name == "spectral-g-seed0":
            train(override(config, steps=1), **options)  # as a signal would leave it: saved after its first step
            raise Interrupted("stopped at step 1", exit_code=143)
        return train(config, **options)

    with (
        monkeypatch.context() as patch,
        pytest.raises(Interrupted, match="stopped at step 1. The same command goes on."),
    ):
        patch.setattr(cells_module, "train", interrupted)
        ablate(asked, measure=MEASURE)
    seen, _ = trained_in(lambda: ablate(asked, measure=MEASURE), monkeypatch)
    assert seen[0] == "spectral-g-seed0" and len(seen) == 2  # after both and d
    assert trained_in(lambda: ablate(asked, measure=MEASURE), monkeypatch)[0] == []
    for cell in whole.cells:
        name = (
            Path("cells") / f"{cell.name}-seed{cell.seed}" / "checkpoints" / "step-00000003" / "generator.safetensors"
        )
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_a_cell_that_leaves_the_finite_is_a_row_with_a_reason(base, tmp_path, monkeypatch):
    def failing(config, **options):
        result = train(config, **options)
        if Path(config.output.out).name == "spectral-none-seed1":
            raise NumericError("loss/generator is not finite at step 3")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(cells_module, "train", failing)
        result = ablate(small(base, tmp_path / "a"), measure=MEASURE)
    row = result.outcomes[0].rows[-1]
    assert row.failures == {1: "loss/generator is not finite at step 3"} and len(row.spread("weight").numbers) == 1
    for name in ("ablation.md", "ablation.html"):
        text = (tmp_path / "a" / name).read_text()
        assert "seed 1 failed: loss/generator is not finite at step 3" in text
    assert "no clear order: " in result.lines[0] and "in neither" in result.lines[0]
    assert trained_in(lambda: ablate(small(base, tmp_path / "a"), measure=MEASURE), monkeypatch)[0] == []


def test_two_at_a_time_give_the_same_numbers_in_processes_of_their_own(base, tmp_path):
    alone = ablate(small(base, tmp_path / "alone", seeds=1), measure=ON_OTHERS)
    notes = []
    asked = small(override(base, threads=1), tmp_path / "together", seeds=1, jobs=2)
    together = ablate(asked, measure=ON_OTHERS, watch=notes.append)
    for ours, theirs in zip(alone.outcomes[0].rows, together.outcomes[0].rows, strict=True):
        assert ours.cells[0].values == theirs.cells[0].values and ours.cells[0].step == 3
    assert sum("diversity" in note.text for note in notes if isinstance(note, Note)) == 4


def test_an_error_of_a_process_arrives_as_it_was(base, tmp_path):
    asked = small(base, tmp_path / "a", seeds=1, jobs=2)
    lock = tmp_path / "a" / "cells" / "spectral-both-seed0" / "run.toml"
    lock.parent.mkdir(parents=True)
    lock.write_text("no = TOML = at all")
    with pytest.raises(ConfigError, match="run.toml: not readable as TOML"):
        ablate(asked, measure=MEASURE)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"ema": 0.5}, "this cell was run with another ema"),
        ({"steps": 4}, "this cell was run with another steps"),
    ],
)
def test_another_ablation_in_the_same_folder_is_refused(base, tmp_path, change, line):
    ablate(small(base, tmp_path / "a", seeds=1), measure=MEASURE)
    with pytest.raises(ConfigError, match=f"{line}. Choose another folder with --out"):
        ablate(small(override(base, **change), tmp_path / "a", seeds=1), measure=MEASURE)


def test_another_measure_or_other_pictures_are_refused(base, tmp_path, own_photos):
    ablate(small(base, tmp_path / "a", seeds=1), measure=MEASURE)
    with pytest.raises(ConfigError, match="another measure"):
        ablate(small(base, tmp_path / "a", seeds=1), measure=ON_OTHERS)
    shutil.rmtree(own_photos / "boats")
    with pytest.raises(ConfigError, match="another .*pictures"):
        ablate(small(override(base, data=str(own_photos), cond="off"), tmp_path / "a", seeds=1), measure=MEASURE)


@pytest.mark.nightly
def test_more_seeds_and_more_rows_join_what_is_there(base, tmp_path, monkeypatch):
    ablate(small(base, tmp_path / "a", seeds=1), measure=MEASURE)
    more = small(base, tmp_path / "a", seeds=2, rows=["spectral", "rates"])
    seen, _ = trained_in(lambda: ablate(more, measure=MEASURE), monkeypatch)
    assert "spectral-both-seed1" in seen and "rates-slow-seed0" in seen and "spectral-both-seed0" not in seen


def test_a_damaged_result_is_named(base, tmp_path):
    asked = small(base, tmp_path / "a", seeds=1)
    ablate(asked, measure=MEASURE)
    (asked.cells[0].folder / CELL).write_text('{"name": 3}\n')
    with pytest.raises(CheckpointCorrupt, match="not what came out of a cell. Remove it."):
        ablate(asked, measure=MEASURE)


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ((), {"steps": 0, "kimg": 0.0, "time": "5m"}),
        (("time", "g_lr"), {"steps": 0, "kimg": 0.0}),
        (("steps",), {"kimg": 0.0, "time": ""}),
        (("steps", "time", "kimg"), {}),
    ],
)
def test_a_presets_own_length_is_no_budget(said, limits):
    assert budget(said) == limits


def test_the_plan_names_rows_and_cells_and_time_and_writes_nothing(base, tmp_path):
    rows = dict(plan(small(base, tmp_path / "a", rows=["attention", "spectral"], seeds=3, jobs=2)).rows)
    assert rows["attention: residual block at 8"] == "g_attn 8, d_attn 8, attention residual"
    assert rows["spectral: in G and D"].endswith("(the cells of attention-attention-8)")
    assert rows["cells"] == "18, 2 at a time" and rows["budget of a cell"] == "3 steps"
    timed = override(base, steps=0, time="10m")
    assert dict(plan(small(timed, tmp_path / "a", seeds=3, jobs=2)).rows)["training in all, about"].startswith(
        "60 min;"
    )
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [({"seeds": 0}, "seeds is 0. Choose from 1 to 100"), ({"jobs": -1}, "jobs is -1. Choose from 0")],
)
def test_impossible_counts_are_refused(base, tmp_path, options, line):
    with pytest.raises(ConfigError, match=line):
        small(base, tmp_path, **options)


def test_cells_without_a_length_are_refused(base, tmp_path):
    with pytest.raises(ConfigError, match="no length. Give --time, --steps or --kimg"):
        small(override(base, steps=0), tmp_path)
