from __future__ import annotations

import json

import pytest

from sagan.checkpoint.retention import write_best
from sagan.workflows.happenings import NOT_SAID, Score, health_of, leak_of, scores_of
from sagan.workflows.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    def write(*lines):
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return RunFolder(tmp_path)

    return write


def test_scores_of_two_protocols_stay_apart_and_the_last_of_each_counts(folder, tmp_path):
    write_best(tmp_path, 10, 0.75, "structure, 512 pictures")
    run = folder(
        {"step": 10, "score/structure": 0.75, "score/mirror": 0.5},
        {"step": 20, "score/structure": 0.25, "loss/generator": 1.0},
        {"step": 20, "score/structure": 0.5, "protocol": "structure, 10,000 pictures"},
    )
    assert scores_of(run) == [
        Score("structure", 0.25, 20, "structure, 512 pictures"),
        Score("mirror", 0.5, 10, "structure, 512 pictures"),
        Score("structure", 0.5, 20, "structure, 10,000 pictures"),
    ]
    write_best(tmp_path, 5, 0.875, "structure, 512 pictures")
    assert scores_of(run)[-1] == Score("the best", 0.875, 5, "structure, 512 pictures")


def test_a_score_without_a_protocol_says_so(folder):
    assert scores_of(folder({"step": 3, "score/x": 1.5})) == [Score("x", 1.5, 3, NOT_SAID)]
    assert scores_of(folder()) == []


def test_a_damaged_best_hides_no_score(folder, tmp_path):
    (tmp_path / "best.json").write_text("{")
    assert scores_of(folder({"step": 3, "score/x": 1.5}))[0].value == 1.5


def test_health_is_told_once_a_kind_oldest_first(folder):
    run = folder(
        {"step": 5, "health/diversity": 0.25, "health/verdict": "the discriminator is sure of everything"},
        {"step": 2, "broke_at": 4, "what": "loss/generator is not finite"},
        {"step": 8, "health/diversity": 0.125, "health/verdict": "the discriminator is sure of everything"},
        {"step": 9, "health/low_diversity": True, "health/saturated": False},
    )
    assert health_of(run) == [
        "step 2: loss/generator is not finite at step 4; the run went back and on with other noise",
        "steps 5 to 8, 2 times: verdict: the discriminator is sure of everything",
        "step 9: low diversity",
    ]


def test_a_flood_of_events_is_cut(folder):
    lines = health_of(folder(*({"step": step, "health/note": f"number {step}"} for step in range(80))))
    assert len(lines) == 51 and lines[-1] == "and 30 more, in log.jsonl"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (None, []),
        (
            '{"verdict": "no copies found", "pictures": 2048, "nearest": 0.125, "copied": false, "pairs": [1]}',
            [("verdict", "no copies found"), ("pictures", "2,048"), ("nearest", "0.125"), ("copied", "no")],
        ),
        ("[]", [("verdict", NOT_SAID)]),
    ],
)
def test_the_leak_test_in_rows(tmp_path, text, rows):
    if text is not None:
        (tmp_path / "leak.json").write_text(text)
    assert leak_of(RunFolder(tmp_path)) == rows


def test_a_leak_file_that_is_none_is_told(tmp_path):
    (tmp_path / "leak.json").write_text("{")
    ((name, words),) = leak_of(RunFolder(tmp_path))
    assert name == "verdict" and words.startswith("cannot be read: ")
