"""Each item of state that a careless resume loses is noticed by the digest, also those that no loss would show."""

from __future__ import annotations

import shutil

import pytest
from proofs import jobs
from proofs.covering import covering_rows
from proofs.processes import call
from proofs.reference import digest, unequal, write_pictures
from proofs.resume_matrix import FACTORS, FULL, LENGTH

SAVED_AT = 3
OPTIONS = {"steps": LENGTH, "save_every": 0, "sample_every": 0, "log_every": LENGTH}

# What is forgotten -> the parts of the digest that must differ. A forgotten average or mean changes no loss.
NOTICED_IN = {
    "forget_position": {"model.safetensors", "counters"},
    "forget_memory": {"optimiser.safetensors", "model.safetensors"},
    "forget_average": {"generator.safetensors", "pictures"},
    "forget_statistics": {"generator.safetensors", "model.safetensors", "pictures"},
    "forget_vectors": {"model.safetensors"},
    "forget_critic": {"model.safetensors", "counters"},
}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """(pictures, a run stopped at SAVED_AT, the digest of the one that went on)."""
    place = tmp_path_factory.mktemp("story")
    data = write_pictures(place / "photos")
    call(jobs.train, data, place / "whole", OPTIONS, log=place / "whole.log")
    call(jobs.train, data, place / "broken", {**OPTIONS, "steps": SAVED_AT}, log=place / "broken.log")
    return data, place / "broken", digest(place / "whole", LENGTH)


def go_on(story, place, sabotage):
    """The parts of the digest in which the run that goes on differs from the uninterrupted one."""
    data, broken, expected = story
    run = shutil.copytree(broken, place / "run")
    call(jobs.train, data, run, OPTIONS, 3, log=place / "log", sabotage=sabotage)
    found = digest(run, LENGTH)
    return {name for name in found if unequal({name: found[name]}, expected)}


@pytest.mark.timeout(600)
def test_with_nothing_lost_nothing_differs(story, tmp_path):
    assert go_on(story, tmp_path, None) == set()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("sabotage", NOTICED_IN)
def test_whatever_is_lost_is_noticed(story, tmp_path, sabotage):
    assert go_on(story, tmp_path, sabotage) >= NOTICED_IN[sabotage]


def test_the_full_number_of_rows_covers_nearly_every_pair_of_choices():
    rows, share = covering_rows(FACTORS, FULL, 1)
    assert len(rows) == FULL and share > 0.97
    assert sum(row["new interpreter"] for row in rows) >= 6
    assert covering_rows(FACTORS, FULL, 1) == (rows, share), "the same seed, the same rows"
