"""Two folders that nobody prepared anything for, from their files to a sheet of samples by one command without options.

    python benchmarks/unseen_folders.py --time 10m
    python benchmarks/unseen_folders.py flags --render-only

Both are rendered here from a seed, as mixed as folders of people are: pictures of 20 to 400 pixels, upright and wide; PNG,
JPEG, WebP and GIF; colour, grey and palette; classes with thirty times as many pictures as others; a few broken files and some
that are no pictures. `flags` are flag-like designs; `letters` are letters in the font that Pillow carries, most of them on
nothing (transparent). Then, for each, in the folder `--out`:

    sagan train FOLDER --time TIME

The sheet is the run's last grid. Writes benchmarks/results/unseen-folders.json.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from results_file import Figure, write_result

from sagan.config import from_toml
from sagan.training.reporting import read_log
from sagan.workflows.choose import choose_for
from sagan.workflows.run_folder import RunFolder, read_json

Random = np.random.Generator
Colour = tuple[int, int, int]

FLAGS = {"bands": 420, "pales": 260, "cross": 160, "disc": 90, "wedge": 45, "checks": 14}  # pictures of each
LETTERS = {"A": 190, "E": 310, "K": 60, "O": 150, "S": 120, "T": 180, "X": 10}
STRONG: tuple[Colour, ...] = (
    (206, 17, 38), (0, 85, 164), (0, 122, 61), (255, 205, 0), (255, 255, 255), (20, 20, 24), (240, 130, 30), (90, 170, 220),
)  # fmt: skip


def colours(random: Random, count: int) -> list[Colour]:
    """Different ones."""
    return [STRONG[index] for index in random.permutation(len(STRONG))[:count]]


def flag(kind: str, random: Random) -> Image.Image:
    """One design, a little larger than wide or the reverse."""
    width = int(random.integers(28, 400))
    height = max(20, int(width * random.choice([0.5, 0.6, 0.667, 0.8, 1.0, 1.3])))
    first, second, third = colours(random, 3)
    picture = Image.new("RGB", (width, height), first)
    draw = ImageDraw.Draw(picture)
    if kind == "bands":
        draw.rectangle((0, height // 3, width, 2 * height // 3), second)
        draw.rectangle((0, 2 * height // 3, width, height), third)
    elif kind == "pales":
        draw.rectangle((width // 3, 0, 2 * width // 3, height), second)
        draw.rectangle((2 * width // 3, 0, width, height), third)
    elif kind == "cross":
        x, y, arm = width * 2 // 5, height // 2, max(2, height // 9)
        draw.rectangle((x - arm, 0, x + arm, height), second)
        draw.rectangle((0, y - arm, width, y + arm), second)
    elif kind == "disc":
        radius = int(min(width, height) * random.uniform(0.25, 0.35))
        draw.ellipse((width // 2 - radius, height // 2 - radius, width // 2 + radius, height // 2 + radius), second)
    elif kind == "wedge":
        draw.rectangle((0, height // 2, width, height), second)
        draw.polygon([(0, 0), (width * 2 // 5, height // 2), (0, height)], third)
    else:
        side = max(4, min(width, height) // 4)
        for row, y in enumerate(range(0, height, side)):
            for column, x in enumerate(range(0, width, side)):
                if (row + column) % 2:
                    draw.rectangle((x, y, x + side - 1, y + side - 1), second)
    noise = random.normal(0, 4, (height, width, 1))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def letter(kind: str, random: Random) -> Image.Image:
    """One letter, turned a little; on nothing more often than on a colour."""
    side = int(random.integers(24, 300))
    ink, paper = colours(random, 2)
    clear = random.random() < 0.7
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0) if clear else (*paper, 255))
    font = ImageFont.load_default(size=max(12, int(side * random.uniform(0.65, 0.85))))
    ImageDraw.Draw(picture).text((side // 2, side // 2), kind, fill=(*ink, 255), font=font, anchor="mm")
    turned = picture.rotate(
        float(random.uniform(-15, 15)), Image.Resampling.BICUBIC, fillcolor=(0, 0, 0, 0) if clear else (*paper, 255)
    )
    return turned if clear else turned.convert("RGB")


def in_some_form(picture: Image.Image, random: Random) -> tuple[str, bytes]:
    """(suffix, bytes): as people's files come."""
    forms: list[tuple[str, str]] = [(".png", picture.mode), (".webp", picture.mode)]
    if picture.mode == "RGB":
        forms += [(".jpg", "RGB"), (".JPG", "RGB"), (".jpg", "RGB"), (".png", "P"), (".gif", "P"), (".jpg", "L")]
    suffix, mode = forms[int(random.integers(len(forms)))]
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".JPG": "JPEG"}.get(suffix, suffix[1:].upper())
    picture.convert(mode).save(buffer, format=kind)
    return suffix, buffer.getvalue()


