"""The pages that map papers to code name things: every name, test, option, preset, command and link of theirs is there.

Everything is read with ast, commands with the records: pages of words must not need torch.
"""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from sagan.config import RunConfig, difference
from sagan.errors import ConfigError
from sagan.presets import preset

PAPER, LINEAGE = "from-paper-to-code.md", "lineage.md"
PAGES = pytest.mark.parametrize("page", [PAPER, LINEAGE])

NAME = re.compile(r"`(sagan(?:\.\w+)+)`")
TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)*)`")
LINK = re.compile(r"\[`(sagan[\w.]+)`\]\(([\w/.-]+)(?:#([\w.]+))?\)")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
PRESET = re.compile(r"(?<![\w/.-])((?:w?gan|wgan-gp|sngan|sagan|heykeetae)-\d+(?:-[a-z]+)?)(?![\w-])")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
RECORDS = ("config/record.py", "data/config.py", "models/config.py", "training/config.py", "cli/verbs.py")


def read(root: Path, page: str) -> str:
    return (root / "docs" / page).read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def targets(statement: ast.stmt) -> list[ast.expr]:
    """What an assignment assigns to, tuples taken apart."""
    if isinstance(statement, ast.AnnAssign):
        return [statement.target]
    whole = statement.targets if isinstance(statement, ast.Assign) else []
    return [part for one in whole for part in (one.elts if isinstance(one, ast.Tuple) else [one])]


def members(node: ast.AST) -> dict[str, ast.AST]:
    """What a module or a class defines, by name; of a class also what its methods assign to self."""
    if not isinstance(node, (ast.Module, ast.ClassDef)):
        return {}
    found: dict[str, ast.AST] = {}
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[child.name] = child
        found |= {target.id: child for target in targets(child) if isinstance(target, ast.Name)}
    if isinstance(node, ast.ClassDef):
        for child in ast.walk(node):
            for target in targets(child) if isinstance(child, ast.stmt) else []:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    found.setdefault(target.attr, child)
    return found


def module_and_rest(root: Path, name: str) -> tuple[Path, str, list[str]]:
    """The file of a dotted name, the module's name, and what is left of it: sagan.a.b.C.d -> (.../b.py, sagan.a.b, [C, d])."""
    parts, path, used = name.split("."), root / "src", []
    while parts and (path / parts[0]).is_dir():
        path, used = path / parts[0], [*used, parts.pop(0)]
    if parts and (path / f"{parts[0]}.py").is_file():
        return path / f"{parts[0]}.py", ".".join([*used, parts[0]]), parts[1:]
    return path / "__init__.py", ".".join(used), parts


def find(root: Path, name: str) -> ast.AST | None:
    """The definition that a dotted name names; None when there is none."""
    path, _, rest = module_and_rest(root, name)
    node: ast.AST | None = parsed(path) if path.is_file() else None
    for part in rest:
        node = None if node is None else members(node).get(part)
    return node


def is_test(root: Path, name: str) -> bool:
    """Whether `tests/x.py::TestX::test_y` is a test that pytest collects; a file without `::` only has to exist."""
    file, *parts = name.split("::")
    path = root / file
    if not path.is_file() or not parts:
        return path.is_file()
    node: ast.AST | None = parsed(path)
    for part in parts:
        node = None if node is None else members(node).get(part)
    groups = all(part.startswith("Test") for part in parts[:-1])
    return groups and isinstance(node, ast.FunctionDef) and parts[-1].startswith("test_")


def leads_somewhere(root: Path, name: str, page: str, anchor: str) -> bool:
    """Whether an API page documents that name, under that anchor if there is one: the name's own, or of what holds it."""
    path = root / "docs" / page
    _, module, _ = module_and_rest(root, name)
    if not path.is_file() or f"::: {module}\n" not in path.read_text(encoding="utf-8") + "\n":
        return False
    if not anchor:
        return True
    node = find(root, anchor)
    documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None
    return documented and f"{name}.".startswith(f"{anchor}.") and f"{anchor}.".startswith(f"{module}.")


def rows(text: str) -> list[tuple[list[str], list[str]]]:
    """Every row of every table as (the table's columns, the row's cells)."""
    found, columns = [], None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else None
        if cells is None:
            columns = None
        elif columns is None:
            columns = cells
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            found.append((columns, cells))
    return found


def options(root: Path) -> set[str]:
    """Every option of the records and of the verbs, as on the command line."""
    found = set()
    for file in RECORDS:
        for node in parsed(root / "src" / "sagan" / file).body:
            for name, child in members(node).items():
                if isinstance(child, ast.AnnAssign):
                    found.add(name.replace("_", "-"))
    return found | {f"no-{name}" for name in found} | {"help"}


def results_of_presets(root: Path) -> dict[str, str]:
    """Every preset's name and where its result stands."""
    found = {}
    for path in sorted((root / "src" / "sagan" / "presets").glob("*.py")):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Preset":
                words = {keyword.arg: keyword.value for keyword in node.keywords}
                found[ast.literal_eval(words["name"])] = ast.literal_eval(words["result"])
    return found


@PAGES
def test_every_name_is_in_the_code(root, page):
    names = NAME.findall(read(root, page))
    assert len(names) > (60 if page == PAPER else 5)
    assert sorted({name for name in names if find(root, name) is None}) == []


@PAGES
def test_every_test_is_there(root, page):
    tests = TEST.findall(read(root, page))
    assert len(tests) > (80 if page == PAPER else 15)
    assert sorted({name for name in tests if not is_test(root, name)}) == []


@PAGES
def test_every_row_that_should_name_a_test_does(root, page):
    lines = [(columns, cells) for columns, cells in rows(read(root, page)) if columns[-1] == "test"]
    assert len(lines) > (50 if page == PAPER else 10)
    assert [cells[0] for columns, cells in lines if len(cells) != len(columns) or not TEST.search(cells[-1])] == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_equation_has_a_row(root, number):
    found = [
        cells
        for columns, cells in rows(read(root, PAPER))
        if columns == ["paper", "says", "here", "test"] and re.match(rf"Eq\. {number}\b", cells[0])
    ]
    assert found
    for cells in found:
        assert NAME.search(cells[2]) and TEST.search(cells[3]), cells[0]


@PAGES
def test_every_link_to_the_api_leads_somewhere(root, page):
    links = LINK.findall(read(root, page))
    assert links
    assert [link for link in links if not leads_somewhere(root, *link)] == []


@PAGES
def test_every_option_and_preset_is_one(root, page):
    code = "\n".join(CODE.findall(read(root, page)))
    assert sorted(set(OPTION.findall(code)) - options(root)) == []
    assert set(PRESET.findall(code)) <= set(results_of_presets(root))
    assert PRESET.findall(code)


def record(line: str) -> RunConfig:
    """The record that a `sagan train` command of a page describes."""
    words, rest = {}, shlex.split(line)[2:]
    while rest:
        name = rest.pop(0).removeprefix("--").replace("-", "_")
        if name.startswith("no_"):
            words[name.removeprefix("no_")] = False
        else:
            value = rest.pop(0)
            words[name] = int(value) if value.isdigit() else value
    return preset(words.pop("preset"), **words)


def commands(text: str) -> list[str]:
    """Every whole `sagan train` command of a page, in a block or between backticks."""
    return [line for line in re.findall(r"^`*(?:\|[^|]*\| `)?(sagan train --[^`\n]+)", text, re.M)]


