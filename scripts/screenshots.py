"""Pictures of the explorer for the documentation, and the recording of a click in the README, by a headless Chromium.

python scripts/screenshots.py RUN                           write docs/images/explore-*.png
python scripts/screenshots.py RUN --at "#seed=5&at=9,12"    of what that link shows
python scripts/screenshots.py RUN --at "#seed=5" --film "9,12 16,20 24,9"    write docs/images/explore-click.gif: the
                                                            pointer goes to each of those pixels and clicks

Needs the extra `explore` and a Chromium.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Browser  # noqa: E402
from explored import READY, explored  # noqa: E402

from sagan.visualise.channels import Pictures  # noqa: E402
from sagan.visualise.film import encode_film  # noqa: E402

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
VIEWS = {
    "explore-light": (1440, 1010, False),
    "explore-dark": (1440, 1010, True),
    "explore-narrow-light": (390, 844, False),
    "explore-narrow-dark": (390, 844, True),
}
FILM = (1120, 780)  # the window of the recording; it is stored at SHRINK of that
SHRINK, FRAMES_PER_SECOND, FRAMES_OF_A_WAY, FRAMES_AFTER_A_CLICK = 0.7, 10, 12, 8
# A headless browser draws no pointer, so the recording brings one.
POINTER = """(() => {
    const arrow = document.createElement("div");
    arrow.innerHTML = '<svg width="26" height="26" viewBox="0 0 26 26"><path d="M2 1v20l5.2-4.6 3.6 8 3.6-1.6-3.6-7.8H18z" \
fill="#fff" stroke="#000" stroke-width="1.6" stroke-linejoin="round"/></svg>';
    arrow.style.cssText = "position:fixed;left:0;top:0;z-index:99;pointer-events:none";
    document.body.append(arrow);
    addEventListener("pointermove", (e) => arrow.style.transform = `translate(${e.clientX}px, ${e.clientY}px)`, true);
})()"""


def views(browser: Browser) -> None:
    """Write a picture of the page at both widths, light and dark."""
    for name, (width, height, dark) in VIEWS.items():
        browser.screen(width, height, dark=dark)
        settle(browser)
        (IMAGES / f"{name}.png").write_bytes(browser.screenshot())
        print(IMAGES / f"{name}.png")


def settle(browser: Browser) -> None:
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    browser.wait(READY)


def frames(browser: Browser, pixels: list[tuple[int, int]], resolution: int) -> Iterator[Pictures]:
    """What the window shows while the pointer goes from pixel to pixel of the large picture and clicks on each."""
    box = json.loads(browser.run("JSON.stringify(document.getElementById('picture').getBoundingClientRect())"))
    places = [
        (box["x"] + (x + 0.5) * box["width"] / resolution, box["y"] + (y + 0.5) * box["height"] / resolution)
        for x, y in pixels
    ]
    here = (box["x"] + 0.1 * box["width"], box["y"] + 0.9 * box["height"])
    for place in places:
        for step in range(1, FRAMES_OF_A_WAY + 1):
            share = step / FRAMES_OF_A_WAY
            share = share * share * (3 - 2 * share)  # slow, fast, slow
            browser.mouse("mouseMoved", *(a + share * (b - a) for a, b in zip(here, place, strict=True)))
            yield photograph(browser)
        browser.click(*place)
        for _ in range(FRAMES_AFTER_A_CLICK):
            yield photograph(browser)
        here = place


def photograph(browser: Browser) -> Pictures:
    settle(browser)
    with Image.open(io.BytesIO(browser.screenshot())) as image:
        size = (round(image.width * SHRINK), round(image.height * SHRINK))
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the folder of a run")
    parser.add_argument("--at", default="#seed=0", help="what to show, as the page's link says it")
    parser.add_argument("--film", help="pixels to click, as in '9,12 16,20'")
    words = parser.parse_args()
    with explored(words.run, words.at, *(FILM if words.film else VIEWS["explore-light"][:2])) as browser:
        if not words.film:
            views(browser)
            return 0
        pixels = [(int(x), int(y)) for x, y in (pair.split(",") for pair in words.film.split())]
        resolution = browser.run("fetch('/api/v1/facts').then((a) => a.json()).then((facts) => facts.resolution)")
        browser.run(POINTER)
        film = list(frames(browser, pixels, resolution))
        path = IMAGES / "explore-click.gif"
        path.write_bytes(encode_film(film, ".gif", FRAMES_PER_SECOND))
        print(f"{path}: {len(film)} frames, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
