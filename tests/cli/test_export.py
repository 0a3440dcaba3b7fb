"""The words of `sagan export`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from sagan.cli.main import main
from sagan.errors import CheckpointCorrupt

ROWS = [("generator", "step 12, 16x16"), ("size", "1.0 MiB")]


@pytest.fixture
def export(workflow):
    answer = SimpleNamespace(paths=[Path("x.bin"), Path("x\x1b.xml")], rows=ROWS, warnings=("passed over",))
    return workflow("export", "export", answer)


@pytest.fixture
def check(workflow, export, monkeypatch):
    import sys

    calls = []

    def stand_in(*arguments):
        calls.append(arguments)
        if arguments[0] == Path("bad.onnx"):
            raise CheckpointCorrupt("it draws something else", where=arguments[0])
        return ROWS

    monkeypatch.setattr(sys.modules["sagan.workflows.export"], "check_export", stand_in, raising=False)
    return calls


def test_words(export, check, capsys):
    assert main(["export", "runs/x"]) == 0
    assert main(["export", "runs/x", "--to", "openvino", "-o", "a/x.xml", "--attention"]) == 0
    assert export == [
        ((Path("runs/x"), "onnx", None), {"attention": False}),
        ((Path("runs/x"), "openvino", Path("a/x.xml")), {"attention": True}),
    ]
    shown = capsys.readouterr()
    assert shown.out == "x.bin\nx\\x1b.xml\n" * 2
    assert shown.err.splitlines()[:3] == ["passed over", "generator: step 12, 16x16", "size: 1.0 MiB"]


@pytest.mark.parametrize("words", [["--check", "x.onnx", "runs/x"], ["runs/x", "--check", "x.onnx"]])
def test_a_check(words, export, check, capsys):
    assert main(["export", *words]) == 0
    assert check == [(Path("x.onnx"), Path("runs/x"))] and export == []
    assert capsys.readouterr().out == "generator  step 12, 16x16\nsize       1.0 MiB\n"


def test_a_faulty_export_ends_with_code_4(check, capsys):
    assert main(["export", "--check", "bad.onnx", "runs/x"]) == 4
    assert capsys.readouterr().err == "sagan: bad.onnx: it draws something else\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "SOURCE is missing. Write sagan export SOURCE; see sagan export --help."),
        (["runs/x", "--to", "onyx"], "to is 'onyx'"),
        (
            ["runs/x", "--check", "x.onnx", "-o", "y.onnx"],
            "--check goes without --out. It reads a file and writes none.",
        ),
        (["runs/x", "--check", "x.onnx", "--to", "web"], "--check goes without --to"),
    ],
)
def test_words_that_mean_nothing(words, message, export, check, capsys):
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err
    assert export == check == []
