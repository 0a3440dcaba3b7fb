"""How exactly imported networks answer as the peers' own code did.

    python benchmarks/interop.py FOLDER ...

A FOLDER holds one folder a peer: its checkpoint files, and expected.npz with what its own networks answered (z, y, x, images,
logits_x, logits_images, and attention maps where its code gives them). Leaves benchmarks/results/interop.json.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from results_file import Figure, write_result

from sagan.layers.attention import attention_layers, record_inputs
from sagan.workflows.import_foreign import import_foreign
from sagan.workflows.openers import open_both

NOTE = (
    "largest error of an array as a share of the array's largest value, fp32, against what the peer's own code answered."
    " heykeetae's logits_images are sums of 8,192 products of about 4 in all that cancel to 0.02: float32 rounds there"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    folders = parser.parse_args().folders
    figures: list[Figure] = []
    data = {}
    for peer in sorted(path for folder in folders for path in folder.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as out:
            result = import_foreign(peer, Path(out) / "imported")
            found = errors(result.out, peer / "expected.npz")
        figures += [(f"{peer.name}, {name}", value, "", "") for name, value in found.items()]
        data[f"{peer.name}/expected.npz"] = hashlib.sha256((peer / "expected.npz").read_bytes()).hexdigest()
        print(peer.name, {name: f"{value:.1e}" for name, value in found.items()}, flush=True)
    write_result("interop", "python benchmarks/interop.py FOLDER ...", figures, note=NOTE, data=data)


@torch.no_grad()
def errors(imported: Path, answers: Path) -> dict[str, float]:
    """Array -> largest error, of the networks that were written at `imported`."""
    generator, discriminator = open_both(imported)
    assert discriminator is not None
    with np.load(answers) as arrays:
        expected = {name: torch.tensor(arrays[name]) for name in arrays.files}
    labels = expected["y"] if generator.classes else None
    ours = {
        "images": generator.generator(expected["z"], labels),
        "logits_x": discriminator(expected["x"], labels),
        "logits_images": discriminator(expected["images"], labels),
    }
    for prefix, network, source in (("G", generator.generator, "z"), ("D", discriminator, "x")):
        layers = attention_layers(network, prefix)
        names = [f"{prefix.lower()}_attention_{number}" for number in range(1, 1 + len(layers))]
        if not names or not set(names) <= expected.keys():
            continue
        inputs, _ = record_inputs(layers, lambda network=network, source=source: network(expected[source]))
        for name, (place, layer) in zip(names, layers.items(), strict=True):
            ours[name] = layer.weights(inputs[place][: len(expected[name])])
    return {
        name: float((value.flatten() - expected[name].flatten()).abs().max() / expected[name].abs().max())
        for name, value in ours.items()
    }


if __name__ == "__main__":
    main()
