"""The proof of the frozen formats notices what would lock people out of their files."""

from __future__ import annotations

import pytest
from proofs import formats

from sagan.checkpoint import migration


def failures(tmp_path, monkeypatch, *checks):
    monkeypatch.setattr(formats, "CHECKS", checks)
    return formats.prove(formats.FULL, 0, tmp_path).failures


def test_a_missing_migration_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(migration, "GENERATOR", {**migration.GENERATOR, 1: lambda facts: facts})
    (line,) = failures(tmp_path, monkeypatch, formats.opens_and_draws)
    assert line.startswith("v1 opens_and_draws: CheckpointCorrupt") and "channels" in line


def test_a_version_that_forgets_an_old_schema_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(migration, "MANIFEST", {2: lambda facts: facts})
    lines = failures(tmp_path, monkeypatch, formats.verifies)
    assert any(line.startswith("v1 verifies: KeyError") for line in lines)


def test_reading_the_future_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(migration, "check_schema", lambda *given: None)
    lines = failures(tmp_path, monkeypatch, formats.future_is_refused)
    assert len(lines) == len(formats.versions())


def test_other_pictures_are_noticed(tmp_path, monkeypatch):
    honest = formats.draw
    monkeypatch.setattr(formats, "draw", lambda *given: 255 - honest(*given))
    lines = failures(tmp_path, monkeypatch, formats.opens_and_draws)
    assert len(lines) == len(formats.versions()) and "levels apart" in lines[0]


def test_a_state_that_is_dropped_is_noticed(tmp_path, monkeypatch):
    def forgetful(game, *given):
        state = honest(game, *given)
        game.averaged.model.stem.bias.data.zero_()
        return state

    honest = formats.restore
    monkeypatch.setattr(formats, "restore", forgetful)
    lines = failures(tmp_path, monkeypatch, formats.restores_exactly)
    assert len(lines) == len(formats.versions()) and "differs in ['averaged.stem.bias']" in lines[0]


@pytest.mark.parametrize("version", formats.versions())
def test_frozen_files_stay_small(version):
    files = [path for path in (formats.FORMATS / version).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
