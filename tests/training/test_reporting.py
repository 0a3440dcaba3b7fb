from __future__ import annotations

import json

import pytest

from sagan.errors import ResourceError
from sagan.training.reporting import Note, nobody, read_log, read_log_about, write_log_line


def test_a_line_a_call_with_counters_whole_and_six_figures(tmp_path):
    log = tmp_path / "log.jsonl"
    write_log_line(log, {"step": 12345678, "loss/generator": 0.123456789})
    write_log_line(log, {"step": 12345679, "seconds": 1234567.0})
    lines = log.read_text().splitlines()
    assert lines == ['{"step": 12345678, "loss/generator": 0.123457}', '{"step": 12345679, "seconds": 1234570.0}']


def test_a_log_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(ResourceError, match="log.jsonl: .*ENOENT"):
        write_log_line(tmp_path / "none" / "log.jsonl", {"step": 1})


def test_nothing_but_finite_numbers_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_log_line(tmp_path / "log.jsonl", {"step": 1, "loss": float("nan")})


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    log = tmp_path / "log.jsonl"
    good = [{"step": 1, "a/b": 0.5}, {"step": 2, "note": "words", "a/b": 1.5}]
    log.write_text("\n".join([json.dumps(good[0]), "[1]", '{"loss": 3}', json.dumps(good[1]), '{"step": 3, "a/']))
    assert read_log(log) == [{"step": 1, "a/b": 0.5}, {"step": 2, "a/b": 1.5}]
    assert read_log(tmp_path / "none") == []


def test_lines_about_something_come_whole(tmp_path):
    log = tmp_path / "log.jsonl"
    told = {"step": 2, "health/verdict": "too sure", "score/x": 0.5}
    log.write_text(
        "\n".join([json.dumps({"step": 1, "loss": 0.5}), json.dumps(told), '{"step": 3, "health/', '["health/"]'])
    )
    assert read_log_about(log, '"health/', '"leak/') == [told] == read_log_about(log, "score/")
    assert read_log_about(log, "none") == read_log_about(tmp_path / "none", "score/") == []


def test_nobody_listens():
    assert nobody(Note("anything")) is None
