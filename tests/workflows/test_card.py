"""The card: front matter that YAML reads, facts as text, nothing from outside that becomes markup."""

from __future__ import annotations

import pytest
import yaml
from markdown_it import MarkdownIt

from sagan.presets import preset
from sagan.workflows.card import model_card, plain
from sagan.workflows.happenings import Score

ATTACK = "---\nlicense: mit\n# <script>alert(1)</script> [x](javascript:1) `*_| \\ ![y](z) 1. ~~"
DATA = {
    "name": "photos",
    "pictures": 1234,
    "resolution": 32,
    "classes": [{"name": "barns", "pictures": 2}, {"name": "boats", "pictures": 3}],
    "skipped_total": 7,
    "fingerprint": "abc123",
}
MACHINE = {"sagan": "0.1.0", "processor": "2 cores", "device": "cpu", "precision": "fp32"}
LAST = {"step": 1500.0, "images": 24000.0, "seconds": 600.0}


def card(name="runs", data=DATA, scores=(), leak=(), last=LAST, **options):
    return model_card(name, preset("demo", **options), data, MACHINE, last, scores, leak, [("g_lr", "0.001")])


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_front_matter_is_yaml_and_leaves_the_licence_open():
    found = front(card())
    assert set(found) == {"library_name", "pipeline_tag", "tags"}
    assert found["library_name"] == "sagan" and found["pipeline_tag"] == "unconditional-image-generation"
    assert all(isinstance(tag, str) for tag in found["tags"]) and found["tags"][-1] == "conditional"
    assert front(card(data=DATA | {"classes": []}))["tags"][-1] == "unconditional"
    assert "# license: choose one" in card()


def test_the_facts_stand_in_it():
    text = card(scores=[Score("structure", 0.625, 1500, "512 pictures")], leak=[("verdict", "no copies found")])
    for words in (
        "1,234 pictures of the set photos, made 32 pixels square; 2 classes: barns, boats; 7 could not be read",
        "1,500 steps, 24,000 pictures shown, 10 min of training, on 2 cores, cpu, fp32",
        "averaged with decay 0.99",
        "| structure | 0.625 | 1,500 | 512 pictures |",
        "- verdict: no copies found",
        "--classes all",
        "| g\\_lr | 0.001 |",
    ):
        assert words in text, words


def test_what_is_not_known_is_not_claimed():
    text = card(ema=0.0, data=DATA | {"classes": [], "skipped_total": 0}, last={})
    for words in ("None was measured", "Not tested", "not averaged", "It has just begun", "no classes"):
        assert words in text, words
    assert "--classes" not in text


def test_hostile_names_stay_text():
    hostile = DATA | {"name": ATTACK, "classes": [{"name": ATTACK, "pictures": 1}], "fingerprint": ATTACK}
    text = card(name=ATTACK, data=hostile, scores=[Score(ATTACK, 1.0, 1, ATTACK)], leak=[(ATTACK, ATTACK)])
    assert set(front(text)) == {"library_name", "pipeline_tag", "tags"}
    body = text.split("---\n", 2)[2]
    calm = card(scores=[Score("s", 1.0, 1, "p")], leak=[("verdict", "v")]).split("---\n", 2)[2]
    kinds = [[token.type for token in MarkdownIt().enable("table").parse(part)] for part in (body, calm)]
    assert kinds[0] == kinds[1]
    page = MarkdownIt().enable("table").render(body)
    assert (
        "<script>" not in page
        and "javascript:1&quot;" not in page
        and 'href="javascript' not in page
        and "<img" not in page
    )


@pytest.mark.parametrize("text", ["a_b*c", ATTACK, "1 < 2 & 3", "  many\t blanks \n", "été ☃"])
def test_a_plain_text_shows_as_itself(text):
    (inline,) = [token for token in MarkdownIt().parse(f"x {plain(text)}") if token.type == "inline"]
    shown = "".join(part.content for part in inline.children)
    assert shown == f"x {' '.join(text.split())}"
    assert {part.type for part in inline.children} <= {"text", "text_special"}
