"""Importing the package and asking for help are cheap, and extras may be absent. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "PIL", "pyarrow", "tensorboard")


def run_python(code: str, root) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new interpreter that finds the package in src/."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)


def test_importing_sagan_brings_nothing_heavy(root):
    done = run_python(f"import sys, sagan; print([name for name in {HEAVY} if name in sys.modules])", root)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["sample", "--help"], ["attend", "--help"], ["evaluate", "--help"]]
)
def test_help_answers_without_torch(root, words):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch loaded:', 'torch' in sys.modules))\n"
        f"sys.argv = ['sagan', *{words}]\n"
        "from sagan.cli.main import main\n"
        "sys.exit(main())"
    )
    done = run_python(code, root)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 5, "help should say something"
    assert done.stdout.splitlines()[-1] == "torch loaded: False"


def test_every_module_imports_without_extras_and_without_posix(root, modules):
    """As on Windows and macOS without extras: the absent modules are made to fail on import."""
    names = [("sagan." + path.removesuffix(".py").replace("/", ".")).removesuffix(".__init__") for path in modules]
    names = [name for name in names if not name.endswith("__main__")]
    absent = (
        "pyarrow",
        "fsspec",
        "tensorboard",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "openvino",
        "fastapi",
        "starlette",
        "uvicorn",
        "huggingface_hub",
    )
    code = (
        "import importlib, sys\n"
        "import numpy, PIL.Image, pydantic, rich, torch\n"
        f"for absent in {(*absent, 'fcntl', 'resource', 'termios', 'pwd')}:\n"
        "    sys.modules[absent] = None\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "print('imported all')"
    )
    done = run_python(code, root)
    assert done.stdout.strip() == "imported all", done.stderr
