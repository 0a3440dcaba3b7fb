"""A run's picture grids, one after the other: the verb `sagan timelapse`."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sagan.disk import disk_errors, read_whole, write_atomic
from sagan.errors import CheckpointMissing, ConfigError, DataError
from sagan.visualise.film import encode_film, require_film
from sagan.visualise.grid import MARGIN
from sagan.visualise.lettering import draw_text
from sagan.visualise.palette import BACKGROUND, INK
from sagan.workflows.run_folder import RunFolder

LETTER = 18
BAND = LETTER + 2 * MARGIN
REST = 2.0  # seconds that the last grid stays
MAX_SIDE = 8192
MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class TimelapseResult:
    """What was written, and from how many grids."""

    path: Path
    grids: int


def timelapse(run: str | Path, *, fps: float = 8.0, most: int = 240, out: Path | None = None) -> TimelapseResult:
    """Show how a run's pictures came to be, as a film (.gif, .webp, .apng, .mp4), each grid under its step.

    fps: grids a second.  most: that many grids at most, spread evenly over the run; the first and the last stay.
    Raises CheckpointMissing for a folder without grids, DataError for a damaged one, ConfigError.
    """
    target = out or Path("timelapse.gif")
    if not 0.1 <= fps <= 60 or most < 2:
        raise ConfigError(f"fps is {fps:g}, most {most}", remedy="Use 0.1 to 60 grids a second, and at least two.")
    grids = RunFolder(Path(run)).grids()
    if not grids:
        remedy = "Name the folder of a run that was trained with --sample-every above 0."
        raise CheckpointMissing("there are no grids of pictures here", where=run, remedy=remedy)
    chosen = [
        grids[place] for place in np.unique(np.linspace(0, len(grids) - 1, min(most, len(grids))).round().astype(int))
    ]
    width, height = _open(chosen[-1]).size
    require_film(target.suffix, len(chosen) + int(REST * fps), width, height + BAND)
    frames = [_frame(path, (width, height)) for path in chosen]
    frames += [frames[-1]] * int(REST * fps)
    write_atomic(target, encode_film(frames, target.suffix, fps))
    return TimelapseResult(target, len(chosen))


def _frame(path: Path, size: tuple[int, int]) -> np.typing.NDArray[np.uint8]:
    """A grid under a line with its step; of another size (an older arrangement), in the corner."""
    sheet = Image.new("RGB", (size[0], size[1] + BAND), BACKGROUND)
    sheet.paste(_open(path), (0, BAND))
    step = int(path.stem.removeprefix("step-"))
    draw_text(ImageDraw.Draw(sheet), (MARGIN, BAND / 2 + MARGIN / 2), f"step {step:,}", LETTER, colour=INK)
    return np.asarray(sheet)


def _open(path: Path) -> Image.Image:
    with disk_errors(path):
        payload = read_whole(path, max_bytes=MAX_BYTES)
    try:
        with Image.open(io.BytesIO(payload), formats=["PNG"]) as image:
            if max(image.size) > MAX_SIDE:
                raise DataError(f"this grid is {image.width}x{image.height}", where=path, remedy="Remove it.")
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:  # what Pillow says of torn PNG files
        raise DataError(f"this grid is damaged ({error})", where=path, remedy="Remove it.") from None
