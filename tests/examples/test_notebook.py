"""The notebook is a valid one without outputs, its code runs as a script, and its checks can fail."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "paper-on-a-cpu.ipynb"
MOST_LINES = 14  # of a cell

KEYS = {
    "markdown": {"cell_type", "id", "metadata", "source"},
    "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"},
}


@pytest.fixture(scope="module")
def notebook() -> dict:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def code_cells(notebook: dict) -> dict[str, str]:
    """The code cells by their id, in order."""
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}


def test_it_is_a_notebook_without_outputs(notebook):
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    for cell in notebook["cells"]:
        assert set(cell) == KEYS[cell["cell_type"]]
        assert cell["metadata"] == {}
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell["id"])
        assert all(line.endswith("\n") for line in cell["source"][:-1]) and not cell["source"][-1].endswith("\n")
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_its_cells_are_small(notebook):
    long = {cell["id"]: len(cell["source"]) for cell in notebook["cells"] if len(cell["source"]) > MOST_LINES}
    assert long == {}
    for source in code_cells(notebook).values():
        assert ast.parse(source).body, "a cell of its own, not a part of one"
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert kinds[0] == "markdown" and ("code", "code") not in zip(kinds[2:], kinds[3:], strict=False)


def test_it_runs_and_leaves_what_it_says(notebook, tmp_path):
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join(code_cells(notebook).values()), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "SAGAN_NOTEBOOK_SECONDS": "2"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    written = {
        path.name: path for line in re.findall(r"^wrote: (.+)$", done.stdout, re.M) for path in [tmp_path / line]
    }
    assert set(written) == {"grid.png", "look.png", "gamma.png", "report.html"}
    assert written.pop("report.html").stat().st_size > 0
    sizes = {}
    for name, path in written.items():
        with Image.open(path) as picture:
            picture.load()
            sizes[name] = picture.size
    assert sizes["grid.png"][0] > 8 * 66 and sizes["grid.png"][1] == 22 + 8 * 66, "eight classes, eight seeds"
    assert sizes["look.png"] == (12 + 6 * (256 + 12), 342), "one layer: the picture and five panels"
    assert sizes["gamma.png"][0] == 800
    assert re.search(r"^G\.attention@16: gamma [+-]\d", done.stdout, re.M)
    steps, shown = re.search(r"^([\d,]+) steps, ([\d,]+) real pictures shown, \d+ s$", done.stdout, re.M).groups()
    assert int(shown.replace(",", "")) == 16 * int(steps.replace(",", "")) > 0


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("softmax(dim=0)", "softmax(dim=1)"),
        ("(f @ x).mT @ (g @ x)", "(g @ x).mT @ (f @ x)"),
        ("x + 0.5 * o", "x + 0.4 * o"),
        ("iterations=200", "iterations=0"),
        ("0 + 1.3", "0 + 0.3"),
    ],
)
def test_its_checks_can_fail(notebook, words, fault):
    cells = code_cells(notebook)
    source = "\n\n".join(list(cells.values())[: list(cells).index("train")])
    assert words in source
    faulty = compile(source.replace(words, fault), "notebook", "exec")
    with torch.random.fork_rng(devices=[]), pytest.raises(AssertionError):
        exec(faulty, {})
