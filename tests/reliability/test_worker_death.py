"""The proof about lost decoding processes notices what it is there to notice."""

from __future__ import annotations

import pytest
from proofs import worker_death

from sagan.data import batches, workers

pytestmark = pytest.mark.alone


def test_a_restart_at_another_place_is_noticed(tmp_path, monkeypatch):
    def one_too_far(images, count, order, size, start, rows):
        lost = bool(list(tmp_path.glob("happened-*")))
        return workers.Workers(images, count, order, size, start + lost, rows)

    monkeypatch.setattr(batches, "Workers", one_too_far)
    outcome = worker_death.prove(1, 0, tmp_path)
    assert len(outcome.failures) == 1 and "the batches differ" in outcome.failures[0]


def test_a_picture_that_is_not_named_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "LOSSES", 99)  # at one picture, before it is named
    monkeypatch.setattr(worker_death, "DataError", Exception)  # what comes in its place
    outcome = worker_death.prove(1, 0, tmp_path)
    assert len(outcome.failures) == 1 and "told a decoding process was ended by SIGKILL" in outcome.failures[0]


def test_the_wrong_picture_is_noticed(tmp_path, monkeypatch):
    really = workers.Crew._lost

    def another(self, number, how):
        loss = really(self, number, how)
        loss.picture = (loss.picture + 1) % 24
        return loss

    monkeypatch.setattr(workers.Crew, "_lost", another)
    outcome = worker_death.prove(1, 0, tmp_path)
    assert len(outcome.failures) == 1 and "told /" in outcome.failures[0]


def test_processes_that_stay_are_noticed(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(workers, "_end", lambda pool: kept.extend(pool))
    outcome = worker_death.prove(1, 0, tmp_path)
    for worker in kept:
        worker.process.kill()
        worker.pipe.close()
        worker.process.join()
    assert len(outcome.failures) == 1 and "left behind" in outcome.failures[0]
