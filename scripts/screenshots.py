"""Pictures of the explorer for the documentation, made from a run by a headless Chromium.

python scripts/screenshots.py RUN             write docs/images/explore-*.png
python scripts/screenshots.py RUN --at "#seed=5&at=9,12"    of what that link shows

Needs the extra `explore` and a Chromium.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Browser  # noqa: E402

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
READY = "document.body && document.body.dataset.ready && !document.body.classList.contains('busy')"
VIEWS = {
    "explore-light": (1440, 1010, False),
    "explore-dark": (1440, 1010, True),
    "explore-narrow-light": (390, 844, False),
    "explore-narrow-dark": (390, 844, True),
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the folder of a run")
    parser.add_argument("--at", default="#seed=0", help="what to show, as the page's link says it")
    words = parser.parse_args()
    command = [sys.executable, "-m", "sagan", "explore", words.run, "--port", str(free_port()), "--device", "cpu"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "token=" in line).strip()
        with Browser() as browser:
            browser.screen(1440, 1010)
            browser.open(address, READY)
            browser.wait("location.search === ''")
            browser.wait(READY)
            browser.run(f"location.hash = {words.at!r}")
            time.sleep(2)  # the run's card fills itself in the meantime
            browser.wait(READY)
            for name, (width, height, dark) in VIEWS.items():
                browser.screen(width, height, dark=dark)
                time.sleep(0.5)
                (IMAGES / f"{name}.png").write_bytes(browser.screenshot())
                print(IMAGES / f"{name}.png")
    finally:
        server.terminate()
        server.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
