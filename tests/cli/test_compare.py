"""`sagan compare`: from words to one call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sagan.cli.main import main


@pytest.fixture
def compare(workflow):
    answer = SimpleNamespace(rows=[("steps", "5   9")], warnings=["The runs differ."], page=Path("page.html"))
    return workflow("compare", "compare", answer)


def test_compare_takes_as_many_runs_as_there_are(compare, capsys):
    assert main(["compare", "runs/a", "runs/b", "-o", "page.html", "runs/c"]) == 0
    assert compare == [(([Path("runs/a"), Path("runs/b"), Path("runs/c")], Path("page.html")), {})]
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("steps  5   9\npage.html\n", "The runs differ.\n")
    assert main(["compare", "a", "b"]) == 0 and compare[-1][0][1] == Path("compare.html")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "RUNS is missing"),
        (["a", "b", "-o", "page.png"], "the page is written as html. Name it page.html."),
        (["a", "b", "--oot", "x"], "unknown option --oot. Did you mean --out?"),
    ],
)
def test_compare_mistakes(compare, capsys, words, line):
    assert main(["compare", *words]) == 2
    assert line in capsys.readouterr().err and not compare


def test_the_help_shows_several_runs(capsys):
    assert main(["compare", "--help"]) == 0
    assert "RUNS ..." in capsys.readouterr().out.splitlines()[0]
