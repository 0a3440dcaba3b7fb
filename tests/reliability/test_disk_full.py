"""The proof about full disks notices a run that tears, leaves behind or forgets."""

from __future__ import annotations

import pytest
from proofs import disk_full

pytestmark = pytest.mark.skipif(disk_full.missing() is not None, reason="needs a tmpfs of its own")


@pytest.mark.parametrize(
    ("sabotage", "words"),
    [
        ("publish_in_the_open", "no whole newest checkpoint"),
        ("leave_temporary_files", "left over"),
        ("take_every_failed_save_lightly", "it ended well"),
    ],
)
def test_a_run_that_does_not_care_is_noticed(tmp_path, monkeypatch, sabotage, words):
    case = disk_full.Case("room", 0.8, failed_saves=0, free_meanwhile=False)
    monkeypatch.setattr(disk_full, "cases", lambda count, seed: [case])
    outcome = disk_full.prove(1, 0, tmp_path, sabotage=sabotage)
    assert outcome.held == 0 and words in outcome.failures[0]


def test_the_full_proof_has_every_size_once():
    cases = disk_full.cases(disk_full.FULL, 0)
    assert sorted(case.amount for case in cases if case.kind == "room") == [size / 10 for size in range(1, 25)]
    assert {case.kind for case in cases} == {"room", "names", "growth"}
    assert {case.amount < 1 for case in disk_full.cases(disk_full.QUICK, 0) if case.kind == "room"} == {True, False}