def test_every_command_of_the_lineage_is_a_run_of_its_own(root):
    lines = commands(read(root, LINEAGE))
    runs = [record(line) for line in lines]
    assert len(runs) >= 12
    assert {run.preset for run in runs} >= {"gan-32", "wgan-32", "wgan-gp-32", "sngan-32", "sagan-32"}
    for number, (line, run) in enumerate(zip(lines, runs, strict=True)):
        others = [other for place, other in enumerate(runs) if place != number]
        assert all(difference(run, other) for other in others), line
        if "--out" in line:  # one thing is changed, and it really differs from the preset
            assert {change.name for change in difference(preset(run.preset), run)} > {"out"}, line


def test_the_lineage_has_the_places_that_presets_point_to(root):
    text = read(root, LINEAGE)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    wanted = {
        result.split("#")[1] for result in results_of_presets(root).values() if result.startswith(f"docs/{LINEAGE}#")
    }
    assert len(wanted) >= 4 and wanted <= anchors
    assert text.count("<!-- begin: lineage -->") == text.count("<!-- end: lineage -->") == 1


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("sagan.layers.attention", True),
        ("sagan.layers.attention.SelfAttention2d.forward", True),
        ("sagan.layers.attention.SelfAttention2d.gamma", True),  # assigned to self
        ("sagan.layers.attention.ATTENTION", True),
        ("sagan.presets", True),
        ("sagan.layers.attention.SelfAttention2d.sigma", False),
        ("sagan.layers.attention.SelfAttention3d", False),
        ("sagan.layers.atention.SelfAttention2d", False),
        ("sagan.models.generator", False),
        ("sagan.layers.attention.SelfAttention2d.forward.x", False),
    ],
)
def test_the_watch_for_names_sees(root, name, verdict):
    assert (find(root, name) is not None) is verdict


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("tests/layers/test_attention.py::TestGate::test_at_zero_only_gamma_learns", True),
        ("tests/losses/test_adversarial.py::test_by_hand", True),
        ("tests/faults/plant.py", True),
        ("tests/layers/test_attention.py::test_at_zero_only_gamma_learns", False),  # it is in a class
        ("tests/layers/test_attention.py::TestGate::test_at_zero_nothing_learns", False),
        ("tests/layers/test_attention.py::TestGate", False),
        ("tests/layers/test_attention.py::reference", False),
        ("tests/layers/test_atention.py", False),
    ],
)
def test_the_watch_for_tests_sees(root, name, verdict):
    assert is_test(root, name) is verdict


