"""How fast the page of `sagan explore` answers: until the first picture, and from the pointer's move to the overlay.

    python benchmarks/explorer_page.py

In a headless Chromium, which shares the processor with the server. The network is sagan-64's with attention at 64x64 as
well as at 32x32, after one step of training: what it draws does not matter here. Opening is timed with a server just started,
which has yet to load the network, and again with one that has drawn before; each until everything on the page is there. A
move is timed from its event to the end of drawing, for the larger layer; the wait for the browser's next frame, up to 17 ms,
is in it. Writes benchmarks/results/explorer-page.json.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from results_file import Figure, write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from chromium import Browser  # noqa: E402
from explored import explored, serving  # noqa: E402

TRAIN = ("emblems", "--preset", "sagan-64", "--g-attn", "32,64", "--steps", "1", "--batch-size", "2", "--device", "cpu")
OPENINGS, MOVES = 5, 200
OPEN = """new Promise((done) => {
    const look = () => document.body?.dataset.ready && !document.body.classList.contains("busy")
        ? done(performance.now()) : setTimeout(look, 2);
    look();
})"""  # milliseconds since the navigation began
MOVE = f"""(async () => {{
    const canvas = document.getElementById("picture"), readout = document.getElementById("readout");
    const box = canvas.getBoundingClientRect(), times = [];
    for (let n = 1; n <= {MOVES}; n++) {{
        const drawn = new Promise((done) => new MutationObserver((_, observer) => (observer.disconnect(), done()))
            .observe(readout, {{ childList: true, characterData: true, subtree: true }}));
        const place = {{ clientX: box.x + (n * 0.618) % 1 * box.width, clientY: box.y + (n * 0.414) % 1 * box.height }};
        await new Promise((done) => setTimeout(done, n % 17));  // at any moment between two frames
        const start = performance.now();
        canvas.dispatchEvent(new PointerEvent("pointermove", {{ pointerType: "mouse", ...place }}));
        await drawn;
        times.push(performance.now() - start);
    }}
    return times;
}})()"""


def openings(run: str) -> tuple[list[float], list[float]]:
    """Milliseconds until the page is complete, for fresh servers and for ones that drew before."""
    first, later = [], []
    for _ in range(OPENINGS):
        with serving(run) as address, Browser() as browser:
            for times in (first, later):
                browser.screen(1440, 1000)
                browser.send("Page.navigate", url=address)
                browser.wait("document.readyState !== 'loading' && location.href !== 'about:blank'")
                times.append(browser.run(OPEN))
                address = address.split("?")[0] + f"?again#seed={len(later) + 100}"  # another picture, another document
    return first, later


def late(times: list[float]) -> float:
    """The 95th percentile."""
    return sorted(times)[int(0.95 * len(times))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        subprocess.run([sys.executable, "-m", "sagan", "train", *TRAIN, "--out", run], check=True)
        first, later = openings(run)
        with explored(run, "#seed=0&layer=G.attention@64", 1440, 1000) as browser:
            moves = browser.run(MOVE)
    figures: list[Figure] = [
        (name, round(statistics.median(times) / 1000, 3), "s", f"{min(times) / 1000:.2f} to {max(times) / 1000:.2f}")
        for name, times in (("page complete, server just started", first), ("page complete, server warm", later))
    ]
    figures.append(
        (
            "move to overlay, 95th percentile",
            round(late(moves), 1),
            "ms",
            f"median {statistics.median(moves):.1f} ms, {MOVES} moves",
        )
    )
    for figure in figures:
        print(*figure)
    note = "A 64x64 picture; attention of 64x64 places to 32x32. Server and browser share the processor."
    write_result("explorer-page", "python benchmarks/explorer_page.py", figures, note=note)


if __name__ == "__main__":
    main()
