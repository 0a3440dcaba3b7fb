"""Imported networks answer as the peers' own code did: pictures, logits, attention maps, array by array."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sagan.errors import CheckpointIncompatible
from sagan.interop.recognise import import_networks
from sagan.layers.attention import attention_layers, record_inputs
from sagan.workflows.import_foreign import import_foreign
from sagan.workflows.openers import open_both

PEERS = [
    "biggan-sagan-64", "biggan-sagan-128", "heykeetae-64", "mimicry-sagan-32", "mimicry-sagan-128", "studiogan-sagan-32",
    "studiogan-sagan-64", "studiogan-sngan-32", "studiogan-wgan-gp-32",
]  # fmt: skip
TOLERANCE = 1e-5  # of the array's largest value


@pytest.fixture(scope="module", params=PEERS)
def opened(request, golden, tmp_path_factory):
    """(name, generator with record, discriminator, recorded answers), from the files that `sagan import` wrote."""
    out = tmp_path_factory.mktemp("imported") / request.param
    import_foreign(golden / request.param, out)
    generator, discriminator = open_both(out)
    with np.load(golden / request.param / "expected.npz") as arrays:
        expected = {name: torch.tensor(arrays[name]) for name in arrays.files}
    return request.param, generator, discriminator, expected


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    assert ours.numel() == theirs.numel()
    return float((ours.flatten() - theirs.flatten()).abs().max() / theirs.abs().max())


@torch.no_grad()
def test_pictures_and_logits(opened):
    name, generator, discriminator, expected = opened
    labels = expected["y"] if generator.classes else None
    pictures = generator.generator(expected["z"], labels)
    assert pictures.shape == expected["images"].shape
    assert error(pictures, expected["images"]) <= TOLERANCE
    # heykeetae's logits on its own pictures cancel: 8,192 products of about 4 in all, to less than 0.02. float32 rounds at
    # the size of the products, so that array is held to 1e-7 of their sum (tests/models/test_heykeetae.py), 5e-5 of itself.
    for source, logits in (("x", "logits_x"), ("images", "logits_images")):
        bound = 1e-4 if name.startswith("heykeetae") and source == "images" else TOLERANCE
        assert error(discriminator(expected[source], labels), expected[logits]) <= bound, logits


@torch.no_grad()
def test_attention_maps(opened):
    name, generator, discriminator, expected = opened
    if not name.startswith("heykeetae"):
        pytest.skip("its code does not give its maps")
    for prefix, network, source in (("G", generator.generator, "z"), ("D", discriminator, "x")):
        layers = attention_layers(network, prefix)
        inputs, _ = record_inputs(layers, lambda network=network, source=source: network(expected[source]))
        for number, (place, layer) in enumerate(layers.items(), start=1):
            theirs = expected[f"{prefix.lower()}_attention_{number}"]
            ours = layer.weights(inputs[place][: len(theirs)]).flatten(3).flatten(1, 2)
            assert error(ours, theirs) <= TOLERANCE


def test_a_single_file_gives_the_generator_alone(golden):
    networks = import_networks(golden / "mimicry-sagan-32" / "netG_1000_steps.pth")
    assert networks.discriminator is None and networks.peer == "mimicry" and networks.step == 1000


def test_a_discriminator_alone_is_refused(golden):
    with pytest.raises(CheckpointIncompatible, match="no generator"):
        import_networks(golden / "mimicry-sagan-32" / "netD_1000_steps.pth")


def test_averaged_generators_win_and_the_live_one_stays_beside(golden, tmp_path):
    source = golden / "biggan-sagan-64"
    state = torch.load(source / "G.pth", weights_only=True)
    torch.save(
        {name: 0.5 * tensor if "weight" in name else tensor for name, tensor in state.items()}, tmp_path / "G_ema.pth"
    )
    for name in ("G.pth", "D.pth", "state_dict.pth"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    torch.save(state, tmp_path / "G_copy0.pth")
    networks = import_networks(tmp_path)
    name = "stem.parametrizations.weight.original"
    assert torch.equal(2 * networks.generator.tensors[name], networks.live.tensors[name])


@pytest.mark.parametrize("wrap", ["module", "safetensors", "newer"])
def test_other_ways_of_saving_the_same(golden, tmp_path, wrap):
    """DataParallel's names; safetensors; torch's newer spectral norm."""
    state = torch.load(golden / "mimicry-sagan-32" / "netG_1000_steps.pth", weights_only=True)["model_state_dict"]
    expected = import_networks(golden / "mimicry-sagan-32" / "netG_1000_steps.pth")
    if wrap == "safetensors":
        from safetensors.torch import save_file

        save_file({name: tensor.clone() for name, tensor in state.items()}, path := tmp_path / "netG.safetensors")
    else:
        newer = {"weight_orig": "parametrizations.weight.original", "weight_u": "parametrizations.weight.0._u",
                 "weight_v": "parametrizations.weight.0._v"}  # fmt: skip
        rename = (lambda name: f"module.{name}") if wrap == "module" else (
            lambda name: ".".join(newer.get(word, word) for word in name.split("."))
        )  # fmt: skip
        torch.save({rename(name): tensor for name, tensor in state.items()}, path := tmp_path / "netG.pth")
    ours = import_networks(path)
    assert ours.model == expected.model
    assert all(torch.equal(tensor, expected.generator.tensors[name]) for name, tensor in ours.generator.tensors.items())
