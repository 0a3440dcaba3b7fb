"""Where did the network look? The paper's figures 1 and 5: the verb `sagan attend`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sagan.disk import write_atomic
from sagan.errors import ConfigError
from sagan.layers.attention import SelfAttention2d, attention_layers, record_inputs
from sagan.models.network import Discriminator, Generator
from sagan.runtime import Runtime, choose_runtime, memory_errors
from sagan.sampling import draw_labels, draw_latents, inner_batch, to_pixels
from sagan.visualise.attention import render_attention, stack
from sagan.visualise.points import pick_points, pixel_of, position_of
from sagan.workflows.openers import OpenGenerator, class_number, open_both, open_generator
from sagan.workflows.picture_file import read_picture, squares_of
from sagan.workflows.run_folder import need_suffix, png

Point = tuple[int, int]


@dataclass(frozen=True)
class Attention:
    """One layer's answer for one picture. points: (x, y) pixels.  maps: (Q, h, w), each sums to one."""

    layer: str
    gamma: float
    points: list[Point]
    maps: NDArray[np.float32]


@dataclass(frozen=True)
class AttendResult:
    """What was written, and one line a layer."""

    paths: list[Path]
    lines: list[str]


def attention_weights(
    network: Generator | Discriminator, inputs: Tensor, labels: Tensor | None = None
) -> dict[str, Tensor]:
    """All attention maps of a network for a batch: layer name -> (B, H, W, h, w) in float32.

    network: a generator or a discriminator in eval mode.  inputs: latents (B, z) for the one, pictures (B, C, R, R) in
    [-1, 1] for the other.  labels: (B,) int64 when the network has classes.
    The first two map axes are the query's row and column, the last two the key's; each row sums to one over the keys.
    Raises ConfigError in train mode.
    """
    if network.training:
        raise ConfigError("the network is in training mode", remedy="Call eval() first: batch statistics would differ.")
    layers = attention_layers(network, "G" if isinstance(network, Generator) else "D")
    seen, _ = record_inputs(layers, lambda: network(inputs, labels))
    return {name: layer.weights(seen[name]) for name, layer in layers.items()}


@memory_errors("Use --device cpu, or close other programs.")
def attend(
    source: str | Path,
    *,
    seed: int = 0,
    label: str | None = None,
    trunc: float = 0.0,
    at: Sequence[Point] | None = None,
    points: int = 5,
    layers: Sequence[str] | None = None,
    image: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
    runtime: Runtime | None = None,
) -> AttendResult:
    """Draw the attention figure of a generated picture, or of a real one through the discriminator.

    source: a run, a checkpoint or a generator file.  seed, label: which picture; the label is a class name or number.
    trunc: see `sampling.draw_latents`.
    at: query points in pixels; None lets `visualise.points.pick_points` choose `points` of them for each layer.
    layers: names such as G.attention@16; None means all of G, or of D for an image.  image: a real picture, for D.
    out: the PNG file; beside it an npz file with the same name holds the arrays.
    device: where to compute.  runtime: instead of a device, one that was chosen already.
    """
    target = out or Path("attention.png")
    need_suffix(target, ".png", "the figure")
    arrays = target.with_suffix(".npz")
    runtime = runtime or choose_runtime(device)
    if image is None:
        opened = open_generator(source, runtime=runtime)
        picture, found = of_generated(opened, seed, label, at, points, layers, trunc)
        named = [f"{opened.classes[_label(opened, label, seed)]}"] if opened.classes else []
        subject = ", ".join([f"seed {seed}", *named])
    else:
        opened, discriminator = open_both(source, runtime=runtime)
        if discriminator is None:
            raise ConfigError(
                "this file holds no discriminator, which attention on a real picture needs",
                where=source,
                remedy="Name the run's folder, or leave out --image.",
            )
        picture, found = of_real(opened, discriminator, image, label, at, points, layers)
        subject = image.name
    write_atomic(target, png(figure(picture, found, subject)))
    write_atomic(arrays, arrays_file(picture, found))
    lines = [f"{entry.layer}: gamma {entry.gamma:+.4f}, points {_words(entry.points)}" for entry in found]
    return AttendResult([target, arrays], [*opened.warnings, *lines])


