"""Strict JSON refuses what two readers could take differently, and what could exhaust one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagan.checkpoint.strict_json import dump_strict_json, parse_strict_json
from sagan.errors import CheckpointCorrupt


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "'a' stands twice"),
        ('[{"x": {"k": 1, "k": 1}}]', "'k' stands twice"),
        ("NaN", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("1e999", "beyond every finite number"),
        ("18446744073709551616", "beyond 64 bits"),
        ("9" * 5000, "beyond 64 bits"),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ("[" * 100_000, "nested deeper than 32"),
        ('{"a":' * 100_000, "nested deeper than 32"),
        ('"\\ud800"', "not strict JSON"),
        ('{"\\udfff": 1}', "not strict JSON"),
        (b'"\xff"', "not strict JSON"),
        ("", "not strict JSON"),
        ("{} {}", "not strict JSON"),
        ("[1,]", "not strict JSON"),
        ("[" + "0," * 500_000 + "0]", "more than 500,000 values"),
        (json.dumps({str(key): 0 for key in range(100_000)})[:-1] + ', "99999": 0}', "'99999' stands twice"),
        (" " * 101, "JSON of 101 bytes, above the limit of 100"),
    ],
)
def test_refused_saying_why_and_where(text, words):
    limit = {"max_bytes": 100} if text == " " * 101 else {}
    with pytest.raises(CheckpointCorrupt, match=words) as caught:
        parse_strict_json(text, "state.json", **limit)
    assert str(caught.value).startswith("state.json: ") and len(str(caught.value)) < 300


def test_the_limits_themselves_pass():
    assert parse_strict_json("18446744073709551615", "x") == 2**64 - 1
    assert parse_strict_json("-9223372036854775808", "x") == -(2**63)
    assert parse_strict_json("[" * 32 + "]" * 32, "x") == json.loads("[" * 32 + "]" * 32)
    assert parse_strict_json(b'"\\ud83d\\ude00"', "x") == "\U0001f600"


texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | texts
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))


@settings(max_examples=40, deadline=None)
@given(values)
def test_what_is_dumped_is_parsed_back(value):
    assert parse_strict_json(dump_strict_json(value, "x"), "x") == value


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:\\u0123eE+-.NaIftrue ', max_size=60))
def test_nothing_but_our_error_escapes(text):
    try:
        value = parse_strict_json(text, "x")
    except CheckpointCorrupt as error:
        assert error.exit_code == 4
    else:
        assert parse_strict_json(dump_strict_json(value, "x"), "x") == value


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}, float("nan"), {"a": float("inf")}])
def test_values_that_json_would_change_are_not_written(value):
    with pytest.raises(ValueError):
        dump_strict_json(value, "x")
