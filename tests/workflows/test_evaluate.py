from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sagan.data.emblems import EMBLEM_CLASSES, render
from sagan.errors import CheckpointMissing, ConfigError, DataError
from sagan.sampling import draw
from sagan.workflows.evaluate import evaluate
from sagan.workflows.evaluation_table import read_numbers, show
from sagan.workflows.leak import leak
from sagan.workflows.openers import open_generator
from sagan.workflows.subjects import open_subject


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sagan"


def write_emblems(folder, ids):
    for number, (picture, label) in enumerate(zip(*render(np.asarray(ids)), strict=True)):
        path = folder / EMBLEM_CLASSES[label] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """(real, drawn): folders of 480 and 160 different emblems in class folders."""
    place = tmp_path_factory.mktemp("sets")
    return write_emblems(place / "real", range(480)), write_emblems(place / "drawn", range(9000, 9160))


def values(result):
    return {one.metric: one.value for one in result.numbers}


def test_a_folder_against_a_folder(sets, tmp_path, own_cache):
    real, drawn = sets
    told = []
    out = tmp_path / "result.json"
    result = evaluate(drawn, str(real), out=out, device="cpu", tell=lambda *said: told.append(said))
    found = values(result)
    assert 0 < found["frechet"] and 0.5 < found["precision"] <= 1 and found["classification_accuracy"] > 0.8
    assert {one.metric for one in result.floor} == set(found)
    protocol = result.numbers[0].protocol
    assert (protocol.real, protocol.drawn, protocol.ema, protocol.split) == (480, 160, None, "all")
    floor = result.floor[0].protocol
    assert (floor.real, floor.drawn, floor.split) == (320, 160, "all, halved")
    assert any("no number here is a FID" in note for note in result.notes)
    assert ("real features", 480, 480) in told
    stored = json.loads(out.read_text())
    assert stored["measured"]["protocol"]["weights"] == protocol.weights
    assert {one.metric: one.value for one in read_numbers(out)} == found
    assert len(list(own_cache.glob("*.safetensors"))) == 1
    told.clear()
    again = evaluate(drawn, str(real), device="cpu", tell=lambda *said: told.append(said))
    assert values(again) == found  # from the cache, bit for bit
    assert not any(what == "real features" for what, _, _ in told)


def test_a_run_against_its_own_data(trained, tmp_path):
    result = evaluate(trained, metrics=["frechet", "intra"], n=30, device="cpu", out=tmp_path / "r.json")
    assert set(values(result)) == {"frechet", "intra_frechet"}
    protocol = result.numbers[0].protocol
    assert (protocol.real, protocol.drawn, protocol.resolution, protocol.ema) == (20, 30, 16, True)
    assert any("too few pictures to show" in note for note in result.notes)
    same = evaluate(trained, metrics=["frechet"], n=30, device="cpu")
    assert values(same)["frechet"] == values(result)["frechet"]
    other = evaluate(trained, metrics=["frechet"], n=30, seed=1, device="cpu")
    assert values(other)["frechet"] != values(result)["frechet"]


def test_the_pictures_of_a_run_are_those_of_their_seeds(trained):
    subject = open_subject(trained, 40, 2, "cpu")
    opened = open_generator(trained, device="cpu")
    expected = draw(opened.generator, [80, 81, 97])
    found = subject.fetch(np.array([0, 1, 17]))
    assert np.abs(found.astype(int) - expected).max() <= 1  # the folded engine may round otherwise
    assert np.array_equal(np.concatenate(list(subject.batches()))[[0, 1, 17]], found)


def test_a_change_is_shown_and_unlike_protocols_are_refused(sets, tmp_path):
    real, drawn = sets
    before = tmp_path / "before.json"
    evaluate(drawn, str(real), metrics=["frechet"], out=before, device="cpu")
    rows = dict(evaluate(drawn, str(real), metrics=["frechet"], against=before, device="cpu").rows)
    assert "as before" in rows["Fréchet distance"]
    told = []
    with pytest.raises(ConfigError, match="may not be compared: drawn: 100 and 160"):
        words = dict(metrics=["frechet"], n=100, against=before, device="cpu")
        evaluate(drawn, str(real), **words, tell=lambda *said: told.append(said[0]))
    assert "real features" in told or told[-1] == "reading the real pictures"
    assert "drawing and features" not in told, "it is told before the work, not after"
    before.write_text("{}")
    with pytest.raises(ConfigError, match="is not a result of sagan evaluate"):
        evaluate(drawn, str(real), metrics=["frechet"], against=before, device="cpu")