def figure(picture: NDArray[np.uint8], found: Sequence[Attention], subject: str) -> Image.Image:
    """One row a layer, captioned with its name, its gamma and the picture's seed or file."""
    rows = [render_attention(picture, entry.maps, entry.points) for entry in found]
    return stack(rows, [f"{entry.layer}   gamma {entry.gamma:+.3f}   {subject}" for entry in found])


def of_generated(
    opened: OpenGenerator,
    seed: int,
    label: str | None,
    at: Sequence[Point] | None,
    points: int,
    names: Sequence[str] | None,
    trunc: float = 0.0,
) -> tuple[NDArray[np.uint8], list[Attention]]:
    """The picture of a seed (R, R, C) and the attention of the generator's layers while it drew it."""
    generator = opened.generator
    number = _label(opened, label, seed)
    latents, labels = inner_batch(generator, draw_latents([seed], generator.z_dim, trunc), np.asarray([number]))
    layers = _choose(attention_layers(generator, "G"), names)
    inputs, output = record_inputs(layers, lambda: generator(latents, labels))
    picture = to_pixels(output)[0]
    return picture, [_look(name, layer, inputs[name][:1], at, points, len(picture)) for name, layer in layers.items()]


def of_real(
    opened: OpenGenerator,
    discriminator: Discriminator,
    image: Path,
    label: str | None,
    at: Sequence[Point] | None,
    points: int,
    names: Sequence[str] | None,
) -> tuple[NDArray[np.uint8], list[Attention]]:
    """A real picture, made square as in training, and the attention of the discriminator's layers on it."""
    picture = read_picture(image, squares_of(opened))
    device = next(discriminator.parameters()).device
    signal = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].to(device).float() / 127.5 - 1.0
    number = _label(opened, label, 0)
    labels = torch.tensor([number], device=device) if opened.classes else None
    layers = _choose(attention_layers(discriminator, "D"), names)
    inputs, _ = record_inputs(layers, lambda: discriminator(signal, labels))
    return picture, [_look(name, layer, inputs[name], at, points, len(picture)) for name, layer in layers.items()]


def _look(
    name: str, layer: SelfAttention2d, x: Tensor, at: Sequence[Point] | None, count: int, resolution: int
) -> Attention:
    height, width = x.shape[-2:]
    if at is None:
        rows = layer.weights(x)[0].cpu().numpy()
        places = pick_points(rows, count)
        chosen = [pixel_of(row, column, height, resolution) for row, column in places]
    else:
        chosen = list(at)
        places = [position_of(px, py, height, resolution) for px, py in chosen]
    queries = torch.tensor(places, device=x.device)
    maps = layer.weights(x, queries)[0].cpu().numpy()
    return Attention(name, float(layer.gamma), chosen, maps)


def _choose(layers: Mapping[str, SelfAttention2d], names: Sequence[str] | None) -> dict[str, SelfAttention2d]:
    if not layers:
        raise ConfigError("this network has no attention layer", remedy="Train one with --g-attn and --d-attn.")
    for name in names or ():
        if name not in layers:
            raise ConfigError(f"there is no layer {name}", remedy=f"There are: {', '.join(layers)}.")
    return {name: layer for name, layer in layers.items() if not names or name in names}


def _label(opened: OpenGenerator, label: str | None, seed: int) -> int:
    """A class by name or number; None takes the one that the seed draws."""
    if not opened.classes:
        if label is not None:
            raise ConfigError("this generator has no classes", remedy="Leave out the label.")
        return 0
    return int(draw_labels([seed], len(opened.classes))[0]) if label is None else class_number(label, opened.classes)


def arrays_file(picture: NDArray[np.uint8], found: Sequence[Attention]) -> bytes:
    """The bytes of an npz file: the picture, and points, maps and gamma of every layer."""
    buffer = io.BytesIO()
    arrays: dict[str, NDArray[np.generic]] = {"picture": picture}
    for entry in found:
        arrays[f"{entry.layer}/points"] = np.asarray(entry.points)
        arrays[f"{entry.layer}/maps"] = entry.maps
        arrays[f"{entry.layer}/gamma"] = np.asarray(entry.gamma)
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _words(points: Sequence[Point]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
