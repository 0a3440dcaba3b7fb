"""Rows over seeds, worked out by hand."""

from __future__ import annotations

import pytest

from sagan.workflows.ablation.cells import CellResult
from sagan.workflows.ablation.measures import Measure
from sagan.workflows.ablation.outcome import Spread, outcomes, verdict_of
from sagan.workflows.ablation.pages import cells_of, headings
from sagan.workflows.ablation.rows import Group, Row

GROUP = Group("g", "Question", "", (Row("a", "first", {}), Row("b", "second", {}), Row("c", "third", {})))
NAMES = {("g", "a"): "g-a", ("g", "b"): "g-b", ("g", "c"): "g-c"}


def measure(better="higher"):
    return Measure(lambda generator, images: {}, "score", better, "by hand")


def cell(name, seed, score=None, failed="", **more):
    values = {} if score is None else {"score": score, "part": 10 * score}
    facts = {"name": name, "seed": seed, "protocol": "by hand", "options": {}, "fingerprint": "", "failed": failed}
    return CellResult(**facts, values=values, step=100 * (seed + 1), **more)


def found(results, better="higher"):
    (group,) = outcomes([GROUP], NAMES, results, measure(better))
    return group


RESULTS = [
    *(cell("g-a", seed, score) for seed, score in enumerate((0.25, 0.5, 0.75))),
    *(cell("g-b", seed, score) for seed, score in enumerate((0.5, 0.75, 1.0))),
    *(cell("g-c", seed, score) for seed, score in enumerate((0.0, 0.75, 0.5))),
]


def test_mean_and_deviation_by_hand():
    assert (Spread((1.0, 2.0, 6.0)).mean, Spread((1.0, 2.0, 6.0)).deviation) == (3.0, pytest.approx(7**0.5))
    assert Spread((4.0,)).deviation == 0.0


def test_rows_are_compared_seed_by_seed():
    first, second, third = found(RESULTS).rows
    assert (second.differences(), third.differences()) == ((0.25, 0.25, 0.25), (-0.25, 0.25, -0.25))
    assert (first.better_in(), second.better_in(), third.better_in()) == (None, 3, 1)
    assert second.spread("score").numbers == (0.5, 0.75, 1.0) and second.training("step").mean == 200
    assert found(RESULTS, "lower").rows[1].better_in() == 0


def test_the_verdict_claims_only_what_every_seed_shows():
    words = verdict_of(found(RESULTS))
    assert words == "Question, against 'first': better in every seed: second; no clear order: third."
    assert "worse in every seed: second" in verdict_of(found(RESULTS, "lower"))
    assert verdict_of(found(RESULTS, "neither")) == "Question: this measure ranks nothing."
    assert verdict_of(found(RESULTS[:-1])) == "Question: not all cells are finished."


def test_a_seed_that_failed_is_no_number_and_no_victory():
    results = [result for result in RESULTS if (result.name, result.seed) != ("g-b", 1)]
    group = found([*results, cell("g-b", 1, failed="loss is not finite")])
    second = group.rows[1]
    assert second.failures == {1: "loss is not finite"} and second.spread("score").numbers == (0.5, 1.0)
    assert second.differences() == (0.25, 0.25) and "better in every seed" not in verdict_of(group)


def test_the_table_has_a_line_a_row_with_every_number():
    assert headings(found(RESULTS)) == [
        *(
            "row",
            "score (higher is better)",
            "lowest to highest",
            "against the first",
            "better in",
            "part",
            "steps",
            "note",
        )
    ]
    lines = cells_of(found([*RESULTS[:-1], cell("g-c", 2, 0.5, rollbacks=2)]))
    assert lines[0] == ["first", "0.500 ± 0.250", "0.250 to 0.750, n = 3", "", "", "5.000", "200", ""]
    assert lines[1] == ["second", "0.750 ± 0.250", "0.500 to 1.000, n = 3", "+0.25", "3 of 3", "7.500", "200", ""]
    assert lines[2][-1] == "went back 2 times"
    assert cells_of(found([]))[0][-1] == "nothing yet"
    assert "better in" not in headings(found(RESULTS, "neither"))
