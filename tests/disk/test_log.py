"""Logs: torn lines spoil only themselves, refusals are named, resuming tells no step twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sagan.disk import append_line, cut_log
from sagan.errors import ResourceError


def test_appends_lines(tmp_path):
    append_line(tmp_path / "log", "one")
    append_line(tmp_path / "log", "zwölf")
    assert (tmp_path / "log").read_bytes() == "one\nzwölf\n".encode()


def test_a_torn_line_is_ended_first(tmp_path):
    (tmp_path / "log").write_bytes(b'{"step": 1}\n{"st')
    append_line(tmp_path / "log", '{"step": 2}')
    assert (tmp_path / "log").read_bytes() == b'{"step": 1}\n{"st\n{"step": 2}\n'


def test_a_disk_that_refuses_is_named(tmp_path, monkeypatch):
    with pytest.raises(ResourceError, match="log: .*ENOENT"):
        append_line(tmp_path / "no folder" / "log", "x")
    if os.path.exists("/dev/full"):
        with pytest.raises(ResourceError, match="/dev/full: the disk is full: 2 bytes needed"):
            append_line(Path("/dev/full"), "x")
    monkeypatch.setattr(os, "write", lambda descriptor, data: len(data) - 1)
    with pytest.raises(ResourceError, match="log: the disk is full"):
        append_line(tmp_path / "log", "x")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device")
def test_what_is_no_file_is_neither_read_to_its_end_nor_cut():
    assert cut_log(Path("/dev/zero"), 3) == 0


def test_two_lines_in_one_call_are_our_mistake(tmp_path):
    with pytest.raises(AssertionError):
        append_line(tmp_path / "log", "a\nb")


def test_cutting_keeps_up_to_the_step_and_sets_the_rest_aside(tmp_path):
    log = tmp_path / "log.jsonl"
    kept = [b'{"step": 10, "loss": 1.5}\n', b'{"event": "resumed"}\n', b'{"step": 20}\n']
    cut = [b'{"step": 21}\n', b"not json\n", b'{"step": "x"}\n', b"[1]\n", b'{"step": 5']
    log.write_bytes(b"".join(kept[:2] + cut[:1] + kept[2:] + cut[1:]))
    assert cut_log(log, 20) == 5
    assert log.read_bytes() == b"".join(kept)
    assert (tmp_path / "log.jsonl.cut").read_bytes() == b"".join(cut) + b"\n"
    assert cut_log(log, 20) == 0


def test_cut_parts_add_up_over_several_resumes(tmp_path):
    log = tmp_path / "log"
    for step in range(5):
        append_line(log, json.dumps({"step": step}))
    cut_log(log, 3)
    cut_log(log, 1)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [0, 1]
    assert [json.loads(line)["step"] for line in (tmp_path / "log.cut").read_text().splitlines()] == [4, 2, 3]


def test_no_log_no_cut(tmp_path):
    assert cut_log(tmp_path / "log", 3) == 0
    assert list(tmp_path.iterdir()) == []
