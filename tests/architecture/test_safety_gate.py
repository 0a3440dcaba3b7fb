"""No way to run code from a file: a static look at every call and import of the package.

What the gate refuses: unpickling in every form, `eval` and `exec`, YAML, unpacking archives to disk, shells, downloads.
No file is excepted: foreign checkpoints are read by a machine of our own that runs nothing (`interop/pickles.py`), and only
the sandboxed process may import that.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest
from syntax import aliases, dotted

READERS = {"interop/named.py", "interop/pickles.py", "interop/torch_files.py"}  # what foreign bytes are given to
MAY_IMPORT_READERS = {"interop/child.py", "interop/pickles.py", "interop/torch_files.py"}
MAY_START_THE_PROCESS = {"interop/sandbox.py"}

MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml",
    "urllib.request", "requests", "httpx",
}  # fmt: skip
CALLS = {
    "torch.load", "torch.save", "torch.jit.load", "torch.package", "torch.hub", "numpy.loadtxt", "numpy.genfromtxt",
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.path.commonprefix", "shutil.unpack_archive",
}  # fmt: skip
METHODS = {"extractall", "read_pickle", "urlopen", "urlretrieve"}


def starts(name: str, refused: set[str]) -> bool:
    return any(name == word or name.startswith(word + ".") for word in refused)


def refused_keyword(call: ast.Call) -> str | None:
    """`shell=` and `allow_pickle=` with anything but a literal False."""
    for keyword in call.keywords:
        literal = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg in ("shell", "allow_pickle") and literal is not False:
            return f"{keyword.arg}={ast.unparse(keyword.value)}"
    return None


def faults(tree: ast.AST) -> Iterator[str]:
    """Every refused import, name, method and keyword, with its line."""
    known = aliases(tree)
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if starts(alias.name, MODULES)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name for name in whole if starts(name, MODULES | CALLS)]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            continue  # a name of our own, such as the option `compile`
        elif isinstance(node, (ast.Name, ast.Attribute)) and starts(dotted(node, known), CALLS):
            names = [dotted(node, known)]
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            names = [node.attr]
        elif isinstance(node, ast.Call) and (keyword := refused_keyword(node)):
            names = [keyword]
        yield from (f"line {node.lineno}: {name}" for name in names)


def test_the_package_runs_no_code_from_files(modules):
    for path, tree in modules.items():
        assert list(faults(tree)) == [], f"src/sagan/{path}"


def test_foreign_files_are_read_in_the_sandboxed_process_alone(modules):
    """The readers run where everything was given up first: nothing else of the package imports them."""
    names = {f"sagan.{path.removesuffix('.py').replace('/', '.')}" for path in READERS}
    for path, tree in modules.items():
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert path in MAY_IMPORT_READERS or not imported & names, f"src/sagan/{path}"
        assert path in MAY_START_THE_PROCESS or "sagan.interop.child" not in ast.unparse(tree), f"src/sagan/{path}"


def test_the_sandboxed_process_imports_the_standard_library_alone(modules):
    """It is started without site-packages; torch in it would be a large surface."""
    for path in {"interop/child.py", "interop/confine.py", *READERS}:
        for node in ast.walk(modules[path]):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            strays = {name for name in names if not name.startswith("sagan.interop.")} - set(sys.stdlib_module_names)
            assert {name for name in strays if name.split(".")[0] not in sys.stdlib_module_names} == set(), path


@pytest.mark.parametrize(
    "line",
    [
        "import torch\ntorch.load('x')",
        "import torch as t\nt.load('x', weights_only=True)",
        "from torch import load\nload('x')",
        "from torch import load as read",
        "import pickle",
        "def f():\n    from pickle import loads",
        "eval('1')",
        "exec(text)",
        "run = exec",
        "import yaml",
        "archive.extractall()",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=flag)",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import os\nos.system('ls')",
        "from urllib.request import urlopen",
    ],
)
def test_the_gate_sees(line):
    assert list(faults(ast.parse(line))) != []


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "from safetensors.torch import load\nload(data)",
        "import json\njson.load(stream)",
        "import re\nre.compile('x')",
        "import torch\ntorch.compile(model)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
    ],
)
def test_the_gate_lets_pass(line):
    assert list(faults(ast.parse(line))) == []
