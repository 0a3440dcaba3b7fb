"""The exported page itself, opened from a folder, in a headless Chromium where there is one."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.engines.fold import fold
from sagan.layers.attention import attention_layers, record_inputs
from sagan.sampling import draw, draw_labels
from sagan.visualise.attention import overlay
from sagan.visualise.grid import enlarged
from sagan.workflows.export import export
from sagan.workflows.exporting.page_file import MODULES, bundle
from sagan.workflows.openers import open_generator
from sagan.workflows.sample import sample

spec = importlib.util.spec_from_file_location("chromium", Path(__file__).parents[3] / "scripts" / "chromium.py")
chromium = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chromium)

needs_browser = pytest.mark.skipif(chromium.find_browser() is None, reason="there is no Chromium here")
READY = "document.body && document.body.dataset.ready && !document.body.classList.contains('busy')"
LAYER = "G.attention@8"
FACTOR = 32  # of a 16x16 picture on the large canvas


def test_modules_become_one_script():
    """Nothing is imported any more, and every name is given once."""
    for names in MODULES.values():
        text = bundle(names)
        assert not re.search(r"^(import|export)\b", text, re.M)
        declared = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", text, re.M)
        assert len(declared) == len(set(declared)) > 5


def test_names_from_outside_are_text(generator_file, tmp_path):
    export(generator_file({}, 3), "web", tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert "<h1>pets &amp; &lt;others&gt;</h1>" in page
    assert "<i>" not in page and "dog & \\u003ci>" in page
    assert page.count("</script>") == 4
    assert not re.search(r'(src|href)="(?!data:|#)', page), "it asks for no other file"


@pytest.fixture(scope="module")
def exported(generator_file, tmp_path_factory):
    """(the page, the live generator, its file)"""
    source = generator_file({"g_attn": (8, 16)}, 3)
    out = tmp_path_factory.mktemp("page") / "a page.html"
    export(source, "web", out)
    return out, open_generator(source, device="cpu").generator, source


@pytest.fixture(scope="module")
def browser():
    with chromium.Browser() as made:
        yield made


@pytest.fixture
def page(browser, exported):
    browser.events.clear()
    browser.screen(1440, 1000)
    browser.open("about:blank")
    browser.mouse("mouseMoved", 5, 5)
    browser.open(exported[0].as_uri(), READY)
    return browser


def drawn(page, seed, **options):
    side = 16
    pixels = page.run(f"sagan.draw('{seed}', {json.dumps(options)}).then((pixels) => [...pixels])")
    return np.array(pixels).reshape(side, side, -1)


def canvas(page, selector):
    code = f"document.querySelector('{selector}').toDataURL('image/png').split(',')[1]"
    with Image.open(io.BytesIO(base64.b64decode(page.run(code)))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def settle(page):
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait(READY)


@needs_browser
def test_it_opens_from_a_folder_and_asks_nobody(page, exported):
    assert page.complaints() == []
    assert page.run("document.title") == "pets & <others> · sagan"
    asked = [address for address in page.addresses() if not address.startswith(("data:", "blob:", "about:"))]
    assert asked == [exported[0].as_uri()]
    blocked = "fetch('https://example.org/').then(() => 'sent', () => 'refused')"
    assert page.run(blocked) == "refused"


@needs_browser
@pytest.mark.parametrize("truncation", [0.0, 0.7])
def test_the_same_picture_as_the_command_line(truncation, page, exported, tmp_path):
    """`sagan sample` writes the file; the page draws the same seeds."""
    _, _, source = exported
    words = "0-5,77,4294967296,9223372036854775807"
    result = sample(
        source, seeds=words, trunc=truncation, out=tmp_path / "x.npz", format="npz", precision="fp32", device="cpu"
    )
    with np.load(result.paths[0]) as arrays:
        for seed, label, picture in zip(arrays["seeds"], arrays["labels"], arrays["pictures"], strict=True):
            for options in ({}, {"label": int(label)}):
                apart = np.abs(drawn(page, seed, truncation=truncation, **options) - picture.astype(int))
                assert apart.max() <= 2


@needs_browser
def test_the_cards_show_sixteen_seeds_and_a_class_can_be_chosen(page, exported):
    generator = exported[1]
    cards = "[...document.querySelectorAll('.sample')].map((card) => card.textContent)"
    labels = draw_labels(range(16), 3)
    names = ["cat", "dog & <i>", "1'\" \N{SNOWMAN}"]
    assert page.run(cards) == [f"{seed} · {names[label]}" for seed, label in enumerate(labels)]
    page.run("document.getElementById('next').click()")
    settle(page)
    assert page.run(cards)[0].startswith("16 · ")
    page.run(
        "(() => { const s = document.getElementById('class'); s.value = 'cat'; s.dispatchEvent(new Event('change')); })()"
    )
    settle(page)
    assert all(text.endswith(" · cat") for text in page.run(cards))
    page.run("document.querySelectorAll('.sample')[3].click()")
    page.wait("document.getElementById('subject').textContent === 'Seed 19 · cat'")
    settle(page)
    expected = draw(generator, [19], [0], engine=fold(generator))[0]
    assert np.abs(canvas(page, "#picture") - enlarged(expected, FACTOR)).max() <= 2
    assert page.run("document.getElementById('command').textContent") == "sagan sample RUN --seeds 19 --classes cat"
    address = page.run("location.href")
    page.open("about:blank")
    page.open(address, READY)
    assert page.run("document.getElementById('subject').textContent") == "Seed 19 · cat"


@needs_browser
def test_pointing_shows_where_the_network_looked(page, exported):
    import torch

    from sagan.sampling import draw_latents

    generator = exported[1]
    layer = attention_layers(generator, "G")[LAYER]
    with torch.no_grad():
        latents, labels = torch.from_numpy(draw_latents([0], 12)), torch.from_numpy(draw_labels([0], 3))
        inputs, _ = record_inputs({LAYER: layer}, lambda: generator(latents, labels))
        rows = layer.weights(inputs[LAYER])[0].numpy()
    box = json.loads(page.run("JSON.stringify(document.getElementById('picture').getBoundingClientRect())"))
    for x, y in [(13, 2), (4, 9)]:
        page.mouse("mouseMoved", box["x"] + (x + 0.5) * box["width"] / 16, box["y"] + (y + 0.5) * box["height"] / 16)
        page.wait(f"document.getElementById('readout').textContent.startsWith('Pixel {x},{y} looks most at ')")
        settle(page)
        large = enlarged(draw(generator, [0], engine=fold(generator))[0], FACTOR)
        expected = overlay(large, rows[y // 2, x // 2]).astype(int)
        assert np.abs(canvas(page, "#picture") - expected).max() <= 3


@needs_browser
def test_the_keyboard_reaches_everything(page):
    page.run("document.getElementById('picture').focus()")
    for name in ("ArrowRight", "ArrowDown", "Enter", "ArrowLeft", "Enter"):
        page.key(name)
    settle(page)
    page.wait("location.hash.includes('at=8,8;7,8')")
    page.key("Delete")
    page.wait("location.hash.endsWith('at=8,8')")
    reached = set()
    page.run("document.activeElement.blur()")
    for _ in range(45):
        page.key("Tab")
        reached.add(
            page.run("document.activeElement.id || document.activeElement.name || document.activeElement.className")
        )
    assert {
        "theme",
        "class",
        "first",
        "truncation",
        "sample",
        "next",
        "picture",
        "mode",
        "style",
        "save",
        "layer",
    } <= reached


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_nothing_hangs_over_the_edge(width, dark, page):
    page.screen(width, 844, dark=dark)
    settle(page)
    assert page.run("document.documentElement.scrollWidth") <= width
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(19, 21, 25)" if dark else "rgb(246, 245, 242)")


@needs_browser
@pytest.mark.parametrize("options", [{"channels": 1}, {"channels": 4}, {"g_attn": ()}], ids=str)
def test_pages_without_colour_with_transparency_and_without_attention(options, browser, generator_file, tmp_path):
    source = generator_file(options)
    export(source, "web", tmp_path / "x.html")
    browser.events.clear()
    browser.open((tmp_path / "x.html").as_uri(), READY)
    generator = open_generator(source, device="cpu").generator
    expected = draw(generator, [3], engine=fold(generator))[0].astype(int)
    assert np.abs(drawn(browser, 3) - expected).max() <= 2
    assert browser.run("document.getElementById('class-field').hidden") is True
    assert browser.run("document.getElementById('mode').parentElement.hidden") is ("g_attn" in options)
    assert browser.complaints() == []


@needs_browser
def test_a_page_whose_script_was_changed_does_not_run(browser, exported, tmp_path):
    """The policy names the script by its hash."""
    text = exported[0].read_text()
    (tmp_path / "x.html").write_text(text.replace("const PAGE = 16", "const PAGE = 61", 1))
    browser.events.clear()
    browser.open((tmp_path / "x.html").as_uri())
    assert browser.run("typeof globalThis.sagan") == "undefined"
    assert any("Content Security Policy" in line for line in browser.complaints())
