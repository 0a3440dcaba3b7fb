"""The page of `sagan explore` in a headless Chromium, for what takes pictures of it or measures it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Browser  # noqa: E402

READY = "document.body && document.body.dataset.ready && !document.body.classList.contains('busy')"


@contextmanager
def serving(run: str) -> Iterator[str]:
    """`sagan explore RUN` on a free port until the context ends: its address, token included."""
    command = [sys.executable, "-m", "sagan", "explore", run, "--port", "0", "--device", "cpu"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield next(line for line in server.stdout if "token=" in line).strip()
    finally:
        server.terminate()
        server.wait()


@contextmanager
def explored(run: str, at: str, width: int, height: int) -> Iterator[Browser]:
    """A browser at the page, which shows what the link `at` says, such as '#seed=5'."""
    with serving(run) as address, Browser() as browser:
        browser.screen(width, height)
        browser.open(address, READY)
        browser.wait("location.search === ''")
        browser.wait(READY)
        browser.run(f"location.hash = {at!r}")
        browser.run("new Promise((done) => setTimeout(done, 2000))")  # the run's card fills itself in the meantime
        browser.wait(READY)
        yield browser
