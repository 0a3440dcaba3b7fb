"""Who may import whom: the table of the rooms, and which packages from outside may be imported where."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

RECORDS = {"models.config", "data.config", "training.config"}

# A room is a folder or a file of src/sagan. It may import the rooms named here, or single modules of them.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "records": {"errors"},
    "randomness": {"errors"},
    "disk": {"errors"},
    "ranks": {"errors"},
    "runtime": {"errors", "ranks.Launch"},
    "layers": {"errors"},
    "losses": set(),
    "augment": set(),
    "data": {"errors", "records", "randomness", "disk"},
    "models": {"layers", "errors", "records"},
    "checkpoint": {"models", "disk", "errors", "records"},
    "interop": {"models", "layers", "checkpoint", "disk", "errors", "records"},
    "sampling": {"errors", "randomness", "models"},
    "latents": {"sampling", "models", "layers.norm", "checkpoint", "disk", "errors", "records"},
    "engines": {"sampling.Engine", "models", "layers", "runtime", "errors"},
    "metrics": {"data", "checkpoint", "randomness", "disk", "errors", "records"},
    "health": {"errors"},
    "visualise": {"layers", "sampling", "errors", "disk"},
    "training": {
        "models", "losses", "layers", "data", "checkpoint", "augment", "randomness", "ranks", "runtime", "disk", "errors",
        "records",
    },
    "config": RECORDS | {"errors", "records"},
    "presets": RECORDS | {"config", "errors", "records"},
    "workflows": {
        "errors", "records", "randomness", "disk", "ranks", "runtime", "layers", "losses", "data", "models", "checkpoint",
        "engines", "sampling", "latents", "health", "metrics", "visualise", "training", "interop", "config", "presets",
    },
    "explorer": {
        "errors", "records", "disk", "runtime", "layers", "models.network", "checkpoint", "engines", "sampling", "visualise",
        "data.config", "data.convert", "data.decode", "data.faults", "data.found", "data.images.recipe_of", "data.resize",
        "workflows", "training.reporting", "training.state", "training.telemetry",
    },
    "cli": RECORDS
    | {"explorer.server", "config", "presets", "workflows", "errors", "records", "training.reporting", "training.stopping"}
    | {"disk.need_writable"},
    "__main__": {"cli"},
}  # fmt: skip

CORE = {"torch", "numpy", "PIL", "safetensors", "pydantic", "pydantic_core", "tyro", "rich", "tomli_w"}
OPTIONAL = {
    "pyarrow",
    "fsspec",
    "torch.utils.tensorboard",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "openvino",
    "av",
    "fastapi",
    "starlette",
    "uvicorn",
    "huggingface_hub",
}
# Those are extras: imported inside the function that needs them.


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names imported anywhere in `tree`: `from a.b import c` gives a.b.c."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level + (node.module or "")
            else:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, places: set[str]) -> bool:
    """Whether a dotted name is one of `places` or lies inside one."""
    return any(name == place or name.startswith(place + ".") for place in places)


def room_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def strays(room: str, tree: ast.AST) -> list[str]:
    """The names of ours that a file of `room` imports although the table does not allow it."""
    ours = [name.removeprefix("sagan.") for name in imported(tree) if name.startswith("sagan.")]
    return sorted({name for name in ours if not within(name, MAY_IMPORT[room] | {room, "__version__"})})


def outside_of_functions(tree: ast.Module) -> ast.Module:
    """A copy of the module without function bodies: what runs when it is imported."""

    class Hollow(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

    return Hollow().visit(ast.parse(ast.unparse(tree)))


def test_every_room_keeps_to_the_table(modules):
    for path, tree in modules.items():
        room = room_of(path)
        if room == "__init__":
            continue  # the public face names every room; test_public_names.py holds it to its list
        assert room in MAY_IMPORT, f"src/sagan/{path}: the room '{room}' has no line in the table of {__file__}"
        assert not strays(room, tree), f"src/sagan/{path} imports {strays(room, tree)}; see the table of {__file__}"


def test_the_arrows_of_the_table_make_no_ring():
    rooms = {room: {name.split(".")[0] for name in allowed} for room, allowed in MAY_IMPORT.items()}
    order = list(TopologicalSorter(rooms).static_order())  # raises CycleError on a ring
    assert set(order) == set(MAY_IMPORT)
    assert order.index("layers") < order.index("models") < order.index("training") < order.index("cli")


@pytest.mark.parametrize(
    ("room", "line", "found"),
    [
        ("layers", "from sagan.models.config import ModelConfig", ["models.config.ModelConfig"]),
        ("layers", "def f():\n    import sagan.runtime", ["runtime"]),
        ("config", "from sagan.training.config import TrainingConfig", []),
        ("config", "from sagan.training.loop import run", ["training.loop.run"]),
        ("cli", "from sagan.training.reporting import Event", []),
        ("models", "from sagan import layers, runtime", ["runtime"]),
        ("data", "from sagan.dataset import x", ["dataset.x"]),
    ],
)
def test_the_check_sees_arrows(room, line, found):
    assert strays(room, ast.parse(line)) == found


def test_imports_are_absolute(modules):
    relative = [path for path, tree in modules.items() if any(name.startswith(".") for name in imported(tree))]
    assert relative == []


def test_packages_from_outside_are_the_declared_ones(modules):
    """The core at the top of a file; an extra only inside a function; nothing else anywhere."""
    known = set(sys.stdlib_module_names) | {"sagan"} | CORE
    for path, tree in modules.items():
        unknown = {name for name in imported(tree) if not within(name, known | OPTIONAL)}
        assert not unknown, f"src/sagan/{path} imports {sorted(unknown)}, which pyproject.toml does not ask for"
        early = {name for name in imported(outside_of_functions(tree)) if within(name, OPTIONAL)}
        assert not early, f"src/sagan/{path} imports the extra {sorted(early)} at its top; move it into the function"
