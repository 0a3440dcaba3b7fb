"""Runs side by side: what differs is found, numbers of unlike protocols never share a row, hostile names stay text."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from sagan.checkpoint.retention import write_best
from sagan.config import from_toml, override, to_toml
from sagan.errors import CheckpointMissing, ConfigError
from sagan.visualise.overlay import overlaid, render_overlaid
from sagan.visualise.palette import line_colour
from sagan.workflows.compare import compare, names_of


@pytest.fixture
def two(trained, tmp_path):
    """The trained run, and a copy that pretends to have been trained otherwise."""
    other = shutil.copytree(trained, tmp_path / "other")
    config = from_toml(other / "run.toml")
    (other / "run.toml").write_text(to_toml(override(config, g_lr=5e-4, attention="residual")))
    return trained, other


def score(run, value, protocol, step=5):
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": step, "score/structure": value, "protocol": protocol}) + "\n")


def test_what_differs_comes_first_and_all_is_there(two, tmp_path):
    result = compare(two, tmp_path / "page.html")
    page = result.page.read_text(encoding="utf-8")
    differing, rest = page.split("All options", 1)
    table = differing.split("Options that differ")[1]
    assert re.findall(r'<tr><th scope="row">(\w+)</th>', table) == ["attention", "g_lr"]
    assert "<td>0.0002</td><td>0.0005</td>" in table and "<td>official</td><td>residual</td>" in table
    assert '<th scope="row">n_dis</th><td>2</td><td>2</td>' in rest
    assert "2 options differ." in page
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert page.count("data:image/png;base64,") == 3  # two grids, one sheet of curves


def test_equal_runs_say_so(trained, tmp_path):
    twin = shutil.copytree(trained, tmp_path / "twin")
    page = compare([trained, twin], tmp_path / "page.html").page.read_text(encoding="utf-8")
    assert "The records are the same." in page and "All options are the same." in page


def test_numbers_of_unlike_protocols_stand_in_rows_of_their_own(two, tmp_path):
    copies = [shutil.copytree(run, tmp_path / f"run{number}") for number, run in enumerate(two)]
    score(copies[0], 0.25, "512 pictures")
    score(copies[1], 0.75, "10,000 pictures")
    result = compare(copies, tmp_path / "page.html")
    rows = dict(result.rows)
    assert rows["structure (512 pictures)"].split() == ["0.25", "at", "step", "5", "-"]
    assert rows["structure (10,000 pictures)"].split() == ["-", "0.75", "at", "step", "5"]
    assert "structure was measured under 2 protocols, which stand in rows of their own." in result.warnings
    score(copies[0], 0.5, "10,000 pictures")
    assert dict(compare(copies, tmp_path / "p.html").rows)["structure (10,000 pictures)"].startswith("0.5 at step 5")


def test_what_keeps_runs_from_being_compared_is_said(two, tmp_path):
    other = two[1]
    data = json.loads((other / "data.json").read_text())
    (other / "data.json").write_text(json.dumps(data | {"fingerprint": "0" * 64}))
    config = from_toml(other / "run.toml")
    (other / "run.toml").write_text(to_toml(override(config, loss="non-saturating")))
    words = " ".join(compare(two, tmp_path / "page.html").warnings)
    assert "different pictures" in words and "different losses" in words and "different length" not in words


def test_a_best_of_another_step_is_shown(two, tmp_path):
    write_best(two[1], 3, 0.875, "512 pictures")
    rows = dict(compare(two, tmp_path / "page.html").rows)
    assert rows["the best (512 pictures)"].split()[:2] == ["-", "0.875"]


@pytest.mark.parametrize(("count", "line"), [(1, "1 runs to compare"), (8, "8 runs to compare")])
def test_too_few_and_too_many_are_refused(trained, tmp_path, count, line):
    with pytest.raises(ConfigError, match=f"{line}. Name 2 to 7"):
        compare([trained] * count, tmp_path / "page.html")


def test_what_is_no_run_is_named_and_nothing_is_written(trained, tmp_path):
    with pytest.raises(CheckpointMissing, match="nowhere: this is not the folder of a run"):
        compare([trained, tmp_path / "nowhere"], tmp_path / "page.html")
    with pytest.raises(ConfigError, match="a run is named twice"):
        compare([trained, trained], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_names_are_as_long_as_they_must_be(tmp_path):
    assert names_of([tmp_path / "a" / "run", tmp_path / "b" / "run"]) == ["a/run", "b/run"]
    assert names_of([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]


def test_every_run_keeps_its_colour_from_chart_to_chart():
    logs = [
        ("one", [{"step": step, "loss/generator": 1.0, "loss/discriminator": 1.0, "alone/x": 1.0} for step in (1, 9)]),
        ("two", [{"step": step, "loss/generator": 3.0, "loss/discriminator": 3.0} for step in (1, 9)]),
    ]
    merged = overlaid(logs)
    assert not any("alone" in key for row in merged for key in row)
    sheet = np.asarray(render_overlaid(merged, ["one", "two"])).astype(int)
    for half in (sheet[:, :800], sheet[:, 800:]):  # two charts side by side
        heights = [np.argwhere(np.abs(half - line_colour(n)).sum(axis=2) < 6)[:, 0].mean() for n in (0, 1)]
        assert heights[0] > heights[1] + 50  # 1.0 lies below 3.0
    assert Image.fromarray(sheet.astype(np.uint8)).width == 1600
