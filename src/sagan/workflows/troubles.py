"""What may fail without ending a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagan.disk import disk_errors
from sagan.errors import SaganError
from sagan.training.reporting import Note, Watch


class Troubles:
    """Turns errors about things that a run can do without into warnings.

    Each is told once for each cause, and anew when the thing had worked in between: a full disk does not fill the screen.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told: dict[str, object] = {}

    @contextmanager
    def tolerate(self, what: str, where: Path) -> Iterator[None]:
        """what: the thing that is written inside, such as 'the report'.  where: the file or folder it is written to."""
        try:
            with disk_errors(where):
                yield
        except SaganError as error:
            cause = (type(error), getattr(error.__cause__, "errno", None))
            if self._told.get(what) != cause:
                self._watch(Note(f"Warning: {what} could not be written; training goes on. {error}"))
            self._told[what] = cause
        else:
            self._told.pop(what, None)
