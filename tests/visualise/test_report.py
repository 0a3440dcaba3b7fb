from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from sagan.errors import DataError
from sagan.visualise.report import ReportFacts, render_report
from sagan.visualise.report_style import DARK, LIGHT, style_sheet

ATTACK = '<script>alert("1")</script> & \'"><img src=x onerror=alert(2)>'


def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, 3, 4)).save(stream, "PNG")
    return stream.getvalue()


def full(text: str = "plain") -> ReportFacts:
    return ReportFacts(
        title=text,
        verdict=text,
        subtitle=text,
        record=[(text, text)],
        record_toml=text,
        data=[("classes", text)],
        environment=[(text, text)],
        log=[(text, text)],
        curves=png(30, 20),
        grids=[(text, png(31, 21)), (text, png(32, 22))],
        reals=(text, png(33, 23)),
        attention=png(34, 24),
        attention_caption=text,
        scores=[(text, text, text, text)],
        health=[text],
        leak=[(text, text)],
        card=text,
        events=[text],
        next_commands=[text],
    )


class Page(HTMLParser):
    """Every tag with its attributes, all text, and whether tags close in order."""

    VOID = {"meta", "img", "br", "link"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text.append(data)

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_hostile_text_stays_text_wherever_it_stands() -> None:
    hostile, plain = Page(render_report(full(ATTACK))), Page(render_report(full()))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in hostile.tags] == [set(attributes) for _, attributes in plain.tags]
    assert hostile.all("script") == []
    assert "".join(hostile.text).count(ATTACK) == "".join(plain.text).count("plain") > 12
    assert sum(image["alt"].count(ATTACK) for image in hostile.all("img")) == 6


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = render_report(full())
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    tags = Page(page)
    assert all(image["src"].startswith("data:image/png;base64,") for image in tags.all("img"))
    anchors = [link["href"] for link in tags.all("a")]
    names = {attributes["id"] for _, attributes in tags.tags if "id" in attributes}
    assert anchors and all(anchor[0] == "#" and anchor[1:] in names for anchor in anchors)
    assert tags.all("link") == [] and tags.all("iframe") == []


def test_the_policy_forbids_everything_but_inline_style_and_data_pictures() -> None:
    page = render_report(full())
    (policy,) = [
        meta["content"] for meta in Page(page).all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_pictures_come_through_whole_with_their_size_and_a_text() -> None:
    images = Page(render_report(full())).all("img")
    sizes = []
    for image in images:
        content = base64.b64decode(image["src"].partition(",")[2], validate=True)
        width, height = Image.open(io.BytesIO(content)).size
        assert (image["width"], image["height"]) == (str(width), str(height))
        assert image["alt"].strip()
        sizes.append(width)
    assert sizes == [32, 33, 33, 31, 32, 30, 34]  # newest and reals; strip: reals, then over time; curves; attention


def test_headings_are_one_h1_then_h2_and_every_section_is_named_by_its_own() -> None:
    page = Page(render_report(full()))
    levels = [tag for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == "h1" and set(levels[1:]) == {"h2"} and len(levels) == 15
    headings = {heading["id"] for heading in page.all("h2")}
    assert all(section["aria-labelledby"] in headings for section in page.all("section"))
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    assert page.all("html")[0]["lang"] == "en"


def test_what_is_empty_is_left_out() -> None:
    page = Page(render_report(ReportFacts(title="run", verdict="Not started.")))
    assert page.all("section") == [] and page.all("img") == []
    one = Page(render_report(ReportFacts(title="run", verdict="-", grids=[("step 0", png(5, 5))])))
    assert [section["id"] for section in one.all("section")] == ["samples"]


def test_a_picture_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="step 500: not a PNG"):
        render_report(ReportFacts(title="run", verdict="-", grids=[("step 500", b"GIF89a" + bytes(40))]))


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("ground", ["page", "card", "code"])
@pytest.mark.parametrize("ink", ["ink", "muted", "accent"])
def test_text_has_the_contrast_of_level_aa(scheme: dict, ground: str, ink: str) -> None:
    low, high = sorted((luminance(scheme[ink]), luminance(scheme[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_style_knows_light_and_dark_and_uses_no_unknown_colour() -> None:
    style = style_sheet()
    assert "prefers-color-scheme: dark" in style and set(LIGHT) == set(DARK)
    assert set(re.findall(r"var\(--(\w+)\)", style)) == set(LIGHT)
    assert style.count("{") == style.count("}")
