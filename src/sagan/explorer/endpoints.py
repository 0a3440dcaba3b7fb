"""One method an address. Each reads a message, asks the renderer, waits for it under a deadline and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from sagan import __version__
from sagan.errors import CheckpointMissing, ConfigError
from sagan.explorer.answers import MEDIA, array_file, failure, listed, pages, picture_file, response, sheet_file
from sagan.explorer.live import grid_file, run_facts
from sagan.explorer.messages import Figure, Generate, Grid, Look, Rows
from sagan.explorer.renderer import Renderer, Subject
from sagan.explorer.scene import Scene
from sagan.explorer.tally import Tally
from sagan.explorer.uploads import Uploads
from sagan.explorer.worker import DEADLINE, TooLate
from sagan.visualise.palette import QUERY_COLOURS
from sagan.workflows.run_folder import RunFolder

Result = TypeVar("Result")
Step = Annotated[int, Field(ge=0, lt=10**12)]


class Endpoints:
    """What can be asked of one renderer."""

    def __init__(self, renderer: Renderer, tally: Tally) -> None:
        self._renderer, self._tally = renderer, tally
        self._uploads = Uploads(renderer.recipe)
        self._pages = pages()

    async def page(self) -> Any:
        return response(*self._pages["index.html"])

    async def static(self, name: str) -> Any:
        if name not in self._pages:
            return failure(404, "there is no such page")
        return response(*self._pages[name])

    async def icon(self) -> Any:
        """The page's icon, at the address that browsers ask for by themselves."""
        return await self.static("icon.svg")

    async def health(self) -> Any:
        """Whether the server answers; the model is not touched."""
        return {"status": "ok"}

    async def metrics(self) -> Any:
        """Counts in the text format of Prometheus."""
        return response(self._tally.text(self._renderer.worker.waiting).encode(), "text/plain; version=0.0.4")

    async def facts(self) -> Any:
        """What is served: sizes, class names, checkpoints, attention layers."""
        return await asyncio.to_thread(self._facts)

    async def run(self) -> Any:
        """How the run goes: its log as columns, its grids. 404 without a run."""
        return await asyncio.to_thread(run_facts, self._run())

    async def run_grid(self, step: Step) -> Any:
        """The grid that training drew at a step, as a PNG file."""
        return response(await asyncio.to_thread(grid_file, self._run(), step), "image/png")

    async def generate(self, asked: Generate) -> Any:
        """Pictures of seeds. One picture is a file; several are JSON, one sheet, or an npz file."""
        names = self._renderer.classes
        labels: Sequence[str | int] | None
        if asked.classes is None:
            labels = None
        elif isinstance(asked.classes, list):
            labels = asked.classes
        else:
            labels = [asked.classes] * len(asked.seeds)
        if labels is not None and len(labels) != len(asked.seeds):
            raise ConfigError(
                f"{len(labels)} classes for {len(asked.seeds)} seeds", remedy="Give one, or one for each seed."
            )
        future = self._renderer.draw(
            asked.checkpoint, asked.seeds, labels, truncation=asked.truncation, exact=asked.exact
        )
        pictures, numbers = await _result(future)
        if asked.format == "npz":
            content = await asyncio.to_thread(array_file, pictures, asked.seeds, numbers)
            return response(content, MEDIA["npz"])
        if asked.arrange == "sheet":
            return response(await asyncio.to_thread(sheet_file, pictures, asked.format), MEDIA[asked.format])
        if len(pictures) == 1:
            return response(await asyncio.to_thread(picture_file, pictures[0], asked.format), MEDIA[asked.format])
        return await asyncio.to_thread(listed, pictures, asked.seeds, numbers.tolist(), names, asked.format)

    async def grid(self, asked: Grid) -> Any:
        """Up to 16 pictures as one PNG sheet, 4 in a row; the header x-sagan-labels has their classes' numbers.

        Their scenes are kept for /api/v1/scene.
        """
        subjects = [Subject(asked.checkpoint, seed, asked.label, asked.truncation) for seed in asked.seeds]
        scenes = await _result(self._renderer.scenes(subjects))
        pictures = np.stack([scene.picture for scene in scenes])
        labels = ",".join(str(self._renderer.label(asked.label, seed)) for seed in asked.seeds)
        content = await asyncio.to_thread(sheet_file, pictures, "png", 4)
        return response(content, MEDIA["png"], **{"x-sagan-labels": labels})

    async def scene(self, asked: Look) -> Any:
        """One picture and what the attention on it is made of, as a safetensors file (docs/explore.md)."""
        scene = await self._scene(asked)
        facts: dict[str, Any] = {"network": asked.network, "command": None, "words": "an uploaded picture"}
        if asked.picture is None:
            subject = _subject(asked)
            entries = {entry.id: entry.path for entry in self._renderer.shelf.entries()}
            path = entries.get(asked.checkpoint or "", self._renderer.shelf.source)
            facts["words"] = self._renderer.words(subject)
            facts["command"] = self._renderer.command(subject, path) if asked.network == "G" else None
            facts["label"] = self._renderer.label(asked.label, asked.seed)
        return response(await _result(self._renderer.packed(scene, facts)), "application/octet-stream")

    async def attention(self, asked: Rows) -> Any:
        """Attention rows of places in a picture, as `layer.weights` gives them."""
        view = (await self._scene(asked)).layer(asked.layer)
        maps = view.at(asked.points, self._renderer.record.model.resolution)
        return {"layer": view.name, "gamma": view.gamma, "points": asked.points, "maps": maps.tolist()}

    async def figure(self, asked: Figure) -> Any:
        """The figure of `sagan attend`, as PNG, or its arrays as npz."""
        scene = await self._scene(asked)
        words = "an uploaded picture" if asked.picture else self._renderer.words(_subject(asked))
        future = self._renderer.drawn_figure(scene, asked.layers, asked.points, words, asked.format)
        return response(await _result(future), MEDIA[asked.format])

    async def upload(self, payload: bytes) -> Any:
        """Take a picture file: decoded in a process apart, made square as in training. Returns its id."""
        async with _deadline():
            return {"id": await self._uploads.add(payload)}

    async def close(self) -> None:
        """End the processes that decode uploads."""
        await self._uploads.close()

    async def _scene(self, asked: Look) -> Scene:
        if asked.picture is not None:
            if asked.network != "D":
                raise ConfigError("an uploaded picture is only for the discriminator", remedy="Set network to D.")
            return await _result(self._renderer.judged(self._uploads.get(asked.picture), asked.checkpoint))
        if asked.network == "D":
            return await _result(self._renderer.judged(_subject(asked)))
        return (await _result(self._renderer.scenes([_subject(asked)])))[0]

    def _run(self) -> RunFolder:
        folder = self._renderer.shelf.run
        if folder is None:
            raise CheckpointMissing("this is a single generator, not a run", remedy="Open the run's folder instead.")
        return folder

    def _facts(self) -> dict[str, Any]:
        renderer, shelf, model = self._renderer, self._renderer.shelf, self._renderer.record.model
        entries = shelf.entries()
        layers = [("G", side) for side in model.g_attn or ()]
        if shelf.has_discriminator:
            layers += [("D", side) for side in model.d_attn or ()]
        return {
            "name": shelf.source.resolve().name,
            "version": __version__,
            "resolution": model.resolution,
            "channels": model.channels,
            "z_dim": model.z_dim,
            "classes": list(renderer.classes),
            "step": renderer.record.step,
            "checkpoints": [{"id": entry.id, "step": entry.step} for entry in entries],
            "best": shelf.best(),
            "newest": entries[-1].id if entries else "",
            "layers": [{"name": f"{network}.attention@{side}", "map": side} for network, side in layers],
            "run": shelf.run is not None,
            "palette": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in QUERY_COLOURS],
            "warnings": list(shelf.warnings),
        }


def _subject(asked: Look) -> Subject:
    return Subject(
        asked.checkpoint,
        asked.seed,
        asked.label,
        asked.truncation,
        asked.towards,
        asked.towards_label,
        asked.share,
    )


async def _result(future: Future[Result]) -> Result:
    """What a future brings; whoever stops waiting cancels it. Raises TooLate after the deadline."""
    async with _deadline():
        return await asyncio.wrap_future(future)


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    """Inside, nothing is waited for longer than the deadline. Raises TooLate."""
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except TimeoutError:
        raise TooLate() from None
