"""A run tells of every picture that it left out, and quarantine does not make it another run."""

from __future__ import annotations

import json

from sagan.training.reporting import Note
from sagan.workflows.train import train


def left_out(run):
    return [json.loads(line) for line in (run / "skipped.jsonl").read_text().splitlines()]


def test_a_run_goes_on_after_its_bad_pictures_were_moved_away(own_photos, tiny, tmp_path):
    run, shelter = tmp_path / "run", tmp_path / "own-photos-quarantine"
    (own_photos / "boats" / "bad.png").write_bytes(b"no")
    settings = dict(max_bad=0.5, sample_every=0, save_every=0, cache_mib=0, workers=1)
    train(tiny(own_photos, run, steps=1, **settings))
    entry = {"path": "boats/bad.png", "code": "not-a-picture", "reason": left_out(run)[0]["reason"]}
    assert left_out(run) == [entry | {"action": "skip"}]
    told = []
    result = train(tiny(own_photos, run, steps=2, on_bad="quarantine", **settings), watch=told.append)
    assert result.step == 2 and left_out(run) == [entry | {"action": "quarantine", "to": "boats/bad.png"}]
    assert (shelter / "boats" / "bad.png").read_bytes() == b"no"
    assert (shelter / "report.jsonl").read_bytes() == (run / "skipped.jsonl").read_bytes()
    assert any(isinstance(event, Note) and "1 pictures that cannot be used were moved" in event.text for event in told)
    assert train(tiny(own_photos, run, steps=3, **settings)).step == 3 and left_out(run) == []
