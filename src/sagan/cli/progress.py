"""What training reports, as a bar on a terminal and as occasional plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from sagan.cli.printing import duration
from sagan.errors import printable
from sagan.training.reporting import Event, Note, Progress, Saved

SECONDS_BETWEEN_LINES = 30.0
SHORT = {"loss/discriminator": "D", "loss/generator": "G"}
MOST_NUMBERS = 5


class Screen(Console):
    """A console that falls silent when its reader leaves, as `head` does; rich's own would end the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Watch:
    """Call it with each event of a training run; use it as a context manager, so that the bar ends before what follows.

    A stream that cannot be written to any more mutes it: whoever watches must never end a run.
    stream: where to write, standard error by default.  clock: seconds, for the pace of plain lines.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = Screen(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.clock = clock
        self.last_line = -float("inf")
        self.unwritten: str | None = None  # the newest state, when no line was due
        self.bar: Bar | None = None
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24))
            numbers = TextColumn("{task.fields[numbers]}", markup=False)
            self.bar = Bar(*columns, numbers, console=self.console, refresh_per_second=4, transient=False)
            self.task = self.bar.add_task("starting", total=None, numbers="")

    def __enter__(self) -> Watch:
        if self.bar is not None:
            try:
                self.bar.start()
            except OSError:  # a bar that never started cannot be stopped
                self.bar, self.console.quiet = None, True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._muting():
            if self.bar is not None:
                self.bar.stop()
            elif self.unwritten is not None:
                self._line(self.unwritten)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self._muting():
            match event:
                case Note():
                    self._line(event.text)
                case Saved():
                    self._line(f"saved {event.what}: {event.path}")
                case Progress():
                    self._position(event)

    @contextmanager
    def _muting(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # a full disk under a redirected stream, a terminal that was closed
            self.console.quiet = True

    def _position(self, event: Progress) -> None:
        position = f"step {event.step:,}" + (f" of {event.steps:,}" if event.steps else "")
        numbers = describe(event)
        if self.bar is not None:
            total = 1.0 if event.share else None  # without an end in sight the bar only pulses
            self.bar.update(self.task, description=position, total=total, completed=event.share, numbers=numbers)
            return
        line = f"{position}  {numbers}"
        if self.clock() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line, self.unwritten = self.clock(), None
            self._line(line)
        else:
            self.unwritten = line

    def _line(self, text: str) -> None:
        self.console.print(printable(text))


class Counting:
    """What a longer command is doing, by its `tell(what, done, total)`: a bar on a terminal, elsewhere a line at times.

    Use it as a context manager, so that the bar ends before what follows.  stream, clock: as in Watch.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = Screen(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.clock, self.last_line = clock, clock()
        self.bar: Bar | None = None
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24))
            self.bar = Bar(*columns, console=self.console, refresh_per_second=4, transient=True)
            self.task = self.bar.add_task("starting", total=None)

    def __enter__(self) -> Counting:
        if self.bar is not None:
            try:
                self.bar.start()
            except OSError:  # a bar that never started cannot be stopped
                self.bar, self.console.quiet = None, True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far it is; total 0 for a step that does not count."""
        try:
            if self.bar is not None:
                self.bar.update(self.task, description=what, total=total or None, completed=done)
            elif self.clock() - self.last_line >= SECONDS_BETWEEN_LINES:
                self.last_line = self.clock()
                self.console.print(printable(f"{what}: {done:,} of {total:,}" if total else what))
        except OSError:
            self.console.quiet = True


def describe(event: Progress) -> str:
    """Pace, time left and the numbers to watch: '64 img/s  1.00 s/step  8m left  D 1.20  G -0.31  gamma G@16 0.013'."""
    parts = [f"{event.images_per_second:.{1 if event.images_per_second < 10 else 0}f} img/s"]
    if event.step and event.images and event.images_per_second:
        parts.append(f"{event.images / event.step / event.images_per_second:.2f} s/step")
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    return "  ".join([*parts, *shorten(event.losses)])


def shorten(numbers: Mapping[str, float]) -> list[str]:
    """{'loss/discriminator': 1.2, 'attention/G.attention@16/gamma': 0.0131} -> ['D 1.200', 'gamma G@16 0.013']."""
    shown = []
    for name, value in numbers.items():
        parts = name.split("/")
        gamma = f"gamma {parts[-2].replace('.attention', '')}" if parts[-1] == "gamma" and len(parts) > 1 else None
        shown.append(f"{SHORT.get(name) or gamma or name} {value:.3f}")
    return shown[:MOST_NUMBERS]
