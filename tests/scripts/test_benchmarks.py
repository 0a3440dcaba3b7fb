"""What all benchmarks share: the order of the samples, what counts as disturbed, the comparison with stored figures."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import pytest

from sagan.data.check import check_data
from sagan.data.config import DataConfig


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


def load(name):
    return importlib.import_module(name)


def test_sides_take_turns_and_the_first_calls_do_not_count():
    calls = []
    samples = load("timing").interleave({name: lambda name=name: calls.append(name) for name in "ABC"}, rounds=2)
    assert "".join(calls) == "ABC" + "ABC" + "CBA"
    assert {name: len(measured) for name, measured in samples.items()} == {"A": 2, "B": 2, "C": 2}


def test_disturbed_samples_are_left_out_while_enough_others_are_there():
    timing = load("timing")
    few = [timing.Sample(1.0, 0.0), timing.Sample(9.0, 0.5)]
    assert timing.quiet(few) == [1.0, 9.0]
    many = [timing.Sample(1.0, 0.0), timing.Sample(2.0, 0.1), timing.Sample(3.0, 0.0), timing.Sample(9.0, 0.5)]
    assert timing.median(many) == 2.0
    assert timing.spread(many) == "1 to 3 s, 3 of 4 samples, others took at most 50% of the machine"


def test_a_ratio_is_one_of_rounds_not_of_medians():
    timing = load("timing")
    slow, fast = (
        [timing.Sample(seconds, 0.0) for seconds in column] for column in ((2.0, 30.0, 4.0), (1.0, 10.0, 1.0))
    )
    assert timing.ratio(slow, fast) == (3.0, 2.0, 4.0)


def test_figures_are_compared_with_those_of_the_same_hardware_alone(tmp_path):
    changes = load("results_file").changes
    path = tmp_path / "walk.json"
    new = {
        "hardware": "2 cores",
        "figures": [{"name": "a step", "value": 3.0, "unit": "s"}, {"name": "new", "value": 1, "unit": ""}],
    }
    assert changes(path, new) == []
    old = {
        "hardware": "2 cores",
        "date": "2027-01-31",
        "versions": {"sagan": "0.1"},
        "figures": [{"name": "a step", "value": 2.0}],
    }
    path.write_text(json.dumps(old))
    assert changes(path, new) == ["walk.json: against 2027-01-31, sagan 0.1", "  a step: 2 -> 3 s (1.50 times)"]
    path.write_text(json.dumps(old | {"hardware": "a cluster"}))
    assert changes(path, new) == ["walk.json: no comparison, the figures stored before are of a cluster"]


def test_a_peer_that_is_not_there_is_one_line(tmp_path):
    peers = load("peers")
    with pytest.raises(SystemExit, match="is not a folder"):
        peers.build("studiogan", tmp_path / "nowhere", "sagan-32", 4)
    with pytest.raises(SystemExit, match="heykeetae has no networks like sagan-32: it has heykeetae-64"):
        peers.build("heykeetae", tmp_path, "sagan-32", 4)


def test_operations_are_counted_merged_and_as_written():
    import torch

    from sagan.layers.blocks import FirstDownBlock
    from sagan.layers.parts import default_parts

    arithmetic = load("arithmetic")
    block, x = FirstDownBlock(3, 8, parts=default_parts()), torch.randn(2, 3, 16, 16)
    merged = arithmetic.operations(lambda: block(x))
    with arithmetic.unmerged():
        written = arithmetic.operations(lambda: block(x))
    skip, first = 2 * 2 * 8 * 8 * 3 * 8, 2 * 2 * 16 * 16 * 27 * 8  # products of 1x1 and 3x3, two operations each
    assert written == pytest.approx((skip + first + 2 * 2 * 16 * 16 * 72 * 8) / 1e9)
    spread = 2 * 8 * 8 * 9 * 16  # the kernel to its four places
    assert merged == pytest.approx((skip + first + spread + 2 * 2 * 8 * 8 * 16 * 8 * 8) / 1e9)


def test_operations_of_fused_attention_are_those_of_its_two_products():
    import torch

    from sagan.layers.attention_core import attend

    arithmetic = load("arithmetic")
    query, key, value = (torch.randn(1, count, 16, requires_grad=True) for count in (512, 256, 256))
    call = lambda: attend(query, key, value).sum().backward()  # noqa: E731
    fused = arithmetic.operations(call)
    with arithmetic.as_written():
        written = arithmetic.operations(call)
    products = 2 * 2 * 512 * 256 * 16 / 1e9
    assert written == pytest.approx(3 * products)  # each product's gradients are two more
    assert fused == pytest.approx(3.5 * products)  # its backward pass makes the map once more


def test_a_step_without_a_piece_of_the_fast_path_computes_the_same():
    import torch

    pieces = load("pieces")
    words = argparse.Namespace(preset="demo", batch_size=4, precision="fp32")

    def loss_without(piece):
        torch.manual_seed(0)
        game = pieces.our_game(words)
        with piece(game):
            return float(pieces.our_step(game)()["loss/discriminator"])

    expected = loss_without(pieces.everything)
    for name, piece in pieces.PIECES.items():
        assert loss_without(piece) == pytest.approx(expected, rel=1e-5), name


def rows_of(distances, modes=None):
    """The course of a run by its truth: the untrained network first."""
    modes = modes or [0.4] * len(distances)
    return [{"truth/distance": 8.0 * far, "truth/modes": many} for far, many in zip(distances, modes, strict=True)]


def test_a_run_has_failed_by_its_end_and_since_the_last_good_look():
    truth = load("health_truth")
    sound = rows_of([1.0, 0.6, 0.3, *[0.2] * 8])
    assert not truth.failed(sound)
    lost = rows_of([1.0, 0.6, 0.3, 0.2, 0.2, 0.5, 0.2, 0.5, 0.6, 0.7, 0.8])
    assert truth.failed(lost) and truth.onset(lost) == 7
    never = rows_of([1.0, *[0.6] * 10])
    assert truth.failed(never) and truth.onset(never) == truth.GOING == 5
    few = rows_of([1.0, *[0.2] * 10], modes=[0.05] * 11)
    assert truth.failed(few) and truth.onset(few) == truth.VARIED == 7
    assert not truth.failed([*sound[:5], {"broke": 1.0}]), "not finite: no case for the watch"


def test_the_truth_of_real_emblems_is_that_nothing_is_wrong():
    import numpy as np

    from sagan.data.emblems import render

    truth = load("health_truth")
    judge = truth.Truth()
    other = truth.flat(render(np.arange(50_000, 50_256), 16)[0])
    assert 0.9 < judge.effective_kinds(other) / judge.real_kinds < 1.1
    assert judge.effective_kinds(other[:1].repeat(256, axis=0)) == 1.0


def test_the_frechet_distance_of_two_normals_by_hand():
    import numpy as np

    one, two = (np.zeros(2), np.diag([4.0, 1.0])), (np.array([3.0, 0.0]), np.diag([9.0, 1.0]))
    assert load("health_truth").frechet(one, two) == pytest.approx(9.0 + (3.0 - 2.0) ** 2)  # means; deviations 2 and 3


def test_report_uses_other_settings_and_seeds_than_tune():
    settings = load("health_settings")
    for kinds in (settings.PROVOKED, settings.SOUND):
        tune, report = ({str((s.changes, s.later, s.pictures)) for s in kinds[part]} for part in ("tune", "report"))
        assert len(tune) == len(report) == 10 and not tune & report
        assert {s.first_seed for s in kinds["tune"]} == {0} and {s.first_seed for s in kinds["report"]} == {1000}


def test_an_ablation_becomes_one_figure_a_row():
    def cell(value=None, failed="", step=100):
        return {"values": {} if value is None else {"score": value}, "failed": failed, "step": step}

    def row(label, cells, better, differences):
        numbers = [one["values"]["score"] for one in cells if not one["failed"]]
        values = {"score": {"mean": sum(numbers) / len(numbers), "deviation": 0.0}} if numbers else {}
        table = {str(seed): one for seed, one in enumerate(cells)}
        return {"label": label, "cells": table, "values": values, "better_in": better, "differences": differences}

    rows = [
        row("none", [cell(0.25), cell(0.5)], None, [0.0, 0.0]),
        row("attention at 8", [cell(0.5), cell(failed="loss is not finite", step=3)], 1, [0.25]),
        row("residual block at 8", [cell(failed="loss is not finite")] * 2, None, []),
    ]
    facts = {"measure": {"headline": "score"}, "groups": [{"title": "Attention", "rows": rows}]}
    assert load("ablation").figures_of(facts) == [
        ("Attention: none", 0.375, "", "0.25 to 0.5 over 2 seeds; 100 steps"),
        (
            "Attention: attention at 8",
            0.5,
            "",
            "0.5 to 0.5 over 1 seed; 100 steps; better than the first row in 1 of 1; 1 failed: loss is not finite",
        ),
        ("Attention: residual block at 8, failed", 2.0, "seeds", "loss is not finite"),
    ]


def test_the_unseen_folders_are_as_mixed_as_they_say(tmp_path):
    unseen = load("unseen_folders")
    counts = {"flags": {"bands": 6, "checks": 2}, "letters": {"A": 7, "X": 1}}
    for name, (_, draw, seed) in unseen.FOLDERS.items():
        folder = unseen.render(tmp_path / name, counts[name], draw, seed)
        found = check_data(DataConfig(data=str(folder), max_bad=1.0), 16)
        assert list(found.classes.values()) == [
            count + (number == 0) for number, count in enumerate(counts[name].values())
        ]
        assert len(found.sizes) > 4 and len(found.duplicates) == 1
        assert {bad.reason_code for bad in found.bad} >= {"empty", "not-a-picture"} and len(found.bad) == 3
        assert bool(found.transparent) is (name == "letters")
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        assert unseen.render(folder, counts[name], draw, seed) == folder
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
