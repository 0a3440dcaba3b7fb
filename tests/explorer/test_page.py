"""The page itself, in a headless Chromium where there is one."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sagan.explorer.renderer import Subject
from sagan.visualise.attention import overlay
from sagan.visualise.grid import enlarged
from sagan.workflows.seeds import Liked, read_liked

spec = importlib.util.spec_from_file_location("chromium", Path(__file__).parents[2] / "scripts" / "chromium.py")
chromium = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chromium)

pytestmark = pytest.mark.skipif(chromium.find_browser() is None, reason="there is no Chromium here")
READY = "document.body && document.body.dataset.ready && !document.body.classList.contains('busy')"
LAYER, THEIRS = "G.attention@8", "D.attention@8"
FACTOR = 32  # of a 16x16 picture on the stage's canvas


@pytest.fixture(scope="module")
def browser():
    with chromium.Browser() as made:
        yield made


@pytest.fixture
def page(browser, served):
    """The page, open at 1440 x 1000 with nothing in its address."""
    browser.events.clear()
    browser.screen(1440, 1000)
    browser.open("about:blank")
    browser.mouse("mouseMoved", 5, 5)  # where a test before left it, the page would take it for pointing
    browser.open(f"http://{served.host}/?token=a-token-for-tests", READY)
    browser.wait("location.search === ''")
    browser.wait(READY)
    return browser


def canvas(page, selector="#picture"):
    """The pixels of a canvas (H, W, 3)."""
    code = f"(() => {{ const c = document.querySelector('{selector}'); return c.toDataURL('image/png').split(',')[1]; }})()"
    import base64

    with Image.open(io.BytesIO(base64.b64decode(page.run(code)))) as image:
        return np.asarray(image.convert("RGB"))


def place(page, x, y):
    """Where pixel (x, y) of the 16x16 picture is in the window."""
    box = json.loads(page.run("JSON.stringify(document.getElementById('picture').getBoundingClientRect())"))
    return box["x"] + (x + 0.5) * box["width"] / 16, box["y"] + (y + 0.5) * box["height"] / 16


def expected(scene, layer, point):
    large = enlarged(scene.picture, FACTOR)
    return overlay(large, scene.layers[layer].at([point], 16)[0]).astype(int)


def point_at(page, x, y):
    """Move the mouse to a pixel of the picture, and wait until the page has drawn what belongs to it."""
    page.mouse("mouseMoved", *place(page, x, y))
    page.wait(f"document.getElementById('readout').textContent.startsWith('Pixel {x},{y} ')")
    settle(page)


def leave(page):
    """Move the mouse away from the picture."""
    page.mouse("mouseMoved", 5, 5)
    page.wait("!document.querySelector('.dot.cursor')")
    settle(page)


def settle(page):
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait(READY)


def test_it_loads_without_complaints_and_asks_nobody_else(page, served):
    assert page.run("document.title") == "photos-tiny · sagan explore"
    assert page.run("document.querySelectorAll('.sample').length") == 16
    page.wait("!document.getElementById('run').hidden")
    np.testing.assert_array_equal(canvas(page), enlarged(scene(served, seed=0).picture, FACTOR))
    assert page.complaints() == []
    assert {address.split("/")[2] for address in page.addresses() if address.startswith("http")} == {served.host}


def scene(served, **words):
    return served.renderer.scenes([Subject(**words)]).result(60)[0]


def test_pointing_shows_the_attention_of_that_pixel(page, served):
    for point in [(13, 2), (4, 9), (0, 15)]:
        point_at(page, *point)
        difference = np.abs(canvas(page) - expected(scene(served, seed=0), LAYER, point))
        assert difference.max() <= 1, point
        assert " looks most at " in page.run("document.getElementById('readout').textContent")


def test_a_click_pins_and_the_link_brings_it_back(page, served):
    page.click(*place(page, 13, 2))
    page.click(*place(page, 4, 9))
    leave(page)
    assert page.run("document.querySelectorAll('#pins .pin').length") == 2
    assert np.abs(canvas(page) - expected(scene(served, seed=0), LAYER, (4, 9))).max() <= 1
    page.wait("location.hash.includes('at=13,2;4,9')")
    address = page.run("location.href")
    page.open("about:blank")
    page.open(address, READY)
    assert page.run("document.querySelectorAll('#pins .pin').length") == 2
    assert np.abs(canvas(page) - expected(scene(served, seed=0), LAYER, (4, 9))).max() <= 1
    command = page.run("document.getElementById('command').textContent")
    assert command.endswith(f"--layer {LAYER} --at 13,2 --at 4,9") and "sagan attend" in command
    page.run("document.querySelector('#pins button').click()")
    assert page.run("document.querySelectorAll('#pins .pin').length") == 1


def test_the_reverse_view_shows_who_looks_here(page, served):
    page.run("document.querySelector('input[value=reverse]').click()")
    point_at(page, 13, 2)
    view = scene(served, seed=0).layers[LAYER]
    rows = view.rows([(row, column) for row in range(8) for column in range(8)])
    column = rows[:, 0, 3].reshape(8, 8)  # pixel (13, 2) lies in the first row, fourth column of the 4x4 keys
    large = enlarged(scene(served, seed=0).picture, FACTOR)
    assert np.abs(canvas(page) - overlay(large, column).astype(int)).max() <= 1


def test_layers_checkpoints_and_seeds_can_be_changed(page, served):
    page.run(f"document.querySelector('input[value=\"{THEIRS}\"]').click()")
    settle(page)
    point_at(page, 3, 3)
    judged = served.renderer.judged(Subject(seed=0)).result(60)
    assert np.abs(canvas(page) - expected(judged, THEIRS, (3, 3))).max() <= 1
    page.run(f"document.querySelector('input[value=\"{LAYER}\"]').click()")
    settle(page)
    slider = "(() => { const s = document.getElementById('checkpoint'); s.value = 0; s.dispatchEvent(new Event('input')); })()"
    page.run(slider)
    page.wait("location.hash.includes('step-00000004')")
    settle(page)
    leave(page)
    older = scene(served, seed=0, checkpoint="step-00000004")
    np.testing.assert_array_equal(canvas(page), enlarged(older.picture, FACTOR))
    page.run("document.querySelectorAll('.sample')[5].click()")
    page.wait("location.hash.includes('seed=5')")
    settle(page)
    older = scene(served, seed=5, checkpoint="step-00000004")
    np.testing.assert_array_equal(canvas(page), enlarged(older.picture, FACTOR))


def test_the_keyboard_does_all_of_it(page, served):
    page.run("document.getElementById('picture').focus()")
    for name in ("ArrowRight", "ArrowDown", "ArrowDown", "Enter", "ArrowLeft", "ArrowLeft", "Enter"):
        page.key(name)
    settle(page)
    assert (
        page.run("[...document.querySelectorAll('#pins .pin > span:last-child')].map((e) => e.textContent).join(' ')")
        == "at 8,9 at 6,9"
    )
    page.key("Delete")
    settle(page)
    assert page.run("document.querySelectorAll('#pins .pin').length") == 1


def test_a_dropped_picture_is_shown_and_a_broken_one_is_told(page):
    drop = """(async (bytes, type) => {
        const data = new DataTransfer();
        data.items.add(new File([bytes], "mine.png", { type }));
        window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    })(%s, "image/png")"""
    page.run(drop % "new TextEncoder().encode('not a picture')")
    page.wait("document.getElementById('notice').textContent.includes('holds no JPEG')")
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 90)).save(buffer, "PNG")
    page.run(drop % f"Uint8Array.from({list(buffer.getvalue())})")
    page.wait("document.getElementById('subject').textContent === 'an uploaded picture'")
    settle(page)
    assert canvas(page).reshape(-1, 3).min(axis=0).tolist() == [10, 200, 90]
    page.run("document.getElementById('back').click()")
    page.wait("document.getElementById('subject').textContent.startsWith('seed 0')")


def test_seeds_that_were_kept_make_a_list(page, served, tmp_path):
    """The list is what `sagan sample --seeds-from` reads; it outlives the page, and letting go takes a picture off it."""
    assert page.run("document.getElementById('kept').hidden")
    for number in (0, 5, 9):
        page.run(f"document.querySelectorAll('.sample')[{number}].click()")
        page.wait(f"document.getElementById('subject').textContent.startsWith('seed {number},')")
        settle(page)
        page.run("document.getElementById('keep').click()")
    assert page.run("document.getElementById('keep').getAttribute('aria-pressed')") == "true"
    page.run("document.getElementById('keep').click()")
    assert page.run("document.getElementById('kept').textContent") == "List of 2 kept"
    page.open("about:blank")
    page.open(f"http://{served.host}/", READY)
    assert page.run("document.getElementById('kept').textContent") == "List of 2 kept"
    page.run("window.made = URL.createObjectURL.bind(URL)")
    page.run("void (URL.createObjectURL = (blob) => window.made((window.given = blob)))")
    page.run("document.getElementById('kept').click()")
    path = tmp_path / "liked.txt"
    path.write_text(page.run("window.given.text()"))
    names = served.renderer.classes
    expected = [Liked(seed, names[served.renderer.label(None, seed)], 0.0) for seed in (0, 5)]
    assert read_liked(path) == expected
    page.run("localStorage.clear()")


def test_the_way_between_two_moves_the_picture(page, served):
    page.run(
        "(() => { const t = document.getElementById('towards'); t.value = 9; t.dispatchEvent(new Event('change')); })()"
    )
    page.run(
        "(() => { const s = document.getElementById('share'); s.value = 50; s.dispatchEvent(new Event('input')); })()"
    )
    page.wait("document.getElementById('subject').textContent.includes('50% of the way to seed 9')")
    settle(page)
    middle = scene(served, seed=0, towards=9, share=0.5)
    np.testing.assert_array_equal(canvas(page), enlarged(middle.picture, FACTOR))


def test_playing_ends_when_the_server_is_gone(page):
    page.run(
        "(() => { const t = document.getElementById('towards'); t.value = 9; t.dispatchEvent(new Event('change')); })()"
    )
    page.run("window.fetch = () => Promise.reject(new TypeError('gone'))")
    page.run("document.getElementById('play').click()")
    page.wait("document.getElementById('play').getAttribute('aria-pressed') === 'false'")
    assert "does not answer" in page.run("document.getElementById('notice').textContent")


def test_samples_that_come_late_do_not_replace_newer_ones(page):
    page.run("""(() => {
        const real = window.fetch;
        let held = 0;
        window.asked = 0;
        window.fetch = async (path, options) => {
            if (!path.endsWith('/grid')) return real(path, options);
            window.asked += 1;
            if (held++ === 0) await new Promise((resolve) => setTimeout(resolve, 800));
            return real(path, options);
        };
        document.getElementById('next').click();
        document.getElementById('next').click();
    })()""")
    first = "document.querySelector('#grid .sample').dataset.seed"
    page.wait(f"{first} === '32'")
    page.run("new Promise((resolve) => setTimeout(resolve, 1500))")
    assert page.run("window.asked") == 2 and page.run(first) == "32"


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_nothing_sticks_out_and_all_text_has_contrast(page, width, dark):
    page.screen(width, 900, dark=dark)
    page.click(*place(page, 8, 5))
    settle(page)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    faint = page.run(CONTRAST)
    assert faint == []


CONTRAST = """(() => {
    const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
    const linear = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] > 0.99) return colour.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.getBoundingClientRect().width || e.disabled || e.closest("svg")) continue;
        const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(ground(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${e.tagName} ${e.className} ${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
    }
    return found;
})()"""


def test_every_control_has_a_name(page):
    nameless = page.run("""[...document.querySelectorAll('button, input, select, canvas[tabindex]')]
        .filter((e) => !e.closest('[hidden]'))
        .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
        .map((e) => e.id || e.outerHTML.slice(0, 80))""")
    assert nameless == []
