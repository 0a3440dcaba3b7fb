"""What training reports, as a bar on a terminal and as occasional plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

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


class Display:
    """A bar on a terminal that ends before what follows; elsewhere a console for lines.

    A stream that cannot be written to any more mutes it: whoever watches must never end a command.
    stream: where to write, standard error by default.  clock: seconds, for the pace of plain lines.  columns: of the bar,
    after its words.  stays: whether the bar is left standing.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float], *columns: TextColumn, stays: bool) -> None:
        self.console = Screen(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.clock = clock
        self.bar: Bar | None = None
        if self.console.is_terminal:
            shown = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), *columns)
            self.bar = Bar(*shown, console=self.console, refresh_per_second=4, transient=not stays)
            self.task = self.bar.add_task("starting", total=None, numbers="")

    def __enter__(self) -> Self:
        if self.bar is not None:
            try:
                self.bar.start()
            except OSError:  # a bar that never started cannot be stopped
                self.bar, self.console.quiet = None, True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.muting():
            if self.bar is not None:
                self.bar.stop()

    @contextmanager
    def muting(self) -> Iterator[None]:
        """Inside, a stream that fails mutes this display."""
        try:
            yield
        except OSError:  # a full disk under a redirected stream, a terminal that was closed
            self.console.quiet = True

    def line(self, text: str) -> None:
        """Write one line."""
        self.console.print(printable(text))


class Watch(Display):
    """Call it with each event of a training run; use it as a context manager. stream, clock: as in Display."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream, clock, TextColumn("{task.fields[numbers]}", markup=False), stays=True)
        self.last_line = -float("inf")
        self.unwritten: str | None = None  # the newest state, when no line was due

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, value, trace)
        with self.muting():
            if self.bar is None and self.unwritten is not None:
                self.line(self.unwritten)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self.muting():
            match event:
                case Note():
                    self.line(event.text)
                case Saved():
                    self.line(f"saved {event.what}: {event.path}")
                case Progress():
                    self._position(event)

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
            self.line(line)
        else:
            self.unwritten = line


class Counting(Display):
    """What a longer command is doing, by its `tell(what, done, total)`: a bar on a terminal, elsewhere a line at times.

    Use it as a context manager.  stream, clock: as in Display.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream, clock, stays=False)
        self.last_line = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far it is; total 0 for a step that does not count."""
        with self.muting():
            if self.bar is not None:
                self.bar.update(self.task, description=what, total=total or None, completed=done)
            elif self.clock() - self.last_line >= SECONDS_BETWEEN_LINES:
                self.last_line = self.clock()
                self.line(f"{what}: {done:,} of {total:,}" if total else what)


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
