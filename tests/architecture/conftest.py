"""What the tests of the architecture share: the repository's files, parsed once."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> dict[str, ast.Module]:
    """Every file of the package, parsed: 'layers/attention.py' -> its tree."""
    source = ROOT / "src" / "sagan"
    return {
        path.relative_to(source).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(source.rglob("*.py"))
    }


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """The files that git keeps or would keep; outside a checkout, everything but environments and caches."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    made = re.compile(r"(site|dist|runs|__pycache__|\.(?!ci$|gitignore$).*)")
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not any(made.fullmatch(part) for part in path.relative_to(ROOT).parts)]
