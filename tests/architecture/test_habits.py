"""Habits that a machine can watch: file length, who prints, who reads the environment, tests that assert."""

from __future__ import annotations

import ast

import pytest

MOST_LINES = 400
PRINTS = {"print", "sys.stdout", "sys.stderr", "rich.print"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv", "os.environb"}
CHECKS = ("raises(", "warns(", "assert_", "gradcheck(", "expect(", "regression")


def names_used(tree: ast.AST) -> set[str]:
    """Plain and dotted names in the code, `from os import environ` counting as os.environ."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def asserts_something(test: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(test)) or any(
        word in ast.unparse(test.body) for word in CHECKS
    )


def test_no_file_is_too_long(root):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (root / "src").rglob("*.py")}
    assert {str(path.relative_to(root)): n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_only_the_command_line_prints(modules):
    for path, tree in modules.items():
        if not path.startswith("cli/"):
            assert not names_used(tree) & PRINTS, f"src/sagan/{path}"


def test_only_runtime_reads_the_environment(modules):
    for path, tree in modules.items():
        if path.split("/")[0].removesuffix(".py") != "runtime":
            assert not names_used(tree) & ENVIRONMENT, f"src/sagan/{path}"


def test_every_test_asserts_something(root):
    silent = [
        f"{path.relative_to(root)}:{node.lineno} {node.name}"
        for path in sorted((root / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
        and not asserts_something(node)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("assert x == 1", True),
        ("with pytest.raises(ValueError):\n        f()", True),
        ("torch.testing.assert_close(a, b)", True),
        ("f()", False),
        ("print(f() == 1)", False),
    ],
)
def test_the_watch_for_assertions_sees(body, verdict):
    function = ast.parse(f"def test_x():\n    {body}").body[0]
    assert asserts_something(function) is verdict
