from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sagan.errors import ConfigError
from sagan.metrics.offline import offline_features
from sagan.metrics.protocol import difference
from sagan.metrics.suite import Sample, measure
from sagan.sampling import draw
from sagan.workflows.evaluate import evaluate
from sagan.workflows.openers import open_generator
from sagan.workflows.standing import Standing, with_standing_statistics
from sagan.workflows.truncation import read_bounds, truncation


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sagan.runtime.cpu_multiplies_bf16", lambda: False)


def test_bounds_in_words():
    assert read_bounds("1,none,0.5") == [0.5, 1, 0] and read_bounds("[0, 2]") == [2, 0]
    for words, line in (
        ("x", "^trunc is 'x'"),
        ("0.1,1", "^trunc has 0.1. Use at least 0.2"),
        ("1,1", "^trunc has 1 bounds"),
    ):
        with pytest.raises(ConfigError, match=line):
            read_bounds(words)
    with pytest.raises(ConfigError, match="^trunc has inf"):
        read_bounds("inf,1")


def test_the_curve_holds_what_evaluate_measures(trained, tmp_path):
    told = []
    result = truncation(
        trained,
        bounds="none,0.4,1",
        n=24,
        out=tmp_path / "t.json",
        device="cpu",
        tell=lambda what, a, b: told.append(what),
    )
    assert list(result.curve) == [0.4, 1, 0] and "truncation none" in told
    whole = {one.metric: one for one in evaluate(trained, metrics=["frechet", "prdc"], n=24, device="cpu").numbers}
    for one in result.curve[0]:
        assert difference(one, whole[one.metric]) == pytest.approx(0, abs=1e-9), "the same protocol, the same number"
    tight = result.curve[0.4]
    assert tight[0].protocol.truncation == 0.4 and tight[0].value != whole["frechet"].value
    with pytest.raises(ConfigError, match="truncation: 0.4 and 0"):
        difference(tight[0], whole["frechet"])
    assert dict(result.rows).keys() == {"truncation 0.4", "truncation 1", "truncation none"}
    stored = json.loads((tmp_path / "t.json").read_text())
    assert [point["truncation"] for point in stored["points"]] == [0.4, 1, 0]
    assert (
        stored["points"][0]["protocol"]["truncation"] == 0.4
        and stored["points"][0]["protocol"]["statistics"] == "running"
    )
    assert {one["metric"] for one in stored["points"][2]["figures"]} == {
        "frechet",
        *("precision recall density coverage".split()),
    }
    with Image.open(tmp_path / "t.png") as figure:
        assert figure.size[1] > 900


@pytest.mark.nightly
def test_standing_statistics_are_taken_at_each_bound(trained, tmp_path):
    result = truncation(trained, bounds="0.5,none", n=24, stats="standing:2x8", out=tmp_path / "t.json", device="cpu")
    numbers = {one.metric: one for one in result.curve[0.5]}
    assert numbers["frechet"].protocol.statistics == "standing:2x8"
    generator = with_standing_statistics(open_generator(trained, device="cpu").generator, Standing(2, 8), 0.5)
    network = offline_features()
    pictures = draw(generator, range(24), truncation=0.5)
    from sagan.workflows.subjects import open_subject, real_pictures

    images, _ = real_pictures(open_subject(trained, 24, 0, "cpu"), None)
    reals = Sample(network(images.pictures(np.arange(len(images)))), images.labels)
    expected, _ = measure(["frechet"], network, reals, Sample(network(pictures), np.zeros(24, int)), 0)
    assert numbers["frechet"].value == pytest.approx(expected[0].value, rel=0.02)


def test_what_cannot_be_measured(trained, tmp_path):
    for words, line in (
        ({"n": 5}, "^5 drawn and all real"),
        ({"out": tmp_path / "x.png"}, "the result is written as json"),
    ):
        with pytest.raises(ConfigError, match=line):
            truncation(trained, device="cpu", **{"out": tmp_path / "t.json", **words})
    assert not (tmp_path / "t.json").exists()
