"""The base of every typed record, and the one way to declare an option of a run.

A record is a Python object, a TOML table and a group of command-line options at once. Each option says what may happen to
it when a run is resumed:

    free         may change: it does not touch what a step computes (paths, intervals, workers, the length of the run)
    schedule     may change when `--override` says so, and the change is recorded (learning rates, threads)
    structural   may not change: it is another run (sizes, losses, seed)
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Resume = Literal["free", "schedule", "structural"]


class Record(BaseModel):
    """A frozen, checked group of options; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def option(default: Any, help: str, *, resume: Resume = "structural", word: str = "", **limits: Any) -> Any:
    """An option of a run.

    default: its value when nobody says otherwise.  help: one line for the help text and the docs.
    resume: see the module.  word: may be said in its place where a record is assembled, never stored in one.
    limits: pydantic's `ge`, `gt`, `le`, `lt` and so on.
    """
    return Field(default=default, description=help, json_schema_extra={"resume": resume, "word": word}, **limits)
