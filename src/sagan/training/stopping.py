"""Ctrl-C, SIGTERM or a closed terminal: training finishes its step and saves, and a second signal leaves at once."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from types import FrameType, TracebackType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Stopped(KeyboardInterrupt):
    """A signal asked the program to leave at once. exit_code: 128 plus the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Handlers(ABC):
    """Handlers for the signals that end a program; the ones found at the start are put back at the end.

    A signal that was ignored (nohup, a shell's background job) stays so. Does nothing outside the main thread, where
    handlers cannot be set.
    """

    def __init__(self) -> None:
        self.before: dict[int, Any] = {}

    def install(self) -> None:
        """Handle the signals from now on."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (
                    signal.SIG_IGN,
                    None,
                ):  # None: not Python's, so it cannot be put back
                    self.before[number] = signal.signal(number, self.handle)

    def restore(self) -> None:
        """Put the former handlers back."""
        while self.before:
            signal.signal(*self.before.popitem())

    @abstractmethod
    def handle(self, number: int, frame: FrameType | None) -> None:
        """What a signal does: Python calls this between two of its instructions in the main thread."""


class StopSignals(Handlers):
    """Inside, a signal only sets a flag, so that a step and a save are never torn.

    A second signal raises Stopped where the program is; the previous checkpoint stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    @property
    def hurried(self) -> bool:
        """Whether whoever asked may not wait: a system that shuts down, rather than a person who pressed Ctrl-C."""
        return self.received not in (None, signal.SIGINT)

    @property
    def exit_code(self) -> int:
        """128 plus the first signal's number."""
        return 128 + (self.received or 0)

    def __enter__(self) -> StopSignals:
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Stopped(self.received)
        self.received = number