FORWARD = "sagan.layers.attention.SelfAttention2d.forward"


@pytest.mark.parametrize(
    ("name", "page", "anchor", "verdict"),
    [
        (FORWARD, "api/layers.md", FORWARD, True),
        (FORWARD, "api/layers.md", "sagan.layers.attention.SelfAttention2d", True),
        (FORWARD, "api/layers.md", "", True),
        (FORWARD, "api/layers.md", "sagan.layers.spectral", False),
        (FORWARD, "api/layers.md", "sagan.layers.attention.ATTENTION", False),  # has no docstring, so no place
        (FORWARD, "api/training.md", FORWARD, False),
        (FORWARD, "api/leyers.md", "", False),
    ],
)
def test_the_watch_for_links_sees(root, name, page, anchor, verdict):
    assert leads_somewhere(root, name, page, anchor) is verdict


def test_the_watch_for_commands_sees():
    lines = commands("```bash\nsagan train --preset gan-32\n```\n| a? | `sagan train --preset sagan-32 --g-attn 0` |\n")
    assert lines == ["sagan train --preset gan-32", "sagan train --preset sagan-32 --g-attn 0"]
    assert record(lines[1]).model.g_attn == ()
    for line in (
        "sagan train --preset gan-32 --gp 10",
        "sagan train --preset gan-33",
        "sagan train --preset gan-32 --x 1",
    ):
        with pytest.raises(ConfigError):
            record(line)


def test_the_watch_for_rows_options_and_presets_sees(root):
    text = "| paper | test |\n|---|---|\n| Eq. 1 | `tests/x.py` |\n\n| a |\n|---|\n| b |\n"
    assert rows(text) == [(["paper", "test"], ["Eq. 1", "`tests/x.py`"]), (["a"], ["b"])]
    known = options(root)
    assert {"g-lr", "no-g-sn", "preset", "at", "mirror"} <= known and "glr" not in known
    assert OPTION.findall("sagan train --g-lr 1e-4 --no-g-sn a-b--c") == ["g-lr", "no-g-sn"]
    assert PRESET.findall("`wgan-gp-32` runs/x-sagan-32 sagan-32-small lineage-gan-32.png") == [
        "wgan-gp-32",
        "sagan-32-small",
    ]
    assert {"gan-32", "sagan-128-paper", "demo"} <= set(results_of_presets(root))
