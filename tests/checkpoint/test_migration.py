"""Records of every older schema arrive in the latest one; none is skipped, none is guessed."""

from __future__ import annotations

import pytest

from sagan.checkpoint import generator_file, manifest, migration
from sagan.checkpoint.migration import latest, migrate
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible

STEPS = {
    1: lambda facts: {"name": facts["title"], **{key: facts[key] for key in facts if key != "title"}},
    2: lambda facts: facts | {"name": facts["name"].upper()},
}


def test_steps_follow_each_other_up_to_the_newest():
    assert migrate({"schema": 1, "title": "a"}, "schema", STEPS, "f") == {"schema": 3, "name": "A"}
    assert migrate({"schema": 2, "name": "a"}, "schema", STEPS, "f") == {"schema": 3, "name": "A"}


def test_what_was_read_stays_as_it_was():
    old = {"schema": 1, "title": "a"}
    migrate(old, "schema", STEPS, "f")
    assert old == {"schema": 1, "title": "a"}


@pytest.mark.parametrize(
    ("steps", "schema"), [(migration.GENERATOR, generator_file.SCHEMA), (migration.MANIFEST, manifest.SCHEMA)]
)
def test_every_older_schema_has_its_step(steps, schema):
    assert latest(steps) == schema
    assert sorted(steps) == list(range(1, schema))


def test_a_missing_step_is_noticed():
    with pytest.raises(KeyError):
        migrate({"schema": 1, "title": "a"}, "schema", {2: STEPS[2]}, "f")


def test_the_future_is_told_from_nonsense():
    with pytest.raises(CheckpointIncompatible, match=r"f: written with schema 4 by sagan 9\.1; .* up to 3\. Install"):
        migrate({"schema": 4, "library": "9.1"}, "schema", STEPS, "f")
    for nonsense in (0, -1, True, "1", 1.0, None, [1]):
        with pytest.raises(CheckpointCorrupt, match="f: schema is"):
            migrate({"schema": nonsense}, "schema", STEPS, "f")
