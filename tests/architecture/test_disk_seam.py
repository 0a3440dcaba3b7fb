"""One seam for the disk: a static look for every way to make, write, rename or delete that goes around sagan.disk.

Reading is free. Pictures and arrays are made in memory (`io.BytesIO`) and written by the seam. TensorBoard's events are
written by that package, and only workflows/tensorboard.py may ask for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from syntax import aliases, dotted

SEAM = "disk/"
MAY_USE_TENSORBOARD = "workflows/tensorboard.py"

CALLS = {
    "os.mkdir", "os.makedirs", "os.mkfifo", "os.mknod", "os.link", "os.symlink", "os.rename", "os.renames", "os.replace",
    "os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.truncate", "os.ftruncate", "os.fsync", "os.fdatasync",
    "os.chmod", "os.chown", "os.utime", "os.O_WRONLY", "os.O_RDWR", "os.O_CREAT", "os.O_APPEND", "os.O_TRUNC",
    "shutil", "tempfile", "logging.FileHandler", "safetensors.torch.save_file", "safetensors.numpy.save_file",
    "torch.utils.tensorboard", "tensorboard",
}  # fmt: skip
ONLY_LOOK = {"shutil.disk_usage", "shutil.which", "shutil.get_terminal_size"}
METHODS = {
    "write_bytes", "write_text", "mkdir", "rmdir", "touch", "unlink", "rename", "symlink_to", "hardlink_to", "rmtree",
    "tofile", "save_file", "savefig", "write_table",
}  # fmt: skip
DISKS = {"disk", "DISK"}  # what the package calls an object of class Disk: its `rename` is the seam
BYTES = {"safetensors.torch.save", "safetensors.numpy.save"}  # they only make bytes
SAVERS = {"save", "savez", "savez_compressed", "savetxt"}  # into a buffer they only make bytes
OPENERS = {"open", "fdopen", "ZipFile", "TarFile", "GzipFile", "BZ2File", "LZMAFile"}


def is_refused(name: str) -> bool:
    words = (word for word in CALLS if name == word or name.startswith(word + "."))
    return name not in ONLY_LOOK and any(name != word or "." in word for word in words)  # `shutil` alone does nothing


def buffers(tree: ast.AST, known: dict[str, str]) -> set[str]:
    """Names that hold an `io.BytesIO()`."""
    made = (node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    targets = (target for node in made if dotted(node.value.func, known) == "io.BytesIO" for target in node.targets)
    return {target.id for target in targets if isinstance(target, ast.Name)}


def writes(call: ast.Call, name: str) -> bool:
    """Whether an opener is given a mode that is, or could be, for writing."""
    if name == "os.open":
        return False  # its flags are looked at by name
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    modes += call.args[1:2] if name == "open" else [word for word in call.args[:2] if isinstance(word, ast.Constant)]
    texts = [mode.value if isinstance(mode, ast.Constant) else None for mode in modes]
    return any(text is None or (isinstance(text, str) and set(text) & set("wax+")) for text in texts)


def is_devnull(tree: ast.AST, known: dict[str, str]) -> set[int]:
    """The nodes inside `os.open(os.devnull, ...)`: nothing on a disk."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and dotted(node.func, known) == "os.open")
    nowhere = (call for call in calls if call.args and dotted(call.args[0], known) == "os.devnull")
    return {id(part) for call in nowhere for part in ast.walk(call)}


def detours(tree: ast.AST) -> Iterator[str]:
    """Every effect on the disk that this file has by itself, with its line."""
    known = aliases(tree)
    memory, nowhere = buffers(tree, known), is_devnull(tree, known)
    for node in ast.walk(tree):
        if id(node) in nowhere:
            continue
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [name for alias in node.names if is_refused(name := f"{node.module}.{alias.name}")]
        elif isinstance(node, (ast.Name, ast.Attribute)) and is_refused(dotted(node, known)):
            names = [dotted(node, known)]
        elif isinstance(node, ast.Attribute) and node.attr in METHODS and ast.unparse(node.value) not in DISKS:
            names = [node.attr]
        elif isinstance(node, ast.Call):
            name = dotted(node.func, known)
            last = node.func.attr if isinstance(node.func, ast.Attribute) else name.rpartition(".")[2]
            first = node.args[0] if node.args else None
            is_saver = last in SAVERS and "." in ast.unparse(node.func) + name and name not in BYTES
            into_memory = isinstance(first, ast.Name) and first.id in memory
            opens = last in OPENERS and writes(node, name)
            if not into_memory and (opens or (is_saver and not name.startswith("sagan."))):
                names = [ast.unparse(node.func)]
        yield from (f"line {node.lineno}: {name}" for name in names)


def test_every_effect_on_the_disk_goes_through_the_seam(modules):
    for path, tree in modules.items():
        if path.startswith(SEAM):
            continue
        found = list(detours(tree))
        if path == MAY_USE_TENSORBOARD:
            found = [line for line in found if "tensorboard" not in line]
        assert found == [], f"src/sagan/{path}"


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "open(path, mode)",
        "path.open('wb')",
        "path.write_text('x')",
        "write = path.write_bytes",
        "path.parent.mkdir(parents=True)",
        "path.unlink(missing_ok=True)",
        "import os\nos.replace(a, b)",
        "from os import rename",
        "import os\nos.open(path, os.O_WRONLY | os.O_CREAT)",
        "import shutil\nshutil.rmtree(path)",
        "from shutil import copyfile",
        "import tempfile\ntempfile.mkdtemp()",
        "import numpy as np\nnp.save(path, array)",
        "import numpy as np\nnp.savez_compressed(path, a=array)",
        "from numpy import save\nsave(path, array)",
        "image.save(path)",
        "image.save(path / 'x.png', format='PNG')",
        "from safetensors.torch import save_file",
        "import zipfile\nzipfile.ZipFile(path, 'w')",
        "import zipfile\nzipfile.ZipFile(path, mode='a')",
        "def f():\n    from torch.utils.tensorboard import SummaryWriter",
    ],
)
def test_the_gate_sees(line):
    assert list(detours(ast.parse(line))) != []


@pytest.mark.parametrize(
    "line",
    [
        "disk.rename(a, b)",
        "def save(run): ...\nsave(run)",
        "open(path)",
        "open(descriptor, 'rb')",
        "path.open('rb')",
        "archive.open(entry)",
        "text.replace('a', 'b')",
        "import io\nbuffer = io.BytesIO()\nimage.save(buffer, format='PNG')",
        "import io\nimport numpy as np\nbuffer = io.BytesIO()\nnp.savez_compressed(buffer, a=array)",
        "import safetensors.torch\nsafetensors.torch.save(tensors)",
        "import os\nos.open(path, os.O_RDONLY)",
        "import os\nos.open(os.devnull, os.O_WRONLY)",
        "import shutil\nshutil.disk_usage(path)",
        "import zipfile\nzipfile.ZipFile(path)",
        "from PIL import Image\nImage.open(stream, formats=['PNG'])",
    ],
)
def test_the_gate_lets_pass(line):
    assert list(detours(ast.parse(line))) == []
