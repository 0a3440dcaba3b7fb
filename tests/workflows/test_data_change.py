"""Other pictures on resume: refused with the difference, and gone on with where that is allowed and can be."""

from __future__ import annotations

import json
import shutil

import pytest

from sagan.errors import DataError
from sagan.training.reporting import Note
from sagan.workflows.resuming import picture_changes
from sagan.workflows.train import train


def facts(**classes):
    """data.json of some classes: name -> (number of pictures, digest)."""
    entries = [{"name": name, "pictures": count, "digest": digest} for name, (count, digest) in classes.items()]
    return {"classes": entries, "pictures": sum(count for count, _ in classes.values())}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (facts(cats=(5, "a"), dogs=(4, "b")), facts(cats=(5, "a"), dogs=(3, "c")),
         ["pictures a class: dogs 4 -> 3", "9 -> 8 pictures in all"]),
        (facts(cats=(5, "a"), dogs=(4, "b")), facts(cats=(5, "x"), dogs=(4, "b")),
         ["as many, but other pictures or names: cats"]),
        (facts(cats=(5, "a"), dogs=(4, "b")), facts(cats=(5, "a"), hounds=(4, "b")),
         ["classes gone: dogs", "new classes: hounds"]),
        (facts(), facts(), ["as many, but other pictures or names"]),
        ({"classes": [], "pictures": 7}, {"classes": [], "pictures": 9}, ["7 -> 9 pictures in all"]),
        (facts(**{f"c{n}": (1, "a") for n in range(7)}), facts(),
         ["classes gone: c0, c1, c2, c3, c4 and 2 more", "7 -> 0 pictures in all"]),
    ],
)  # fmt: skip
def test_the_difference_in_words(before, after, words):
    assert picture_changes(before, after) == words


def test_a_lost_picture_is_named_by_its_class_and_may_be_accepted(own_run, own_photos, tiny):
    next(own_photos.glob("boats/*.png")).unlink()
    config = tiny(own_photos, own_run, steps=7, log_every=1, sample_every=0, save_every=2)
    with pytest.raises(
        DataError, match="boats 10 -> 9; 20 -> 19 pictures in all. Put .*--accept-data-change to go on with these"
    ):
        train(config)
    events = []
    assert train(config, accept_data_change=True, watch=events.append).step == 7
    told = [event.text for event in events if isinstance(event, Note)]
    assert any("Going on with other pictures, as was allowed: pictures a class: boats 10 -> 9" in text for text in told)
    rows = [json.loads(line) for line in (own_run / "log.jsonl").read_text().splitlines()]
    (change,) = [row for row in rows if row.get("changed") == "pictures"]
    assert change["step"] == 5 and change["from"] != change["to"]
    assert json.loads((own_run / "data.json").read_text())["pictures"] == 19
    assert train(config, watch=events.append).step == 7, "from now on these are the run's pictures"


def test_another_number_of_classes_is_never_accepted(own_run, own_photos, tiny):
    shutil.copytree(own_photos / "boats", own_photos / "bridges")
    config = tiny(own_photos, own_run, steps=7, log_every=1, sample_every=0, save_every=2)
    with pytest.raises(DataError, match="new classes: bridges") as info:
        train(config, accept_data_change=True)
    assert "--accept-data-change" not in str(info.value)


def test_without_a_record_of_the_former_pictures(own_run, own_photos, tiny):
    next(own_photos.glob("boats/*.png")).unlink()
    (own_run / "data.json").unlink()
    config = tiny(own_photos, own_run, steps=6, log_every=1, sample_every=0, save_every=2)
    with pytest.raises(DataError, match="no record of the former ones is left"):
        train(config)
