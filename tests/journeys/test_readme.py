"""Every command in README.md, and of the page for people with pictures, runs in the order in which it stands there, in an
empty folder with some pictures in it.

The commands are taken as printed and made small by the table below, so that all of them take seconds. The `make` lines
are left out: one is the demo itself, the other would run this test again.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NOT_RUN = ("make", "source")  # setting up; `sagan` itself is run through this interpreter

# Options that make a command small, by its verb. They replace the README's values; one that stands only here is added.
SMALL = {
    "train": {"--steps": "2", "--g-ch": "16", "--d-ch": "16", "--batch-size": "8"},
    "sample": {"-n": "4"},
    "attend": {},
    "data": {},
}
OWN_PICTURES = {name: SMALL[name] for name in ("train", "sample", "data")} | {
    "export": {},
    "leak": {"-n": "8"},
    "doctor": {},
}
LONGER = {"--steps": "4"}  # where the README itself names a number of steps, it means: longer than before


def commands(text: str) -> list[list[str]]:
    """The commands in the bash blocks of a Markdown text, as words."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def made_small(words: list[str], table: dict[str, dict[str, str]] = SMALL) -> list[str]:
    """A `sagan` command with the options of the table in place of its own."""
    options = dict(table[words[1]])
    if "--steps" in words:
        options |= LONGER
    kept = list(words)
    for name in options:
        if name in kept:
            place = kept.index(name)
            del kept[place : place + 2]
    return kept + [word for pair in options.items() for word in pair]


def run_sagan(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `sagan ...` in `folder`, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    code = "import sys; sys.argv[0] = 'sagan'; from sagan.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )


def make_photos(folder: Path, count: int = 24) -> None:
    """Two classes of small pictures of unequal sides."""
    random = np.random.default_rng(5)
    for number in range(count):
        path = folder / ("boats" if number % 2 else "barns") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40 + number, 52, 3), dtype=np.uint8)).save(path)


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_runs(tmp_path):
    make_photos(tmp_path / "photos")
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    ours = [words for words in found if words[0] not in NOT_RUN]
    assert {words[1] for words in ours} == set(SMALL), (
        "a verb of the README has no line in the table, or the other way round"
    )
    for words in ours:
        assert words[0] == "sagan", f"{shlex.join(words)}: not a command of ours; extend NOT_RUN if it only sets up"
        small = made_small(words)
        done = run_sagan(small, tmp_path)
        told = f"{shlex.join(words)}\nrun as: {shlex.join(small)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert "Traceback" not in done.stderr, told
        if "-o" in words:
            with Image.open(tmp_path / words[words.index("-o") + 1]) as picture:
                assert min(picture.size) >= 32, told
        if "--dry-run" in words:
            assert not (tmp_path / words[words.index("--out") + 1]).exists(), "a dry run leaves nothing behind"
    run = tmp_path / "runs" / "photos"
    assert {path.name for path in run.glob("checkpoints/step-*")} >= {"step-00000002", "step-00000004"}
    for name in ("run.toml", "data.json", "environment.json", "log.jsonl", "curves.png", "report.html"):
        assert (run / name).stat().st_size > 0


def read_page() -> list[list[str]]:
    return commands((ROOT / "docs" / "own-pictures.md").read_text(encoding="utf-8"))


def test_every_command_of_the_page_is_known():
    """Its verbs and options, without running it: that takes a minute, and is done at night."""
    found = read_page()
    assert {words[1] for words in found} == set(OWN_PICTURES) and all(words[0] == "sagan" for words in found)
    listed = (ROOT / "tests" / "cli" / "options.txt").read_text(encoding="utf-8").split()
    for words in found:
        if words[1] == "train":
            assert {word for word in words if word.startswith("--")} <= set(listed)


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_every_command_of_the_page_runs(tmp_path):
    make_photos(tmp_path / "photos", 100)  # fewer are too few to look for copies
    for words in read_page():
        target = tmp_path / words.pop() if ">" in words else None
        small = made_small([word for word in words if word != ">"], OWN_PICTURES)
        done = run_sagan(small, tmp_path)
        told = f"{shlex.join(small)}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0 and "Traceback" not in done.stderr, told
        if target is not None:
            target.write_text(done.stdout, encoding="utf-8")
    assert run_sagan(["sagan", "train", "--config", "photos.toml", "--out", "x", "--dry-run"], tmp_path).returncode == 0
    for name in ("data-check.png", "grid.png", "photos.html", "photos.toml", "runs/photos/report.html"):
        assert (tmp_path / name).stat().st_size > 0, name


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sagan train photos/", "sagan train photos/ --steps 2 --g-ch 16 --d-ch 16 --batch-size 8"),
        ("sagan train x --steps 200000  # longer", "sagan train x --g-ch 16 --d-ch 16 --batch-size 8 --steps 4"),
        ("sagan sample x -n 64 -o grid.png", "sagan sample x -o grid.png -n 4"),
    ],
)
def test_commands_are_made_small(line, expected):
    (words,) = commands(f"text\n\n```bash\n{line}\n```\n")
    assert sorted(made_small(words)) == sorted(expected.split())
