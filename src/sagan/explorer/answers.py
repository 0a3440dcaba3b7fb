"""What goes back: files of pictures and arrays, pages, and errors as one line."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.errors import (
    CheckpointError,
    CheckpointMissing,
    ConfigError,
    DataError,
    ResourceError,
    SaganError,
    printable,
)
from sagan.visualise.channels import as_image

Pixels = NDArray[np.uint8]
COLUMNS = 8  # of a sheet
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
MEDIA = {"png": "image/png", "webp": "image/webp", "npz": "application/octet-stream"}


def response(content: bytes, media_type: str, **headers: str) -> Any:
    """A plain answer with 200."""
    from starlette.responses import Response

    return Response(content, media_type=media_type, headers=headers)


def failure(status: int, detail: str, **headers: str) -> Any:
    """An answer that says in one line why there is none."""
    from starlette.responses import JSONResponse

    # It may repeat a word of the request, which may hold anything.
    return JSONResponse({"detail": printable(detail)}, status_code=status, headers=headers)


def status_of(error: SaganError) -> int:
    """The HTTP status of one of our errors."""
    kinds = {CheckpointMissing: 404, CheckpointError: 409, ConfigError: 400, DataError: 400, ResourceError: 503}
    return next((status for kind, status in kinds.items() if isinstance(error, kind)), 500)


def sentence(error: SaganError) -> str:
    """What is wrong and what to do; not where, which is a path of this machine."""
    return f"{error.what}{'' if error.what.endswith(('.', '?', '!')) else '.'} {error.remedy or ''}".strip()


def picture_file(picture: Pixels, form: str) -> bytes:
    """(R, R, C) as a PNG or a lossless WebP file."""
    buffer = io.BytesIO()
    image = as_image(picture)
    if form == "webp":
        image.save(buffer, format="WEBP", lossless=True, quality=50, exact=True)
    else:
        image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def sheet_file(pictures: Pixels, form: str = "png", columns: int = COLUMNS) -> bytes:
    """(n, R, R, C) side by side without gaps, `columns` in a row, as one file."""
    count, side, _, channels = pictures.shape
    wide = min(columns, count)
    high = -(-count // wide)
    sheet = np.zeros((high * side, wide * side, channels), dtype=np.uint8)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, wide)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
    return picture_file(sheet, form)


def array_file(pictures: Pixels, seeds: Sequence[int], labels: NDArray[np.int64]) -> bytes:
    """An npz file as `sagan sample --format npz` writes it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, pictures=pictures, seeds=np.asarray(seeds, dtype=np.int64), labels=labels)
    return buffer.getvalue()


def listed(
    pictures: Pixels, seeds: Sequence[int], labels: Sequence[int], names: Sequence[str], form: str
) -> dict[str, Any]:
    """Several pictures as JSON; see `messages.Generated`."""
    entries = [
        {
            "seed": seed,
            "label": label,
            "name": names[label] if names else None,
            "data": base64.b64encode(picture_file(picture, form)).decode("ascii"),
        }
        for picture, seed, label in zip(pictures, seeds, labels, strict=True)
    ]
    return {"media_type": MEDIA[form], "pictures": entries}


def pages() -> Mapping[str, tuple[bytes, str]]:
    """The files of the page by name, with their types: read once, so that no request ever names a file."""
    found = {}
    for file in (files("sagan.explorer") / "static").iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in TYPES:
            found[file.name] = (file.read_bytes(), TYPES[suffix])
    return found
