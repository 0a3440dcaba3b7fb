"""The documents that travel with the code: nothing of one machine in them, links that lead somewhere, one version."""

from __future__ import annotations

import re

import pytest

import sagan

MACHINE = re.compile(r"(?:^|[^\w.])/(?:work|farm|root|opt/pypi|home/\w+|Users/\w+)(?=[/\s\"'`]|$)")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|artifactory|nexus\.|devpi|index[-_]url|find[-_]links|/simple/",
    re.I,
)
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def faulty_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if MACHINE.search(line) or REGISTRY.search(line)]


def test_no_file_names_a_machine_or_a_registry(root, repository_files):
    found = {}
    for path in repository_files:
        payload = path.read_bytes()
        if b"\0" not in payload[:4096] and (lines := faulty_lines(payload.decode("utf-8", "replace"))):
            found[str(path.relative_to(root))] = lines
    found.pop("tests/architecture/test_documents.py", None)  # the words themselves stand here
    assert found == {}


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("cd /" + "work/main", True),
        ("path = '/" + "root/.cache'", True),
        ("open /home/someone/x", True),
        ("pip install --index-url somewhere", True),
        ("https://" + "pypi.org/project/x", True),
        ("make the framework/work tree", False),
        ("GET /images/7", False),
        ("see docs/start.md", False),
    ],
)
def test_the_watch_for_machines_sees(line, verdict):
    assert bool(faulty_lines(line)) is verdict


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root, page):
    targets = LINK.findall((root / page).read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (root / target).exists()]
    assert missing == []


def test_the_tree_in_the_readme_is_the_tree(root):
    """Every folder and file that README.md draws exists, and every room of the package is drawn."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    tree = readme.split("```text\n")[1].split("```")[0]
    drawn, folders = [], []
    for line in tree.splitlines():
        match = re.match(r"^((?:│   |    )*)(?:├── |└── )(\S+)", line)
        if match:
            folders = folders[: len(match[1]) // 4] + [match[2].rstrip("/")]
            drawn.append("/".join(folders))
    assert len(drawn) > 20
    assert [path for path in drawn if not (root / path).exists()] == []
    rooms = {path.name for path in (root / "src" / "sagan").iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms = {name for name in rooms if not name.startswith("__")}
    assert {f"src/sagan/{room}" for room in rooms} - set(drawn) == set()


def test_the_changelog_has_a_place_for_the_next_change(root):
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", text, re.M)


def test_the_citation_names_the_version(root):
    text = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(sagan.__version__)}$", text, re.M)
