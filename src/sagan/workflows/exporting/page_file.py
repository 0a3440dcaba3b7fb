"""An export as one HTML file that draws in the browser: a page, its scripts, and the numbers of `data_file` as text.

The scripts compute the network themselves (page/network.js; the matrix products in WebAssembly, page/kernel.js). The usual
runtime, onnxruntime-web, would add a dozen MiB of somebody else's build to each page, and could not be opened from a folder:
browsers let no page of a file:// address fetch a .wasm file or import a module. This page needs no server, no network and no
installation: a double click opens it.

A strict content security policy names the one script by its hash; the page can reach no address at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files as resources
from pathlib import Path

from sagan.checkpoint.manifest import library_version
from sagan.checkpoint.tensors import pack
from sagan.engines.fold import Folded
from sagan.engines.recipe import Recipe, recipe
from sagan.errors import CheckpointCorrupt, CheckpointIncompatible, ConfigError
from sagan.workflows.exporting.comparing import Draw
from sagan.workflows.exporting.data_file import open_numbers
from sagan.workflows.exporting.record import ExportRecord

PAGE = ".html"
LARGEST = 128 << 20  # bytes of numbers: as text a third more, and a copy for each of the page's workers
OURS, EXPLORERS = "sagan.workflows.exporting", "sagan.explorer"
POLICY = (
    "default-src 'none'; script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
)
MODULES = {  # in the order in which one file needs what stands before it
    "worker": ("latents.js", "kernel.js", "network.js", "worker.js"),
    "script": ("latents.js", "pool.js", "attention.js", "stage.js", "page.js"),
}
IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z]+\.js";\n', re.M)
GENERATOR = re.compile(r'<script type="text/plain" id="generator">([A-Za-z0-9+/=]*)</script>')


def require() -> None:
    """Nothing but the package itself is needed."""


def make(
    folded: Folded, record: ExportRecord, where: Path, content: Recipe | None = None
) -> tuple[dict[str, bytes], Recipe]:
    """The page by suffix, and the recipe, to be given back when only the record changes.

    Raises ConfigError for a generator whose numbers are too many for a page.
    """
    content = content or recipe(folded)
    count = sum(4 * tensor.numel() for tensor in content.tensors.values())
    if count > LARGEST:
        raise ConfigError(
            f"this generator has {count / 2**20:.0f} MiB of numbers, and a page takes {LARGEST >> 20}",
            remedy="Use --to onnx, or train a narrower network (--g-ch).",
        )
    record = record.model_copy(update={"operations": tuple(content.operations)})
    return {PAGE: render(record, pack(content.tensors, record.facts())).encode()}, content


def open_files(files: Mapping[str, bytes], where: Path, threads: int) -> tuple[ExportRecord, Draw]:
    """The record, and what draws: the page's numbers by our own means; that its scripts draw the same is a test's matter.

    The page around the numbers must be the one this version writes, byte for byte. Raises CheckpointCorrupt,
    CheckpointIncompatible.
    """
    page = files[PAGE].decode("utf-8", "replace")
    found = GENERATOR.findall(page)
    if len(found) != 1:
        raise CheckpointIncompatible(
            "not a page of sagan export", where=where, remedy="Name a file that sagan export wrote."
        )
    try:
        payload = base64.b64decode(found[0])
    except ValueError:
        raise CheckpointCorrupt("its numbers are no base64", where=where, remedy="Export it again.") from None
    record, draw = open_numbers(payload, "web", where)
    if render(record, payload) != page:
        same = record.library == library_version()
        what = "the page around its numbers was changed" if same else f"its page was written by sagan {record.library}"
        raise CheckpointCorrupt(what, where=where, remedy="Export it again.")
    return record, draw


def render(record: ExportRecord, payload: bytes) -> str:
    """The page. payload: the safetensors file with the record."""
    script = bundle(MODULES["script"])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    facts = {
        "classes": list(record.classes),
        "resolution": record.model.resolution,
        "channels": record.model.channels,
        "attention": list(record.attention),
    }
    parts = {
        "policy": POLICY.format(digest=digest),
        "title": escape(_title(record)),
        "icon": base64.b64encode(_resource(EXPLORERS, "icon.svg").encode()).decode("ascii"),
        "style": _resource(EXPLORERS, "style.css") + _resource(OURS, "page.css"),
        "rows": "".join(
            f"        <dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in _rows(record, payload)
        ),
        "facts": json.dumps(facts, sort_keys=True).replace("<", "\\u003c"),
        "worker": bundle(MODULES["worker"]),
        "generator": base64.b64encode(payload).decode("ascii"),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource(OURS, "page.html"))


def bundle(names: Sequence[str]) -> str:
    """Modules as one script: their imports of each other taken out, since all stand in one scope."""
    texts = [_resource(EXPLORERS if name in ("attention.js", "stage.js") else OURS, name) for name in names]
    plain = [re.sub(r"^export ", "", IMPORT.sub("", text), flags=re.M) for text in texts]
    return "\n".join(plain)


def _resource(package: str, name: str) -> str:
    """A file of the page: our own, or the explorer's, so that both look alike and compute maps the same."""
    folder = resources(package) / ("static" if package == EXPLORERS else "page")
    return (folder / name).read_text(encoding="utf-8")


def _title(record: ExportRecord) -> str:
    return record.data_name or f"{record.model.resolution}x{record.model.resolution} pictures"


def _rows(record: ExportRecord, payload: bytes) -> list[tuple[str, str]]:
    side = record.model.resolution
    return [
        ("pictures", f"{side}x{side}, {len(record.classes) or 'no'} classes"),
        ("trained for", f"{record.step:,} steps"),
        ("numbers", f"{len(payload) / 2**20:.1f} MiB"),
        ("made by", f"sagan {record.library}"),
    ]
