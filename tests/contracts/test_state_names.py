"""The names and shapes inside a checkpoint: a renamed parameter fails here, not in a user's hands."""

from __future__ import annotations

from pathlib import Path

from sagan.models.build import build_discriminator, build_generator
from sagan.models.config import ModelConfig

GOLDEN = Path(__file__).with_name("state_names.txt")


def state_lines() -> list[str]:
    """One line for each entry of both networks at 32x32, with five classes and attention."""
    model = ModelConfig(resolution=32, z_dim=6, g_ch=8, d_ch=16)
    networks = {"G": build_generator(model, 5), "D": build_discriminator(model, 5)}
    return [
        f"{prefix}.{name} {'x'.join(map(str, tensor.shape)) or 'scalar'}"
        for prefix, network in networks.items()
        for name, tensor in network.state_dict().items()
    ]


def test_names_and_shapes_are_those_of_published_checkpoints():
    """A change here breaks every checkpoint there is: it needs a new schema version and a converter, not a new text file."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert state_lines() == lines
    assert len(lines) == len(set(lines)) > 100