def test_pictures_that_lie_class_by_class_are_scored_in_no_order(sets):
    """Ten parts of pictures sorted by class would each hold one or two classes, and score hardly more than 1."""
    real, _ = sets
    found = values(evaluate(real, str(real), metrics=["is"], device="cpu"))
    assert found["inception_score"] > 0.75 * found["inception_score_whole"]


def test_kid_of_small_sets_has_no_spread_to_show(sets):
    """Every subset would be all of both."""
    real, drawn = sets
    result = evaluate(drawn, str(real), metrics=["kid"], real=160, device="cpu")
    assert set(values(result)) == {"kid"} and result.numbers[0].settings == "all 160"
    assert "±" not in dict(result.rows)["kernel distance (KID)"]


def test_what_the_features_cannot_do_is_told_in_one_line(sets, tmp_path, monkeypatch):
    real, drawn = sets
    (tmp_path / "mean_colours_of_a_test.py").write_text("def f(x):\n    return x.mean((1, 2))\n")
    monkeypatch.chdir(tmp_path)
    result = evaluate(drawn, str(real), metrics=["is", "frechet"], features="mean_colours_of_a_test:f", device="cpu")
    assert set(values(result)) == {"frechet"}
    assert any(note.startswith("no is: mean_colours_of_a_test:f has no classifier") for note in result.notes)


@pytest.mark.parametrize(
    ("words", "error", "line"),
    [
        (dict(metrics=["fid"]), ConfigError, "there is no metric 'fid'. There are: frechet, kid"),
        (dict(metrics=[]), ConfigError, "no metric is named"),
        (dict(features="fid"), ConfigError, "features are 'fid'"),
        (dict(n=1), ConfigError, "Use at least 2 of each"),
        (dict(data=None), ConfigError, "Name them with --data DATA"),
        (dict(data="nowhere"), DataError, "nowhere"),
    ],
)
def test_bad_words_end_in_one_line(sets, words, error, line):
    real, drawn = sets
    with pytest.raises(error, match=line):
        evaluate(drawn, **{"data": str(real), "device": "cpu", **words})


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointMissing, match="there is no such file or folder"):
        evaluate(tmp_path / "none", "emblems", device="cpu")


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.3456, "12.35"), (0.0123456, "0.01235"), (1234.5, "1234"), (0.0, "0"), (-3e-9, "0"), (-0.5, "-0.5000")],
)
def test_numbers_are_shown_with_four_digits(value, text):
    assert show(value) == text


def test_leak_finds_copies_in_a_folder_and_writes_its_page(sets, tmp_path):
    real, drawn = sets
    mixed = tmp_path / "mixed"
    write_emblems(mixed, range(9000, 9099))
    copy = np.asarray(Image.open(next((real / "vase").iterdir())))[:, ::-1]
    Image.fromarray(np.clip(copy * 1.1 + 5, 0, 255).astype(np.uint8)).save(mixed / "vase" / "copy.png")
    page = tmp_path / "page.html"
    result = leak(mixed, str(real), baseline=200, out=page, device="cpu")
    assert len(result.verdict.copies) == 1
    text = page.read_text()
    assert "copy.png; " in text, "a sample goes by its name"
    assert text.count('<figure class="marked">') == 1 and text.count("<figure") == 24
    assert "http" not in text.replace("http-equiv", "")
    clean = leak(drawn, str(real), baseline=200, out=page, device="cpu")
    assert "No copy of a training picture among 160 samples." in dict(clean.rows)["verdict"]
    with pytest.raises(ConfigError, match="the page is written as html"):
        leak(drawn, str(real), out=tmp_path / "page.png")


@pytest.mark.parametrize("words", [dict(n=0), dict(baseline=0)])
def test_leak_of_nothing_is_refused(sets, words, tmp_path):
    real, drawn = sets
    with pytest.raises(ConfigError, match="Use at least 1 of each"):
        leak(drawn, str(real), out=tmp_path / "page.html", device="cpu", **words)


def test_leak_of_a_run_says_when_the_set_is_too_small(trained):
    with pytest.raises(DataError, match="20 training pictures are too few to tell"):
        leak(trained, n=10, device="cpu")
