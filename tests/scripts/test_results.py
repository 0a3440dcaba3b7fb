"""The page of results can hold no figure without its origin, and the generated parts replace only themselves."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

GOOD = {
    "name": "walk",
    "command": "python walk.py",
    "date": "2027-01-31",
    "hardware": "2 cores",
    "versions": {"torch": "2.13.0"},
    "seed": 3,
    "figures": [
        {"name": "a|b", "value": 12345.6, "unit": "m", "note": ""},
        {"name": "c", "value": 0.123456, "unit": ""},
    ],
}


@pytest.fixture
def results(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return importlib.import_module("results")


def write(folder, **changes):
    path = folder / "walk.json"
    path.write_text(json.dumps({key: value for key, value in (GOOD | changes).items() if value is not None}))
    return path


def test_a_result_becomes_a_section(results, tmp_path):
    write(tmp_path)
    assert results.index(tmp_path) == (
        "### walk\n\n"
        "`python walk.py` · 2027-01-31 · 2 cores · torch 2.13.0 · seed 3\n\n"
        "| figure | value | unit | note |\n"
        "| --- | --- | --- | --- |\n"
        "| a\\|b | 12,346 | m |  |\n"
        "| c | 0.1235 |  |  |"
    )


def test_an_empty_folder_says_so(results, tmp_path):
    assert results.index(tmp_path) == "Nothing has been recorded yet."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": None}, "walk.json: command: Field required"),
        ({"hardware": ""}, "walk.json: hardware"),
        ({"versions": {}}, "walk.json: versions"),
        ({"figures": []}, "walk.json: figures"),
        ({"date": "yesterday"}, "walk.json: date"),
        ({"figures": [{"name": "c", "value": float("nan"), "unit": ""}]}, "walk.json: figures.0.value"),
        ({"colour": "red"}, "walk.json: colour"),
        ({"name": "run"}, "walk.json: the name inside is 'run'"),
    ],
)
def test_a_result_without_its_origin_is_refused(results, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        results.read(write(tmp_path, **changes))


def test_markers_keep_what_is_written_by_hand(results):
    markers = importlib.import_module("markers")
    text = "by hand\n<!-- begin: x -->\nold\n<!-- end: x -->\nafter\n"
    assert markers.fill(text, "x", "new") == "by hand\n<!-- begin: x -->\n\nnew\n\n<!-- end: x -->\nafter\n"
    with pytest.raises(ValueError, match="begin: y"):
        markers.fill(text, "y", "new")


def test_a_stale_page_fails_the_check_and_stays_as_it_is(results, tmp_path, capsys):
    markers = importlib.import_module("markers")
    page = tmp_path / "page.md"
    page.write_text("<!-- begin: x -->\nold\n<!-- end: x -->")
    before = page.read_text()
    assert markers.write_or_check({page: {"x": "new"}}, check=True, command="renew") == 1
    assert page.read_text() == before
    assert "Run `renew`" in capsys.readouterr().err
    assert markers.write_or_check({page: {"x": "new"}}, check=False, command="renew") == 0
    assert markers.write_or_check({page: {"x": "new"}}, check=True, command="renew") == 0


def test_the_lineage_is_a_table_of_what_was_trained(results, tmp_path):
    assert results.lineage(tmp_path, tmp_path) == results.first_steps(tmp_path) == "Not trained yet."
    shares = {"structure": 0.25, "mirror": 0.5, "beacons": 0.75, "silhouette": 0.875}
    figures = [{"name": f"step 120: {name}", "value": value, "unit": ""} for name, value in shares.items()]
    figures += [{"name": f"real pictures: {name}", "value": 1, "unit": ""} for name in shares]
    figures.append({"name": "training time", "value": 1200.4, "unit": "s", "note": "120 steps"})
    (tmp_path / "lineage-wgan-32.json").write_text(json.dumps(GOOD | {"name": "lineage-wgan-32", "figures": figures}))
    (tmp_path / "lineage-wgan-32-curves.png").touch()
    (tmp_path / "lineage-100-gan-32.png").touch()
    text = results.lineage(tmp_path, tmp_path)
    assert "| `wgan-32` | 120 | 20 | 87.5% | 75.0% | 50.0% | 25.0% |" in text
    assert "(images/lineage-wgan-32.png)" in text and "(images/lineage-wgan-32-curves.png)" in text
    assert "gan-32 after 100 steps" in results.first_steps(tmp_path)


def test_the_proofs_are_a_table_of_promises(results, tmp_path):
    assert results.proofs(tmp_path) == "Nothing has been recorded yet."
    values = {"tried": 200, "held": 199, "inside a save": 84, "time": 251.6}
    figures = [{"name": name, "value": value, "unit": ""} for name, value in values.items()]
    result = GOOD | {"name": "reliability-kills", "figures": figures, "note": "Nothing is lost.", "seed": 3}
    (tmp_path / "reliability-kills.json").write_text(json.dumps(result))
    (row,) = [line for line in results.proofs(tmp_path).splitlines() if "Nothing is lost." in line]
    assert "| 199 of 200 | inside a save: 84 |" in row and "seed 3, 252 s" in row


def test_times_beside_a_peer_become_one_row_each(results, tmp_path):
    figures = {
        "ours: a step": 0.5, "peer: a step": 1.5, "ours is faster than peer": 3.0,
        "ours is faster than peer under autocast": 2.0, "peer under autocast: a step": 1.0,
        "share of the peak, by the former": 0.75,
    }  # fmt: skip
    walk = json.loads(write(tmp_path).read_text())
    walk |= {"name": "step-x", "command": "python benchmarks/step.py x --peer peer --peer-path PATH --as-shipped"}
    walk["figures"] = [{"name": name, "value": value, "unit": "", "note": "n"} for name, value in figures.items()]
    (tmp_path / "step-x.json").write_text(json.dumps(walk))
    rows = results.training_speed(tmp_path).splitlines()[2:]
    assert rows[0] == "| `x` | peer | alternating processes | fp32 | 0.5 s | 1.5 s | 3.00 (n) | 75% | 2 cores |"
    assert "| peer under autocast |" in rows[1] and len(rows) == 2


def test_each_piece_becomes_one_row(results, tmp_path):
    walk = json.loads(write(tmp_path).read_text()) | {"name": "pieces-x", "command": "python benchmarks/pieces.py x"}
    glue = {"name": "glue, a step takes", "value": 1.25, "unit": "times", "note": "n"}
    walk["figures"] = [{"name": "all pieces", "value": 1, "unit": "s"}, glue]
    (tmp_path / "pieces-x.json").write_text(json.dumps(walk))
    assert results.pieces(tmp_path).splitlines()[2:] == ["| glue | `x` | 1.25 times | n | 2 cores |"]


def test_an_ablation_is_a_table_for_each_question(results, tmp_path):
    assert results.ablations(tmp_path, tmp_path) == "Not run yet."
    names = {"Attention: none": 0.25, "Attention: attention at 8": 0.5, "Two time scales: both 0.0001": 0.125}
    figures = [{"name": name, "value": value, "unit": "", "note": "n | m"} for name, value in names.items()]
    (tmp_path / "ablation-emblems.json").write_text(json.dumps(GOOD | {"name": "ablation-emblems", "figures": figures}))
    (tmp_path / "ablation-emblems.png").touch()
    lines = results.ablations(tmp_path, tmp_path).splitlines()
    assert lines[0] == "### On emblems" and "`python walk.py`, 2027-01-31, 2 cores." in lines
    assert [line for line in lines if line.startswith("| ") and "---" not in line] == [
        "| Attention | mean | over the seeds |",
        "| none | 0.25 | n \\| m |",
        "| attention at 8 | 0.5 | n \\| m |",
        "| Two time scales | mean | over the seeds |",
        "| both 0.0001 | 0.125 | n \\| m |",
    ]
    assert lines[-1].endswith("(images/ablation-emblems.png)")
