"""What a signal does to a command: Ctrl-C, SIGTERM or a closed terminal ends it at once, with one line and 128 plus its number.

Training hangs its own handlers over these while it trains. This file is imported before anything else of ours.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from sagan.training.stopping import Handlers, Stopped

WORDS = "sagan: stopped at once; earlier checkpoints are untouched"
_IMPORTING = "<frozen importlib._bootstrap>"


class LeaveAtOnce(Handlers):
    """For the process of a command: the first signal raises Stopped where the program is, so that nothing half-written
    stays; a second one, or one where raising would not do, ends the process without a further word.

    Raising would not do while a module is being imported: the C++ of a half-imported library answers an exception by
    aborting, and no file of ours is open then. Nor in a finaliser, where Python only prints the exception and goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raising = True
        self._hook_before: Any = None

    def install(self) -> None:
        """Handle the signals from now on."""
        super().install()
        self._hook_before, sys.unraisablehook = sys.unraisablehook, self._unraisable

    def restore(self) -> None:
        """Put the former handlers back."""
        super().restore()
        sys.unraisablehook = self._hook_before

    def ignore(self) -> None:
        """From now on a signal changes nothing: the exit code is settled, and the process is on its way out."""
        for number in self.before:
            signal.signal(number, signal.SIG_IGN)

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self._raising and not _is_importing(frame):
            self._raising = False
            raise Stopped(number)
        end_process(128 + number)

    def _unraisable(self, about: Any) -> None:
        if isinstance(about.exc_value, Stopped):
            end_process(about.exc_value.exit_code)
        self._hook_before(about)


def end_process(code: int) -> NoReturn:
    """Leave here and now: no clean-up, no finalisers."""
    try:
        os.write(2, f"{WORDS}\n".encode())
    finally:
        os._exit(code)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
