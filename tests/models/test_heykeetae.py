"""heykeetae's networks with that code's own weights give that code's pictures, logits and attention maps.

The weights are random ones, saved by heykeetae/Self-Attention-GAN itself (commit 8714a54), and the answers are its own.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from sagan.layers.attention import attention_layers, record_inputs
from sagan.models.build import build_discriminator, build_generator
from sagan.presets import preset

GOLDEN = Path(os.environ.get("SAGAN_GOLDEN", Path(__file__).parents[3] / "shared" / "golden")) / "heykeetae-64"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no recorded answers of that code at {GOLDEN}")

TOLERANCE = 1e-5  # of the largest value

NORMED = ("bias", "weight_u", "weight_v", "weight_bar")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
ATTENTION = ("gamma", *(f"{part}_conv.{kind}" for part in ("query", "key", "value") for kind in ("weight", "bias")))
END = ["last.0.weight", "last.0.bias", *(f"{block}.{name}" for block in ("attn1", "attn2") for name in ATTENTION)]
LAYERS = ("l4", "l1", "l2", "l3")  # the order in which that code's modules are made
GENERATOR = [
    name
    for layer in LAYERS
    for name in (*(f"{layer}.0.module.{n}" for n in NORMED), *(f"{layer}.1.{n}" for n in BATCH_NORM))
] + END
DISCRIMINATOR = [f"{layer}.0.module.{name}" for layer in LAYERS for name in NORMED] + END


def foreign(file: str, names: list[str]) -> dict[str, np.ndarray]:
    """A bare state dict's values, flat, without unpickling: the file is a zip with one member a tensor, in order."""
    with zipfile.ZipFile(GOLDEN / file) as archive:
        folder = file.removesuffix(".pth")
        assert sum(member.startswith(f"{folder}/data/") for member in archive.namelist()) == len(names)
        kinds = [np.int64 if name.endswith("tracked") else np.float32 for name in names]
        return {
            name: np.frombuffer(archive.read(f"{folder}/data/{number}"), kind)
            for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
        }


def effective(theirs: dict[str, np.ndarray], layer: str, shape: torch.Size) -> torch.Tensor:
    """weight / sigma, with that code's matrix: one row for each entry of the first axis, also of transposed kernels."""
    weight, u, v = (torch.tensor(theirs[f"{layer}.0.module.weight_{kind}"]).double() for kind in ("bar", "u", "v"))
    sigma = u @ weight.view(len(u), -1) @ v
    return (weight / sigma).view(shape).float()


def fill(target: torch.Tensor, values: np.ndarray) -> None:
    target.copy_(torch.tensor(values).view(target.shape))


@torch.no_grad()
def fill_attention(network: torch.nn.Module, theirs: dict[str, np.ndarray]) -> None:
    for number, layer in enumerate(network.attention.values(), start=1):
        fill(layer.gamma, theirs[f"attn{number}.gamma"])
        for ours in ("query", "key", "value"):
            for kind in ("weight", "bias"):
                fill(getattr(getattr(layer, ours), kind), theirs[f"attn{number}.{ours}_conv.{kind}"])


MODEL = preset("heykeetae-64", g_sn=False, d_sn=False).model  # their weights arrive already divided by their sigma


@pytest.fixture(scope="module")
@torch.no_grad()
def generator():
    network, theirs = build_generator(MODEL).eval(), foreign("1000_G.pth", GENERATOR)
    for number, (norm, conv) in enumerate(zip(network.norms, [network.stem, *network.doublings], strict=True), start=1):
        conv.weight.copy_(effective(theirs, f"l{number}", conv.weight.shape))
        fill(conv.bias, theirs[f"l{number}.0.module.bias"])
        for ours, name in (("gain", "weight"), ("bias", "bias"), ("running_mean",) * 2, ("running_var",) * 2):
            fill(getattr(norm, ours), theirs[f"l{number}.1.{name}"])
    fill(network.output.weight, theirs["last.0.weight"])
    fill(network.output.bias, theirs["last.0.bias"])
    fill_attention(network, theirs)
    return network


@pytest.fixture(scope="module")
@torch.no_grad()
def discriminator():
    network, theirs = build_discriminator(MODEL).eval(), foreign("1000_D.pth", DISCRIMINATOR)
    for number, stage in enumerate(network.stages, start=1):
        stage[0].weight.copy_(effective(theirs, f"l{number}", stage[0].weight.shape))
        fill(stage[0].bias, theirs[f"l{number}.0.module.bias"])
    fill(network.head.weight, theirs["last.0.weight"])
    fill(network.head.bias, theirs["last.0.bias"])
    fill_attention(network, theirs)
    return network


@pytest.fixture(scope="module")
def expected():
    with np.load(GOLDEN / "expected.npz") as arrays:
        return {name: torch.tensor(arrays[name]) for name in arrays.files}


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= TOLERANCE * theirs.abs().max()


@torch.no_grad()
def test_pictures_and_logits(generator, discriminator, expected):
    assert all(
        layer.gamma.abs() > 0.01 for network in (generator, discriminator) for layer in network.attention.values()
    )
    close(generator(expected["z"]), expected["images"])
    terms = []
    hook = discriminator.head.register_forward_hook(
        lambda head, inputs, _: terms.append((head.weight * inputs[0]).abs().sum(dim=(1, 2, 3)).max())
    )
    for source, name in (("x", "logits_x"), ("images", "logits_images")):
        difference = (discriminator(expected[source]) - expected[name]).abs().max()
        # 8,192 products of about 4 in all cancel to less than 0.02. float32 rounds at the size of the products: ours in
        # float64 is 7e-8 from the recorded answers as well.
        assert difference <= 1e-7 * terms[-1] < 0.01 * expected[name].abs().max()
    hook.remove()


@torch.no_grad()
def test_attention_maps(generator, discriminator, expected):
    """That code's second return value, (pictures, queries, keys), is our separate call."""
    for prefix, network, source in (("G", generator, "z"), ("D", discriminator, "x")):
        layers = attention_layers(network, prefix)
        inputs, _ = record_inputs(layers, lambda network=network, source=source: network(expected[source]))
        for number, (name, layer) in enumerate(layers.items(), start=1):
            theirs = expected[f"{prefix.lower()}_attention_{number}"]
            ours = layer.weights(inputs[name][: len(theirs)]).flatten(3).flatten(1, 2)
            close(ours, theirs)
            assert ours.std() > 1e-6, "a flat map would be no evidence"
