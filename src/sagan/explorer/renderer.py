"""Requests in, pictures and scenes out; nothing here knows of HTTP.

All that computes runs on one thread (`worker`), to which the public methods hand it: they return futures.
"""

from __future__ import annotations

import shlex
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sagan.errors import ConfigError
from sagan.explorer.scene import LayerView, Point, Scene, pack, views
from sagan.explorer.shelf import Opened, Shelf
from sagan.explorer.worker import Drawing, Numbers, Pixels, Worker
from sagan.layers.attention import attention_layers, record_inputs
from sagan.runtime import Runtime, choose_runtime, memory_errors
from sagan.sampling import INNER_BATCH, between_latents, draw_labels, draw_latents, inner_batch, to_pixels
from sagan.workflows.attend import Attention, arrays_file, figure
from sagan.workflows.openers import class_number
from sagan.workflows.run_folder import png
from sagan.workflows.walking import blend_classes

MEMORY = 32 << 20  # bytes of scenes that are kept
FEWER = "Ask for fewer pictures at a time."
OF_ITS_SEED = -1  # the label of a picture whose seed draws it


@dataclass(frozen=True)
class Subject:
    """A generated picture. label: class name or number; None is the one that the seed draws.

    towards, towards_label: a second seed and class; share: how far on the way to them the picture lies, 0 to 1.
    """

    checkpoint: str | None = None
    seed: int = 0
    label: str | int | None = None
    truncation: float = 0.0
    towards: int | None = None
    towards_label: str | int | None = None
    share: float = 0.0

    @property
    def between(self) -> bool:
        """Whether it lies between two."""
        return self.share > 0 and (self.towards is not None or self.towards_label is not None)


