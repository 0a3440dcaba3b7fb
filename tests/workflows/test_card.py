"""The card: front matter that YAML reads, facts as text, nothing from outside that becomes markup."""

from __future__ import annotations

import pytest
import yaml
from markdown_it import MarkdownIt

from sagan.checkpoint.generator_file import GeneratorRecord
from sagan.models.config import ModelConfig
from sagan.presets import preset
from sagan.workflows.card import IN_A_RUN, Sharing, card_of_file, model_card, plain
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


def card(name="runs", data=DATA, scores=(), leak=(), last=LAST, sharing=IN_A_RUN, **options):
    shown = [("g_lr", "0.001")]
    return model_card(name, preset("demo", **options), data, MACHINE, last, scores, leak, shown, sharing)


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


SHARED = Sharing("hf:a/b", "cc-by-4.0", (("samples.png", "Drawn from fixed seeds."),), "training.toml")


def test_a_shared_card_names_its_licence_its_pictures_and_itself():
    text = card(sharing=SHARED)
    assert front(text)["license"] == "cc-by-4.0" and "model-index" not in front(text)
    for words in ("![Drawn from fixed seeds.](samples.png)", "sagan sample hf:a/b -n 64", "in `training.toml`"):
        assert words in text, words


def test_scores_stand_in_the_front_matter_as_the_hub_reads_them():
    scores = [
        Score("structure", 0.625, 1500, ATTACK),
        Score("Fréchet 32", 12.5, 900, "p"),
        Score("x", float("nan"), 1, ""),
    ]
    hostile = DATA | {"name": ATTACK}
    text = card(name=ATTACK, data=hostile, scores=scores, sharing=SHARED)
    (entry,) = front(text)["model-index"]
    (result,) = entry["results"]
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [("structure", 0.625), ("fr-chet-32", 12.5)]
    words = " ".join(ATTACK.split())
    assert entry["name"] == words == result["dataset"]["name"]
    assert result["metrics"][0]["name"] == f"structure, at step 1500: {words}"
    assert front(text)["license"] == "cc-by-4.0" and front(text)["tags"][-1] == "conditional"
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub, which would read it, is not installed")
    read = hub.ModelCard(text).data
    assert [one.metric_value for one in read.eval_results] == [0.625, 12.5] and read.license == "cc-by-4.0"


def test_a_file_without_its_run_claims_only_what_it_knows():
    record = GeneratorRecord(model=ModelConfig(resolution=32), classes=(ATTACK, "b"), step=7, data_name=ATTACK)
    text = card_of_file(ATTACK, record, [f"from {ATTACK}"], SHARED)
    assert front(text)["license"] == "cc-by-4.0" and "7 steps. How it was trained is not recorded here." in text
    assert "None was measured" in text and "Not tested" in text and "run.toml" not in text
    page = MarkdownIt().enable("table").render(text.split("---\n", 2)[2])
    assert "<script>" not in page and 'href="javascript' not in page and page.count("<img") == 1


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
