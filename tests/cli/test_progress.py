from __future__ import annotations

import io
from pathlib import Path

import pytest

from sagan.cli.printing import duration
from sagan.cli.progress import Counting, Watch, describe, shorten
from sagan.training.reporting import Note, Progress, Saved

LOSSES = {"loss/discriminator": 1.25, "loss/generator": -0.5, "attention/G.attention@16/gamma": 0.0131}


def progress(step: int, **changes) -> Progress:
    values = {"step": step, "steps": 600, "seconds": 10.0 * step, "seconds_left": 480.0, "images": 64 * step}
    return Progress(**{**values, "images_per_second": 32.0, "share": step / 600, "losses": LOSSES, **changes})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_says_pace_time_left_and_losses():
    assert describe(progress(20)) == "32 img/s  2.00 s/step  8m00s left  D 1.250  G -0.500  gamma G@16 0.013"
    assert describe(progress(0, seconds_left=None, images_per_second=0.0, losses={})) == "0.0 img/s"
    assert describe(progress(5, images_per_second=3.94, seconds_left=None, losses={})) == "3.9 img/s  16.24 s/step"


def test_only_the_first_numbers_are_shown():
    assert shorten({f"a{i}": float(i) for i in range(9)}) == [f"a{i} {i}.000" for i in range(5)]


def test_away_from_a_terminal_lines_are_occasional_and_the_last_state_is_kept():
    stream, clock = io.StringIO(), Clock()
    with Watch(stream, clock) as watch:
        for step in range(1, 8):
            clock.now = 10.0 * step
            watch(progress(step))
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"step {n} of 600" for n in (1, 4, 7)]
    clock.now = 1000.0
    with Watch(stream, clock) as watch:
        watch(progress(8))
        watch(progress(9))
    assert stream.getvalue().splitlines()[-1].startswith("step 9 of 600")


def test_notes_and_files_are_always_told_and_cannot_steer_the_terminal():
    stream = io.StringIO()
    with Watch(stream) as watch:
        watch(Note("[bold]expect\x1b 8m"))
        watch(Saved(Path("runs/x"), "grid"))
    assert stream.getvalue() == "[bold]expect\\x1b 8m\nsaved grid: runs/x\n"


def test_a_run_without_a_step_limit_has_no_of():
    stream = io.StringIO()
    with Watch(stream) as watch:
        watch(progress(1200, steps=None))
    assert stream.getvalue().startswith("step 1,200  32 img/s")


def test_a_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    stream = Terminal()
    with Watch(stream) as watch:
        watch(progress(300))
        watch(Note("half way"))
    shown = stream.getvalue()
    assert "step 300 of 600" in shown and "━" in shown and "8m00s left" in shown and "half way" in shown
    assert watch.bar is not None and watch.bar.tasks[0].completed == pytest.approx(0.5)


class Gone(io.StringIO):
    """A stream that nobody reads any more; left: how many writes it still takes."""

    def __init__(self, error: OSError, terminal: bool, left: int) -> None:
        super().__init__()
        self.error, self.terminal, self.left, self.refused = error, terminal, left, 0

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        if self.left <= 0:
            self.refused += 1
            raise self.error
        self.left -= 1
        return super().write(text)


@pytest.mark.parametrize("error", [BrokenPipeError(32, "gone"), OSError(28, "no room")])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("left", [0, 1])
def test_a_reader_who_leaves_mutes_the_watch_and_ends_nothing(monkeypatch, capfd, error, terminal, left):
    monkeypatch.setenv("TERM", "xterm")
    stream = Gone(error, terminal, left)
    with Watch(stream, Clock()) as watch:
        watch(Note("one"))
        watch(Note("two"))
        refused = stream.refused
        for step in range(1, 4):
            watch(progress(step))
        watch(Saved(Path("x"), "grid"))
    assert stream.refused >= 1 and watch.console.quiet
    assert stream.refused - refused <= 1  # silent from then on, save for a line that was under way
    print("still here")
    assert capfd.readouterr().out == "still here\n"  # rich's own answer points standard output at nothing


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (600, "10m00s"),
        (3599.7, "1h00m"),
        (3725, "1h02m"),
        (200_000, "2d07h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_counting_is_a_line_at_times_away_from_a_terminal():
    stream, clock = io.StringIO(), Clock()
    with Counting(stream, clock) as counting:
        for done in range(0, 1000, 100):
            clock.now += 10
            counting("drawing", done, 1000)
        clock.now += 40
        counting("computing kid", 0, 0)
    assert stream.getvalue().splitlines() == [
        "drawing: 200 of 1,000", "drawing: 500 of 1,000", "drawing: 800 of 1,000", "computing kid",
    ]  # fmt: skip


def test_counting_shows_a_bar_on_a_terminal_and_survives_a_broken_one():
    stream = Terminal()
    with Counting(stream) as counting:
        counting("drawing", 5, 10)
    assert "drawing" in stream.getvalue()

    class Closed(io.StringIO):
        def write(self, text):
            raise OSError("gone")

    with Counting(Closed(), lambda: 1e9) as counting:
        counting.last_line = -1e9
        counting("drawing", 5, 10)
    assert counting.console.quiet