class Renderer:
    """All that the explorer shows of one run, checkpoint or generator file.

    noted: told the number of pictures of each batch drawn, and its seconds. Raises as `openers.open_generator` does.
    """

    def __init__(
        self,
        source: Path,
        *,
        device: str = "auto",
        runtime: Runtime | None = None,
        noted: Callable[[int, float], None] = lambda pictures, seconds: None,
    ) -> None:
        self.shelf = Shelf(Path(source), runtime or choose_runtime(device))
        opened = self.shelf.fetch(None).generator
        self.record, self.recipe = opened.record, self.shelf.recipe(opened)
        self.worker = Worker(noted)
        self._scenes: OrderedDict[tuple[str, Subject], Scene] = OrderedDict()

    def close(self) -> None:
        """End the thread."""
        self.worker.close()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; empty for an unconditional generator."""
        return self.record.classes

    # On any thread ----------------------------------------------------------------------------------------------------

    def draw(
        self,
        checkpoint: str | None,
        seeds: Sequence[int],
        labels: Sequence[str | int] | None = None,
        *,
        truncation: float = 0.0,
        exact: bool = True,
    ) -> Future[tuple[Pixels, Numbers]]:
        """Pictures as `sagan sample` draws them, and their labels (n,).

        labels: one a seed; those that the seeds draw otherwise.  exact: drawn in the fixed inner batch, so that the same seed
        gives the same pixels whoever asks at the same time; without, in a batch of as many as are wanted, whose pixels may
        differ by rounding. Raises ConfigError, QueueFull; the future CheckpointMissing and its kin.
        """
        if labels is None:
            numbers = np.full(len(seeds), OF_ITS_SEED, dtype=np.int64)
        else:
            numbers = np.asarray([self.label(label) for label in labels], dtype=np.int64)
        newest = self.shelf.entries()[-1:]
        since = newest[0].id if newest else None  # all pictures come from one checkpoint, whatever is written meanwhile

        def paint(rows: Numbers, chosen: Numbers) -> tuple[Pixels, Numbers]:
            return self._paint(checkpoint, since, rows, chosen, truncation, exact)

        kind = (checkpoint, None if checkpoint else since, truncation, exact)
        return self.worker.draw(Drawing(kind, paint, np.asarray(seeds, dtype=np.int64), numbers))

    def scenes(self, subjects: Sequence[Subject]) -> Future[list[Scene]]:
        """Generated pictures, at most INNER_BATCH of one checkpoint, with the generator's attention while it drew them."""
        return self.worker.call(lambda: self._generated(subjects))

    def judged(self, subject: Subject | Pixels, checkpoint: str | None = None) -> Future[Scene]:
        """A generated picture, or any other (R, R, C) uint8, with the discriminator's attention on it."""
        return self.worker.call(lambda: self._judged(subject, checkpoint))

    def packed(self, scene: Scene, facts: dict[str, Any]) -> Future[bytes]:
        """See `scene.pack`."""
        return self.worker.call(lambda: pack(scene, facts))

    def drawn_figure(
        self, scene: Scene, layers: Sequence[str], points: Sequence[Point], words: str, form: str
    ) -> Future[bytes]:
        """The figure of `sagan attend` as a png file, or its arrays as npz."""

        def make() -> bytes:
            side = len(scene.picture)
            chosen = [scene.layer(name) for name in layers] or list(scene.layers.values())
            if not chosen:
                raise ConfigError("this network has no attention layer", remedy="Train one with --g-attn and --d-attn.")
            found = [Attention(view.name, view.gamma, list(points), view.at(points, side)) for view in chosen]
            return arrays_file(scene.picture, found) if form == "npz" else png(figure(scene.picture, found, words))

        return self.worker.call(make)

    def label(self, word: str | int | None, seed: int = 0) -> int:
        """A class by name or number; None takes the one that the seed draws. Raises ConfigError."""
        if not self.classes:
            if word is not None:
                raise ConfigError("this generator has no classes", remedy="Leave out the class.")
            return 0
        if word is None:
            return int(draw_labels([seed], len(self.classes))[0])
        if isinstance(word, str):
            return class_number(word, self.classes)
        if not 0 <= word < len(self.classes):
            raise ConfigError(f"there is no class {word}", remedy=f"Numbers go from 0 to {len(self.classes) - 1}.")
        return word  # also where a class of another number is called so

    def words(self, subject: Subject) -> str:
        """What a caption says of a picture."""
        parts = [f"seed {subject.seed}"]
        if self.classes:
            parts.append(self.classes[self.label(subject.label, subject.seed)])
        if subject.between:
            parts.append(f"{subject.share:.0%} of the way to seed {_or(subject.towards, subject.seed)}")
            if subject.towards_label is not None and self.classes:
                parts.append(self.classes[self.label(subject.towards_label)])
        return ", ".join(parts)

    def command(self, subject: Subject, path: Path) -> str | None:
        """The command that draws the attention figure of a generated picture; None for one that lies between two."""
        if subject.between:
            return None
        words = ["sagan", "attend", str(path), "--seed", str(subject.seed)]
        if self.classes:
            words += ["--label", self.classes[self.label(subject.label, subject.seed)]]
        if subject.truncation:
            words += ["--trunc", f"{subject.truncation:g}"]
        return shlex.join(words)

    # On the worker's thread -------------------------------------------------------------------------------------------

    @memory_errors(FEWER)
    def _paint(
        self,
        checkpoint: str | None,
        since: str | None,
        seeds: Numbers,
        labels: Numbers,
        truncation: float,
        exact: bool,
    ) -> tuple[Pixels, Numbers]:
        opened = self.shelf.fetch(checkpoint, since=since)
        latents = draw_latents(seeds, opened.generator.generator.z_dim, truncation)
        labels = np.where(labels == OF_ITS_SEED, draw_labels(seeds, len(self.classes)), labels)
        inputs, chosen = inner_batch(opened.generator.generator, latents, labels)
        if not exact:
            inputs, chosen = inputs[: len(latents)], None if chosen is None else chosen[: len(latents)]
        with torch.no_grad():
            return to_pixels(opened.engine()(inputs, chosen)[: len(latents)]), labels

    @memory_errors(FEWER)
    def _generated(self, subjects: Sequence[Subject]) -> list[Scene]:
        opened = self.shelf.fetch(subjects[0].checkpoint)
        resolved = [self._resolved(subject, opened) for subject in subjects]
        missing = [subject for subject in dict.fromkeys(resolved) if ("G", subject) not in self._scenes]
        plain = [subject for subject in missing if not subject.between]
        found = {subject: self._scenes[("G", subject)] for subject in resolved if subject not in missing}
        for batch in ([plain] if plain else []) + [[subject] for subject in missing if subject.between]:
            for subject, scene in zip(batch, self._watched(opened, batch), strict=True):
                found[subject] = scene
                self._keep(("G", subject), scene)
        for subject in resolved:
            if ("G", subject) in self._scenes:
                self._scenes.move_to_end(("G", subject))
        return [found[subject] for subject in resolved]

    def _resolved(self, subject: Subject, opened: Opened) -> Subject:
        """The same picture by the names that everybody gives it, so that it is found again. Its checkpoint is a key."""
        label = self.label(subject.label, subject.seed)
        plain = replace(subject, checkpoint=opened.key, label=label)
        if not subject.between:
            return replace(plain, towards=None, towards_label=None, share=0.0)
        return replace(
            plain,
            towards=_or(subject.towards, subject.seed),
            towards_label=label if subject.towards_label is None else self.label(subject.towards_label),
        )

    def _watched(self, opened: Opened, subjects: Sequence[Subject]) -> list[Scene]:
        """One batch through the generator itself, as `sagan attend` draws. A subject between two comes alone."""
        generator, first = opened.generator.generator, subjects[0]
        latents = draw_latents([subject.seed for subject in subjects], generator.z_dim, first.truncation)
        numbers = np.asarray([subject.label for subject in subjects], dtype=np.int64)
        if first.between:
            other = draw_latents([_or(first.towards, first.seed)], generator.z_dim, first.truncation)[0]
            latents = between_latents(latents[0], other, first.share)[None]
            if generator.classes:
                shares = np.zeros((1, generator.classes), dtype=np.float32)
                shares[0, numbers[0]] = 1 - first.share
                shares[0, int(first.towards_label or 0)] += first.share
                generator, numbers = blend_classes(generator, shares), np.zeros(1, dtype=np.int64)
        layers = attention_layers(generator, "G")
        inputs, output = record_inputs(layers, lambda: generator(*inner_batch(generator, latents, numbers)))
        pictures = to_pixels(output[: len(subjects)])
        seen = views(layers, inputs, len(subjects))
        return [Scene(picture.copy(), view) for picture, view in zip(pictures, seen, strict=True)]

    @memory_errors("Try another picture.")
    def _judged(self, subject: Subject | Pixels, checkpoint: str | None) -> Scene:
        key: tuple[str, Subject] | None = None
        if isinstance(subject, Subject):
            opened = self.shelf.fetch(subject.checkpoint)
            key = ("D", self._resolved(subject, opened))
            if key in self._scenes:
                self._scenes.move_to_end(key)
                return self._scenes[key]
            picture, label = self._generated([subject])[0].picture, self.label(subject.label, subject.seed)
        else:
            opened, picture, label = self.shelf.fetch(checkpoint), subject, 0
        discriminator = opened.discriminator()
        device = next(discriminator.parameters()).device
        signal = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].to(device).float() / 127.5 - 1.0
        labels = torch.tensor([label], device=device) if self.classes else None
        layers = attention_layers(discriminator, "D")
        inputs, _ = record_inputs(layers, lambda: discriminator(signal, labels))
        seen: dict[str, LayerView] = views(layers, inputs, 1)[0]
        scene = Scene(picture, seen)
        if key is not None:
            self._keep(key, scene)
        return scene

    def _keep(self, key: tuple[str, Subject], scene: Scene) -> None:
        self._scenes[key] = scene
        while len(self._scenes) > INNER_BATCH and sum(kept.size for kept in self._scenes.values()) > MEMORY:
            self._scenes.popitem(last=False)


def _or(number: int | None, other: int) -> int:
    return other if number is None else number
