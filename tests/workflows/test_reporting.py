from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from sagan.checkpoint.retention import write_best
from sagan.errors import ConfigError
from sagan.presets import preset
from sagan.workflows.attend import attend
from sagan.workflows.reporting import latest_values, longer, report_facts, spread, verdict, write_report
from sagan.workflows.run_folder import RunFolder
from sagan.workflows.train import train


def pictures_of(page):
    return [base64.b64decode(found) for found in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]


def test_the_page_holds_record_curves_grids_and_figure_and_loads_nothing(trained):
    page = (trained / "report.html").read_text(encoding="utf-8")
    shown = pictures_of(page)
    for name in ("curves.png", "attention.png", "samples/reals.png"):
        assert (trained / name).read_bytes() in shown, name
    assert (trained / "samples" / "step-00000005.png").read_bytes() in shown
    film = [Image.open(io.BytesIO(picture)).size for picture in shown]
    whole = Image.open(io.BytesIO((trained / "samples" / "step-00000005.png").read_bytes())).size
    assert sum(max(size) == 480 and size != whole for size in film) == 3  # steps 0, 2 and 4, made small
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert "Content-Security-Policy" in page and "default-src 'none'" in page
    for words in ("photos-tiny", "g_ch = 16", "barns, boats", "G.attention@8", "5 steps and 80 pictures in"):
        assert words in page, words


def test_a_report_is_made_anew_from_the_folder_alone(own_run):
    for name in ("report.html", "curves.png", "attention.png", "attention.npz"):
        (own_run / name).unlink()
    assert write_report(RunFolder(own_run)) == own_run / "report.html"
    assert all((own_run / name).stat().st_size > 0 for name in ("report.html", "curves.png", "attention.png"))


def test_facts_of_a_run_just_begun(own_run):
    folder = RunFolder(own_run)
    facts = report_facts(folder, folder.read_record(), [], "")
    assert facts.verdict == "The run has just begun." and facts.log == []
    assert any(line.endswith("--steps 10") for line in facts.next_commands)


@pytest.mark.parametrize(
    ("limits", "last", "words"),
    [
        ({"steps": 100}, {"step": 100}, "--steps 200"),
        ({"steps": 1000, "time": "1h"}, {"step": 100, "seconds": 3600.0}, "--time 120m"),
        ({"steps": 0, "kimg": 1.5, "time": "1h"}, {"images": 1500, "seconds": 600.0}, "--kimg 3"),
    ],
)
def test_the_limit_that_ended_a_run_is_the_one_to_raise(limits, last, words):
    assert longer(preset("demo", **({"time": ""} | limits)), last) == words


def test_what_a_run_should_do_next(own_run):
    folder = RunFolder(own_run)
    commands = report_facts(
        folder, folder.read_record(), [{"step": 5.0, "images": 80.0, "seconds": 2.0}], ""
    ).next_commands
    assert commands[2] == f"sagan train --resume {own_run} --steps 10"


def test_scores_health_leak_and_card_stand_on_the_page(own_run):
    write_best(own_run, 4, 0.75, "512 pictures")
    with (own_run / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "score/structure": 0.75}\n{"step": 5, "health/verdict": "D is <sure>"}\n')
    (own_run / "leak.json").write_text('{"verdict": "no copies found"}')
    page = write_report(RunFolder(own_run)).read_text(encoding="utf-8")
    for words in ("512 pictures", "step 5: verdict: D is &lt;sure&gt;", "no copies found", "library_name: sagan"):
        assert words in page, words
    card = (own_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| structure | 0.75 | 4 | 512 pictures |" in card and "barns, boats" in card and "g\\_lr" in card


def test_a_run_with_the_control_in_attentions_place_has_a_report_too(tiny, photos, tmp_path):
    run = train(tiny(photos, tmp_path / "run", steps=2, attention="residual", save_every=0)).run
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "residual" in page and not (run / "attention.png").exists()
    with pytest.raises(ConfigError, match="no attention layer"):
        attend(run, out=tmp_path / "map.png")


BASE = {"step": 1200.0, "images": 76800.0, "seconds": 600.0}


@pytest.mark.parametrize(
    ("more", "present", "absent"),
    [
        ({}, ["1,200 steps and 76,800 pictures in 10 min."], ["Attention", "emblems", "ahead"]),
        ({"attention/G@8/gamma": 0.0, "attention/D@8/gamma": -5e-4}, ["Attention is not in use yet"], ["is in use."]),
        ({"attention/G@8/gamma": 0.0, "attention/D@8/gamma": -0.02}, ["Attention is in use."], ["not in use"]),
        ({"logit/real": 5.0, "logit/fake": -4.0}, ["far ahead", "--d-lr"], []),
        ({"logit/real": 4.0, "logit/fake": -4.0}, [], ["far ahead"]),
        (
            {"score/structure": 0.625, "score/silhouette": 0.875},
            ["88% of the drawn emblems have the outline", "62% the whole structure"],
            ["best checkpoint"],
        ),
    ],
)
def test_the_verdict(tmp_path, more, present, absent):
    words = verdict(RunFolder(tmp_path), BASE | more)
    assert all(part in words for part in present) and not any(part in words for part in absent)


def test_the_verdict_names_a_better_checkpoint(tmp_path):
    write_best(tmp_path, 900, 0.75, "protocol")
    assert "The best checkpoint is that of step 900 (75%)." in verdict(
        RunFolder(tmp_path), BASE | {"score/structure": 0.5}
    )


def test_the_last_value_of_every_name():
    rows = [{"step": 1, "a": 1.0, "b": 5.0}, {"step": 2, "a": 2.0}]
    assert latest_values(rows) == {"step": 2, "a": 2.0, "b": 5.0}


def test_grids_are_spread_evenly():
    paths = [Path(str(number)) for number in range(25)]
    assert spread(paths, 30) == paths
    assert [int(path.name) for path in spread(paths, 4)] == [0, 8, 16, 24]
