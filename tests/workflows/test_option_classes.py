"""What may change on resume, for every option there is: the test finds the values, so no new option can be left out."""

from __future__ import annotations

import pytest

from sagan.config import (
    SLOTS,
    Change,
    RunConfig,
    build,
    choices_of,
    flatten,
    from_toml,
    kind_of,
    option_classes,
    override,
    to_toml,
)
from sagan.config import record as records
from sagan.errors import ConfigError
from sagan.training.reporting import Note
from sagan.workflows.resuming import check_record
from sagan.workflows.run_folder import RunFolder

SILENT = ("out", "preset")  # where a run lies and what its options started from are no changes of the run
WORDS = (
    "elsewhere",
    "5m",
    "#123456",
    "wasserstein",
    "paper",
    "cpu",
    "colour",
)  # one of them suits any option that takes a text
STORED = from_toml(to_toml(build({"resolution": 32, "batch_size": 64})))  # as a run stores it: every option is set


def other_values(name: str, value: object) -> list[object]:
    """Values that this option may well take."""
    field = SLOTS[name].field
    match kind_of(field):
        case "switch":
            return [not value]
        case "choice":
            return list(choices_of(field))
        case "whole" | "number":
            return [value * 2, value + 1, value / 2, 1, 0.5]
        case "list":
            return [(0,), (8, 16)]
    return list(WORDS)


def changed(name: str) -> RunConfig:
    """STORED with another value of one option."""
    value = flatten(STORED)[name]
    for other in other_values(name, value):
        try:
            config = override(STORED, **{name: other})
        except ConfigError:
            continue
        if flatten(config)[name] != value:
            return config
    raise AssertionError(f"this test knows no other value of {name} than {value!r}: extend `other_values`")


@pytest.mark.parametrize("name", SLOTS)
def test_each_option_changes_as_its_class_says(name, tmp_path):
    asked, folder, told = changed(name), RunFolder(tmp_path), []
    before, after, kind = flatten(STORED)[name], flatten(asked)[name], option_classes()[name]
    expected = [] if name in SILENT else [Change(name, before, after, kind)]

    def check(override: bool) -> list[Change]:
        return check_record(STORED, asked, folder, override=override, watch=told.append)

    if kind == "structural":
        for override_it in (False, True):
            with pytest.raises(
                ConfigError, match=rf"another record: {name} .*Choose another folder with --out"
            ) as caught:
                check(override_it)
            assert f"{name} {before} -> {after}" in str(caught.value) and caught.value.exit_code == 2
        assert told == []
        return
    if kind == "schedule":
        with pytest.raises(ConfigError, match=rf"another record: {name} .*Add --override to go on"):
            check(False)
    assert check(kind == "schedule") == expected
    assert told == [Note(f"Changed from the stored record: {name} {before} -> {after}") for _ in expected]


def test_the_same_record_is_no_change(tmp_path):
    for override_it in (False, True):
        assert check_record(STORED, STORED, RunFolder(tmp_path), override=override_it, watch=lambda _: None) == []


def test_an_option_without_a_class_is_noticed(monkeypatch):
    """A field that was declared without `option` has no class, and every look at the classes says so."""
    strange = RunConfig.model_fields["data"]  # a table, declared by Field alone
    monkeypatch.setitem(records.SLOTS, "strange", records.Slot("data", strange))
    with pytest.raises(TypeError):
        option_classes()


def test_the_classes_are_these_three():
    assert set(option_classes().values()) == {"free", "schedule", "structural"}
    assert list(option_classes()) == list(SLOTS)
