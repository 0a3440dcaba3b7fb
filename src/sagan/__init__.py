"""Self-attention generative adversarial networks (SAGAN, arXiv:1805.08318) in PyTorch.

The public names are those in `__all__`, and each is imported when it is first used: `import sagan` costs milliseconds
and leaves torch alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagan.config import RunConfig
    from sagan.errors import SaganError
    from sagan.layers.attention import SelfAttention2d
    from sagan.layers.spectral import SpectralNorm
    from sagan.models.build import build_discriminator, build_generator
    from sagan.presets import preset
    from sagan.sampling import draw
    from sagan.workflows.attend import attention_weights
    from sagan.workflows.openers import open_generator, open_run
    from sagan.workflows.share import from_pretrained, save_pretrained
    from sagan.workflows.train import train

__version__ = "0.1.0"

__all__ = [
    "RunConfig",
    "SaganError",
    "SelfAttention2d",
    "SpectralNorm",
    "attention_weights",
    "build_discriminator",
    "build_generator",
    "draw",
    "from_pretrained",
    "open_generator",
    "open_run",
    "preset",
    "save_pretrained",
    "train",
]

# Where each public name lives. The block for type checkers above says the same; a test compares the two.
_HOMES = {
    "RunConfig": "sagan.config",
    "SaganError": "sagan.errors",
    "SelfAttention2d": "sagan.layers.attention",
    "SpectralNorm": "sagan.layers.spectral",
    "attention_weights": "sagan.workflows.attend",
    "build_discriminator": "sagan.models.build",
    "build_generator": "sagan.models.build",
    "draw": "sagan.sampling",
    "from_pretrained": "sagan.workflows.share",
    "open_generator": "sagan.workflows.openers",
    "open_run": "sagan.workflows.openers",
    "preset": "sagan.presets",
    "save_pretrained": "sagan.workflows.share",
    "train": "sagan.workflows.train",
}


def __getattr__(name: str) -> Any:
    """A public name, imported from its home when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sagan' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