def render(folder: Path, counts: dict[str, int], draw: Callable[[str, Random], Image.Image], seed: int) -> Path:
    """The folder with its pictures, its broken files and its odds and ends; made once."""
    if folder.exists():
        return folder
    random, last = np.random.default_rng(seed), b""
    for kind, count in counts.items():
        for number in range(count):
            suffix, last = in_some_form(draw(kind, random), random)
            path = folder / kind / f"{kind} {number:04d}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(last)
    first = folder / next(iter(counts))
    (first / "cut off.jpg").write_bytes(last[: len(last) // 2])
    (first / "empty.png").touch()
    (first / "saved page.jpg").write_bytes(b"<!doctype html><html><body>404</body></html>")
    (first / "again.png").write_bytes(sorted(first.glob("*0001*"))[0].read_bytes())
    (folder / "Thumbs.db").write_bytes(b"junk")
    (folder / "read me.txt").write_text("not a picture")
    return folder


FOLDERS: dict[str, tuple[dict[str, int], Callable[[str, Random], Image.Image], int]] = {
    "flags": (FLAGS, flag, 1),
    "letters": (LETTERS, letter, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=list(FOLDERS), help="some of " + ", ".join(FOLDERS))
    parser.add_argument("--time", default="10m", help="the one option that training gets")
    parser.add_argument("--out", type=Path, default=Path("runs/unseen"))
    parser.add_argument("--render-only", action="store_true")
    parser.add_argument("--no-record", action="store_true", help="write no results file")
    parser.add_argument("--note", default="", help="what else is to be known about the machine")
    words = parser.parse_args()
    figures: list[Figure] = []
    for name in words.folders:
        folder = render(words.out / name, *FOLDERS[name])
        if words.render_only:
            continue
        command = [sys.executable, "-m", "sagan", "train", name, "--time", words.time]
        done = subprocess.run(command, cwd=words.out, check=False)
        run = RunFolder(words.out / "runs" / f"{name}-auto")
        facts, config = read_json(run.data), from_toml(run.record)
        last = {key: value for row in read_log(run.log) for key, value in row.items()}
        grids = run.grids()
        print(f"{name}: {grids[-1]}")
        summary = choose_for({"data": str(folder), "time": words.time}).summary
        figures += [
            (f"{name}: exit code", done.returncode, "", summary),
            (
                f"{name}: pictures",
                facts["pictures"],
                "",
                f"{facts['skipped_total']} left out, {len(facts['classes'])} classes",
            ),
            (f"{name}: steps", last["step"], "", f"{config.training.batch_size} pictures each, {words.time}"),
            *(
                (
                    f"{name}: {key}",
                    round(last[key], 4),
                    "",
                    "1 is as in the real pictures" if key == "health/nearest" else "",
                )
                for key in ("health/nearest", "health/spread")
                if key in last
            ),
        ]
    if figures and not words.no_record:
        chosen = " ".join(words.folders) if words.folders != list(FOLDERS) else ""
        write_result(
            "unseen-folders",
            " ".join(f"python benchmarks/unseen_folders.py {chosen} --time {words.time}".split()),
            figures,
            seed=0,
            note=words.note,
        )


if __name__ == "__main__":
    main()
