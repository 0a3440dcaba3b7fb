from __future__ import annotations

import sys
from types import ModuleType

import pytest


class Calls(list):
    """What a stand-in for a workflow was called with: (arguments, named arguments) of each call."""

    answer: object = None


@pytest.fixture
def workflow(monkeypatch, tmp_path):
    """workflow(name, function, answer): put a stand-in where the command will import its one function from."""
    monkeypatch.chdir(tmp_path)

    def replace(module: str, function: str, answer: object) -> Calls:
        calls = Calls()
        calls.answer = answer

        def stand_in(*arguments, **named):
            calls.append((arguments, named))
            if isinstance(calls.answer, BaseException):
                raise calls.answer
            return calls.answer(*arguments, **named) if callable(calls.answer) else calls.answer

        made = ModuleType(f"sagan.workflows.{module}")
        setattr(made, function, stand_in)
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return calls

    return replace
